public import Autodiff

/// SASRec (Kang and McAuley, ICDM 2018; method, section 11): a causal Transformer whose last state is the user
/// vector.
///
/// Blocks are pre-norm with trained distance biases (see ``CausalTransformer``). The loss is the softmax loss that
/// these systems share, not the original's binary loss with one negative.
public struct SASRec: StateRecommender {
    /// Hyper-parameters of the network.
    public struct Configuration: TransformerConfiguration {
        /// Length of item and user vectors.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Blocks.
        public var blocks = 2
        /// Attention heads of each block; they divide the dimension.
        public var heads = 1
        /// Width of the feed-forward layers.
        public var hidden = 128
        /// Inverse temperature of the softmax.
        public var logitScale = 14.3

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateSizes(prefix: prefix)
            try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
        }
    }

    /// `sasrec`.
    public static let system = "sasrec"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let transformer: CausalTransformer

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        transformer = CausalTransformer(
            prefix: "transformer",
            dimension: configuration.dimension,
            blocks: configuration.blocks,
            heads: configuration.heads,
            hidden: configuration.hidden,
            longest: configuration.historyLength
        )
    }

    var dimension: Int { configuration.dimension }

    var network: ParameterLayout { transformer.layout }

    var logitScale: Double { configuration.logitScale }

    func states(items: Variable, offsets: [Int]) -> Variable {
        transformer.states(items: items, offsets: offsets, parameters: parameters)
    }
}
