public import Autodiff
public import Kernels

/// Ranks items by how often they directly followed the newest item in the training part, then by popularity: a
/// first-order Markov chain by counts.
public struct Transitions: ScoringRecommender {
    /// Settings.
    public struct Configuration: ModelConfiguration {
        /// How many items of a history are used: only the newest.
        public var historyLength = 1
        /// How many of the most frequent followers of each item are kept.
        public var neighbours = 500

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(1...1, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(1...10_000, contains: neighbours, key: prefix + "neighbours")
        }
    }

    /// `transitions`.
    public static let system = "transitions"
    private static let followers = "followers"
    private static let counts = "followers.counts"
    /// Settings.
    public let configuration: Configuration
    /// Followers, their counts, and the shares of events.
    public let parameters: ParameterSet
    private let table: NeighbourTable

    /// Counts pairs of neighbouring items.
    ///
    /// - Complexity: O(events + items * distinct followers).
    public init(_ configuration: Configuration, fitting sequences: RaggedRows, items: Int) {
        var following = [[Int32: Int]](repeating: [:], count: items)
        for row in 0..<sequences.count {
            let sequence = sequences[row]
            for (item, next) in zip(sequence, sequence.dropFirst()) { following[Int(item)][next, default: 0] += 1 }
        }
        var dense = [Float](repeating: 0, count: items)
        let table = NeighbourTable(items: items, keeping: configuration.neighbours) { item in
            for (next, count) in following[item] { dense[Int(next)] = Float(count) }
            defer { for next in following[item].keys { dense[Int(next)] = 0 } }
            return dense
        }
        self.init(
            configuration,
            table,
            ParameterSet([
                Self.followers: table.items, Self.counts: table.weights,
                Popularity.shares: Popularity.shares(sequences, items: items),
            ])
        )
    }

    /// A model over stored counts.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        let parameters = ParameterSet(matrices)
        let table = try NeighbourTable(
            items: Self.followers,
            weights: Self.counts,
            in: parameters.matrices,
            count: Self.items(in: parameters)
        )
        self.init(configuration, table, parameters)
    }

    private init(_ configuration: Configuration, _ table: NeighbourTable, _ parameters: ParameterSet) {
        (self.configuration, self.table, self.parameters) = (configuration, table, parameters)
    }

    // Counts differ by at least 1 and shares by less, so popularity only breaks ties.
    package var popularityWeight: Float { 1 }

    package func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    ) {
        if let newest = history.last { table.add(newest, times: 1, to: &scores, from: start) }
    }
}
