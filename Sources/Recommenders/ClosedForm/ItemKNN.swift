public import Autodiff
public import Kernels

/// Item-to-item nearest neighbours (Sarwar et al., WWW 2001): items that the same users have.
///
/// `sim(i, j) = users with both / sqrt((users with i + s) (users with j + s))`; an item's score is the sum of its
/// similarities to the history's items, each weighted by `decay` to the power of its age.
public struct ItemKNN: ScoringRecommender {
    /// Settings.
    public struct Configuration: ModelConfiguration {
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// How many neighbours of each item are kept.
        public var neighbours = 100
        /// A number added to both user counts (s); it lowers the similarity of rare items.
        public var shrinkage = 20.0
        /// The factor on an item's weight for each newer item: 1 ignores the order, 0 uses only the newest item.
        public var decay = 0.8

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(1...10_000, contains: neighbours, key: prefix + "neighbours")
            try ConfigurationError.require(0...1e6, contains: shrinkage, key: prefix + "shrinkage")
            try ConfigurationError.require(0...1, contains: decay, key: prefix + "decay")
        }
    }

    /// `item-knn`.
    public static let system = "item-knn"
    private static let neighbours = "neighbours"
    private static let similarities = "neighbours.similarities"
    /// Settings.
    public let configuration: Configuration
    /// Neighbours, their similarities, and the shares of events.
    public let parameters: ParameterSet
    private let table: NeighbourTable

    /// Counts the users of each pair of items.
    ///
    /// - Complexity: O(sum over users of the square of their distinct items); memory O(items * neighbours + events).
    public init(_ configuration: Configuration, fitting sequences: RaggedRows, items: Int) {
        let users = Incidence(sequences, items: items)
        var both = [Int32](repeating: 0, count: items)
        let table = NeighbourTable(items: items, keeping: configuration.neighbours) { item in
            users.countShared(with: item, into: &both)
            both[item] = 0
            let own = Double(users.having[item].count) + configuration.shrinkage
            return both.indices.map { other in
                guard both[other] > 0 else { return 0 }
                let others = Double(users.having[other].count) + configuration.shrinkage
                return Float(Double(both[other]) / (own * others).squareRoot())
            }
        }
        self.init(
            configuration,
            table,
            ParameterSet([
                Self.neighbours: table.items, Self.similarities: table.weights,
                Popularity.shares: Popularity.shares(sequences, items: items),
            ])
        )
    }

    /// A model over stored neighbours.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        let parameters = ParameterSet(matrices)
        let table = try NeighbourTable(
            items: Self.neighbours,
            weights: Self.similarities,
            in: parameters.matrices,
            count: Self.items(in: parameters)
        )
        self.init(configuration, table, parameters)
    }

    private init(_ configuration: Configuration, _ table: NeighbourTable, _ parameters: ParameterSet) {
        (self.configuration, self.table, self.parameters) = (configuration, table, parameters)
    }

    package func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    ) {
        var factor: Float = 1
        for item in history.reversed() {
            table.add(item, times: factor, to: &scores, from: start)
            factor *= Float(configuration.decay)
        }
    }
}
