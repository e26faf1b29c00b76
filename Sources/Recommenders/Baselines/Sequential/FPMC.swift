public import Autodiff
public import Kernels

/// FPMC without its users (Rendle et al., WWW 2010; method, section 11): a factorised Markov chain of items.
///
/// The score of a next item is `<X_i, mean_l Y_l>` over the newest items `l`. The published term `<VU_u, VI_i>` of a
/// user and an item is left out, because histories come from users that training did not see. Items and users are on
/// the unit sphere.
public struct FPMC: TrainedRecommender {
    /// Hyper-parameters.
    public struct Configuration: ModelConfiguration {
        /// Length of item and user vectors.
        public var dimension = 64
        /// How many of the newest items predict the next item (the published basket).
        public var historyLength = 1
        /// The training loss.
        public var loss = RankingLoss.softmax
        /// Inverse temperature of the loss.
        public var logitScale = 14.3

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(2...1024, contains: dimension, key: prefix + "dimension")
            try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
        }
    }

    private static let previousTable = "items.previous"

    /// `fpmc`.
    public static let system = "fpmc"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
    }

    /// Rows of length about 1.
    public func layout(items: Int) -> ParameterLayout {
        let d = configuration.dimension
        var layout: ParameterLayout = [:]
        for name in [ItemTable.name, Self.previousTable] {
            layout[name] = .normal(rows: items, columns: d, deviation: 1 / Double(d).squareRoot())
        }
        return layout
    }

    /// The mean of the newest items' rows.
    public var readOuts: [ReadOut] { [.served] }

    /// Unit rows of next items, `[V, d]`.
    public var scoringItems: Matrix { parameters[ItemTable.name].normalisedRows().unit }

    /// The configured loss of the next item against the batch's negatives.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        configuration.loss.loss(
            of: users(batch.histories, on: tape),
            in: batch,
            geometry: .sphere,
            logitScale: configuration.logitScale,
            parameters: parameters
        )
    }

    /// The unit mean of the newest items' rows.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        UserVectors(rows: users(histories, on: Tape(recording: false)).value)
    }

    private func users(_ histories: RaggedRows, on tape: Tape) -> Variable {
        let baskets = RaggedRows((0..<histories.count).map { histories[$0].suffix(configuration.historyLength) })
        return tape.gather(Self.previousTable, from: parameters, rows: baskets.ids)
            .weightedSums(
                (0..<baskets.count).flatMap { row in
                    [Float](repeating: 1 / Float(baskets[row].count), count: baskets[row].count)
                },
                histories: baskets.positions,
                interests: 1
            )
            .normalisedRows()
    }
}
