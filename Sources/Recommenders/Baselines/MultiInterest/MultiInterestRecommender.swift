import Autodiff
import Kernels

/// A system whose K user vectors are the interests of an interest module.
protocol MultiInterestRecommender: SoftmaxRecommender {
    /// The module.
    var module: any InterestModule { get }
}

extension MultiInterestRecommender {
    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable {
        let distinct = DistinctItems(histories)
        let items = tape.gather(ItemTable.name, from: parameters, rows: distinct.ids).normalisedRows()
        let interests = module.interests(
            items: items,
            histories: distinct.histories,
            parameters: parameters,
            noise: noise
        )
        return interests.reshaped(rows: histories.count * perUser, columns: items.value.columns).normalisedRows()
    }

    var network: ParameterLayout { module.layout }
}

/// Hyper-parameters of a multi-interest system whose module has no hyper-parameters of its own.
public struct MultiInterestConfiguration: VectorConfiguration {
    /// Length of item and user vectors.
    public var dimension = 64
    /// How many of a history's newest items are used.
    public var historyLength = 50
    /// Interests, each a user vector (K).
    public var interests = 4
    /// Inverse temperature of the softmax.
    public var logitScale = 14.3

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try validateLengths(prefix: prefix)
        try ConfigurationError.require(1...64, contains: interests, key: prefix + "interests")
        try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
    }
}

extension MultiInterestRecommender where Configuration == MultiInterestConfiguration {
    var dimension: Int { configuration.dimension }

    var logitScale: Double { configuration.logitScale }

    var perUser: Int { configuration.interests }
}
