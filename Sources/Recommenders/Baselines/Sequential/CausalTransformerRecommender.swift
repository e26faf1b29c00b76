import Autodiff
import Kernels

/// Hyper-parameters of a system whose user vector is the newest state of a causal Transformer.
public struct CausalTransformerConfiguration: TransformerConfiguration {
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
    /// Dropout on the input and on the residual branches during training.
    public var dropout = 0.0
    /// Inverse temperature of the softmax.
    public var logitScale = 14.3

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try validateSizes(prefix: prefix)
        try ConfigurationError.require(0...0.9, contains: dropout, key: prefix + "dropout")
        try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
    }
}

/// A system whose user vector is the newest state of a causal Transformer.
protocol CausalTransformerRecommender: StateRecommender where Configuration == CausalTransformerConfiguration {
    /// The network.
    var transformer: CausalTransformer { get }
}

extension CausalTransformerRecommender {
    var dimension: Int { configuration.dimension }

    var network: ParameterLayout { transformer.layout }

    var logitScale: Double { configuration.logitScale }

    func states(items: Variable, offsets: [Int], noise: NoiseSource?) -> Variable {
        transformer.states(items: items, offsets: offsets, parameters: parameters, noise: noise)
    }
}

extension CausalTransformer {
    /// The network of a system of its own.
    init(_ configuration: CausalTransformerConfiguration, kind: Kind) {
        self.init(
            kind: kind,
            prefix: "transformer",
            dimension: configuration.dimension,
            blocks: configuration.blocks,
            heads: configuration.heads,
            hidden: configuration.hidden,
            longest: configuration.historyLength,
            dropout: configuration.dropout
        )
    }
}
