public import Autodiff

/// GRU4Rec (Hidasi et al., ICLR 2016; method, section 11): one layer of gated recurrent units whose last state is the
/// user vector, by a linear map.
public struct GRU4Rec: StateRecommender {
    /// Hyper-parameters of the network.
    public struct Configuration: VectorConfiguration {
        /// Length of item and user vectors.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Width of the states.
        public var hidden = 128
        /// Dropout probability of inputs and states during training.
        public var dropout = 0.0
        /// Inverse temperature of the softmax.
        public var logitScale = 14.3

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateLengths(prefix: prefix)
            try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
            try ConfigurationError.require(0...0.9, contains: dropout, key: prefix + "dropout")
            try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
        }
    }

    /// `gru4rec`.
    public static let system = "gru4rec"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let encoder: RecurrentEncoder

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        encoder = RecurrentEncoder(prefix: "gru", dimension: configuration.dimension, hidden: configuration.hidden)
    }

    var dimension: Int { configuration.dimension }

    private static let output = "gru.output"

    var network: ParameterLayout {
        var layout = encoder.layout
        layout[Self.output] = .xavier(inputs: configuration.hidden, outputs: configuration.dimension)
        return layout
    }

    var logitScale: Double { configuration.logitScale }

    func states(items: Variable, offsets: [Int], noise: NoiseSource?) -> Variable {
        let masks = Dropout(
            probability: configuration.dropout,
            noise: noise,
            layers: RecurrentEncoder.dropoutLayers
        )
        let states = encoder.states(items: items, offsets: offsets, parameters: parameters, masks: masks)
        return states.product(items.tape.parameter(Self.output, from: parameters))
    }
}
