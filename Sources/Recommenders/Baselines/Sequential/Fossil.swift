public import Autodiff
import Foundation
import Kernels

/// Fossil without its users (He and McAuley, ICDM 2016; method, section 11): item similarity and a Markov chain of
/// the newest items.
///
/// The score of an item is `b_i + <|S|^-a sum_{j in S} P_j + sum_k eta_k P_{s_k}, Q_i>`. `S` is the history with its
/// repeats, and `s_k` is its `k`-th newest item. The published per-user part of `eta` is left out, because histories
/// come from users that training did not see. An item of the history stays in its own sum. Item rows are not
/// normalised; the last column of the item table is the bias.
public struct Fossil: RankingRecommender {
    /// Hyper-parameters.
    public struct Configuration: VectorConfiguration, RankingConfiguration {
        /// Length of item rows without their bias.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// How many of the newest items have a weight of their own (L).
        public var order = 3
        /// How much a long history's sum is shrunk (a): 0 for a sum, 1 for a mean.
        public var exponent = 0.2
        /// The training loss.
        public var loss = RankingLoss.softmax

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateLengths(prefix: prefix)
            try ConfigurationError.require(1...100, contains: order, key: prefix + "order")
            try ConfigurationError.require(0...1, contains: exponent, key: prefix + "exponent")
        }
    }

    private enum Name {
        static let previous = "items.previous"
        static let order = "order"
    }

    /// `fossil`.
    public static let system = "fossil"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
    }

    /// Rows of length about 1, biases 0, weights of the newest items 1.
    public func layout(items: Int) -> ParameterLayout {
        let d = configuration.dimension
        return [
            ItemTable.name: .unitBiasedItems(items, dimension: d),
            Name.previous: .unitRows(items, dimension: d),
            Name.order: .constant(1, rows: configuration.order, columns: 1),
        ]
    }

    var geometry: Geometry { .euclidean }

    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable {
        let rows = tape.gather(Name.previous, from: parameters, rows: histories.ids)
        let lengths = (0..<histories.count).map { histories[$0].count }
        var user = rows.weightedSums(
            lengths.flatMap { [Float](repeating: Float(pow(Double($0), -configuration.exponent)), count: $0) },
            histories: histories.positions,
            interests: 1
        )
        let order = tape.parameter(Name.order, from: parameters)
        for age in 0..<configuration.order {
            let newest = lengths.indices.map { max(histories.offsets[$0], histories.offsets[$0 + 1] - 1 - age) }
            user = user.adding(
                rows.gatheringRows(newest.map { Int32($0) })
                    .scalingRows(by: lengths.map { $0 > age ? 1 : 0 })
                    .scaled(by: order.gatheringRows([Int32(age)]))
            )
        }
        return user.appendingOne()
    }
}
