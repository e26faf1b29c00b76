public import Autodiff
import Kernels

/// The mean of the history's items through a linear map (ComiRec's `DNN` baseline; method, section 11).
///
/// It is the baseline for networks that use more than a bag of items.
public struct DNN: SoftmaxRecommender {
    /// Hyper-parameters of the network.
    public struct Configuration: VectorConfiguration {
        /// Length of item and user vectors.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Inverse temperature of the softmax.
        public var logitScale = 14.3

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateLengths(prefix: prefix)
            try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
        }
    }

    /// `dnn`.
    public static let system = "dnn"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet

    private static let output = "output"

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
    }

    var dimension: Int { configuration.dimension }

    var network: ParameterLayout {
        var layout: ParameterLayout = [:]
        layout.addDense(Self.output, inputs: dimension, outputs: dimension)
        return layout
    }

    var logitScale: Double { configuration.logitScale }

    var perUser: Int { 1 }

    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable {
        let items = tape.gather(ItemTable.name, from: parameters, rows: histories.ids).normalisedRows()
        let shares = (0..<histories.count).flatMap { row in
            [Float](repeating: 1 / Float(histories[row].count), count: histories[row].count)
        }
        return items.weightedSums(shares, histories: histories.positions, interests: 1)
            .dense(Self.output, parameters)
            .normalisedRows()
    }
}
