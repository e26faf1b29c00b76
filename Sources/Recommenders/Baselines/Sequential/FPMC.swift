public import Autodiff
import Kernels

/// FPMC without its users (Rendle et al., WWW 2010; method, section 11): a factorised Markov chain of items.
///
/// The score of a next item is `<X_i, mean_l Y_l>` over the newest items `l`. The published term `<VU_u, VI_i>` of a
/// user and an item is left out, because histories come from users that training did not see. Items and users are on
/// the unit sphere.
public struct FPMC: RankingRecommender {
    /// Hyper-parameters.
    public struct Configuration: VectorConfiguration, RankingConfiguration {
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
            try validateLengths(prefix: prefix)
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
            layout[name] = .unitRows(items, dimension: d)
        }
        return layout
    }

    var geometry: Geometry { .sphere }

    var logitScale: Double { configuration.logitScale }

    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable {
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
