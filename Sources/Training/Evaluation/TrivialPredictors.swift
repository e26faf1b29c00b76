public import Kernels

/// A ranking that needs no model: the baseline for every result.
public protocol TrivialPredictor: Sendable {
    /// How many items rank before `target` for a user whose last known item is `last`; nil when it is not ranked.
    func rank(of target: Int32, after last: Int32?) -> Int?
}

extension TrivialPredictor {
    /// Evaluates the predictor.
    ///
    /// - Parameters:
    ///   - rows: The rows to rank.
    ///   - filterHistory: Whether to remove the items of a row's whole history from its ranking.
    /// - Returns: Metrics over all rows; rows with an unknown target are misses.
    public func metrics(on rows: EvaluationRows, filterHistory: Bool = false) -> RankingMetrics {
        var metrics = RankingMetrics()
        for row in 0..<rows.count {
            let history = rows.history(of: row, limit: filterHistory ? .max : 1)
            let target = rows.target(of: row)
            var rank = target.flatMap { self.rank(of: $0, after: history.last) }
            if filterHistory, let unfiltered = rank, let target {
                let struck = Set(history)
                let before = struck.count { (self.rank(of: $0, after: history.last) ?? .max) < unfiltered }
                rank = struck.contains(target) ? nil : unfiltered - before
            }
            metrics.add(rank: rank)
        }
        return metrics
    }
}

/// Ranks items by how often they occur in the training part; on equal counts the lower number comes first.
public struct PopularityPredictor: TrivialPredictor, Equatable {
    /// Items, most popular first; those that never occur come last.
    public let order: [Int32]
    /// The position of each item in `order`; -1 for an item that is not in it.
    private let ranks: [Int32]

    /// Counts the events of the training part.
    ///
    /// - Precondition: Items of the sequences are in `0..<items`.
    public init(sequences: RaggedRows, items: Int) {
        var counts = [Int](repeating: 0, count: items)
        for item in sequences.ids { counts[Int(item)] += 1 }
        self.init(order: (0..<Int32(items)).sorted { (counts[Int($1)], $0) < (counts[Int($0)], $1) }, items: items)
    }

    /// A predictor with a known order, such as a checkpoint's popularity list; it may lack items.
    ///
    /// - Precondition: Items of the order are in `0..<items`.
    public init(order: [Int32], items: Int) {
        self.order = order
        var ranks = [Int32](repeating: -1, count: items)
        for (rank, item) in order.enumerated() { ranks[Int(item)] = Int32(rank) }
        self.ranks = ranks
    }

    /// The item's position in the order of popularity, independent of `last`; nil for an item that is not listed.
    public func rank(of target: Int32, after last: Int32?) -> Int? {
        let rank = Int(ranks[Int(target)])
        return rank < 0 ? nil : rank
    }
}

/// Ranks items by how often they directly followed the last one in the training part.
///
/// Ties, and items that never followed it, are ordered by popularity, then by number. Without a known last item the
/// ranking is popularity.
public struct TransitionPredictor: TrivialPredictor {
    /// The fallback and the tie-break.
    public let popularity: PopularityPredictor
    /// For each item, the items that followed it, most frequent first.
    private let followers: RaggedRows

    /// Counts neighbouring pairs of the training part.
    ///
    /// - Precondition: Items of the sequences are in `0..<items`.
    /// - Complexity: O(n log n) in events, 8 bytes an event while counting.
    public init(sequences: RaggedRows, items: Int) {
        let popularity = PopularityPredictor(sequences: sequences, items: items)
        let pairs = Self.sortedPairs(sequences)
        var followers = RaggedRows()
        var place = 0
        for item in 0..<UInt64(items) {
            var counted: [(count: Int, rank: Int, item: Int32)] = []
            while place < pairs.count, pairs[place] >> 32 == item {
                let pair = pairs[place]
                let start = place
                while place < pairs.count, pairs[place] == pair { place += 1 }
                let next = Int32(truncatingIfNeeded: pair)
                let rank = popularity.rank(of: next, after: nil) ?? items
                counted.append((count: place - start, rank: rank, item: next))
            }
            counted.sort { ($1.count, $0.rank) < ($0.count, $1.rank) }
            followers.append(counted.map(\.item))
        }
        self.popularity = popularity
        self.followers = followers
    }

    /// The item's position: first the followers of `last`, then the rest by popularity.
    ///
    /// - Complexity: O(followers of `last`).
    public func rank(of target: Int32, after last: Int32?) -> Int? {
        guard let last, let popular = popularity.rank(of: target, after: nil) else {
            return popularity.rank(of: target, after: nil)
        }
        var morePopular = 0
        for (rank, item) in followers[Int(last)].enumerated() {
            if item == target { return rank }
            if let other = popularity.rank(of: item, after: nil), other < popular { morePopular += 1 }
        }
        return followers[Int(last)].count + popular - morePopular
    }

    /// Neighbouring pairs as `first << 32 | second`, ascending.
    private static func sortedPairs(_ sequences: RaggedRows) -> [UInt64] {
        var pairs: [UInt64] = []
        for user in 0..<sequences.count {
            let sequence = sequences[user]
            for (item, next) in zip(sequence, sequence.dropFirst()) {
                pairs.append(UInt64(UInt32(bitPattern: item)) << 32 | UInt64(UInt32(bitPattern: next)))
            }
        }
        pairs.sort()
        return pairs
    }
}

/// Ranks only the last item.
public struct RepeatLastPredictor: TrivialPredictor {
    /// A predictor; it learns nothing.
    public init() {}

    /// 0 for the last item, nil for any other.
    public func rank(of target: Int32, after last: Int32?) -> Int? { target == last ? 0 : nil }
}

/// Ranks the items of the history by how often they occur there, then all others by popularity; ties by popularity.
public struct SessionPopularityPredictor: Sendable {
    /// How many of the newest items of a history count.
    static let window = 100
    /// Ranks the items outside of the history.
    public let popularity: PopularityPredictor

    /// A predictor over an order of popularity.
    public init(_ popularity: PopularityPredictor) { self.popularity = popularity }

    /// How many items rank before `target`; nil for an item that is neither in the history nor listed as popular.
    ///
    /// - Complexity: O(h log h) in the items of the history.
    public func rank(of target: Int32, after history: [Int32]) -> Int? {
        let place = { (item: Int32) in popularity.rank(of: item, after: nil) ?? .max }
        let (times, own) = (history.count { $0 == target }, place(target))
        guard times > 0 || own < .max else { return nil }
        var before = times > 0 ? 0 : own
        var rest = history.sorted()[...]
        while let item = rest.first {
            let run = rest.prefix { $0 == item }.count
            rest = rest.dropFirst(run)
            guard item != target else { continue }
            let isBefore = times > 0 ? (run, own) > (times, place(item)) : place(item) > own
            if isBefore { before += 1 }
        }
        return before
    }

    /// Evaluates the predictor, with the items of the history in the ranking.
    ///
    /// - Parameter rows: The rows to rank.
    /// - Returns: Metrics over all rows; rows with an unknown target are misses.
    public func metrics(on rows: EvaluationRows) -> RankingMetrics {
        var metrics = RankingMetrics()
        for row in 0..<rows.count {
            let history = rows.history(of: row, limit: Self.window)
            metrics.add(rank: rows.target(of: row).flatMap { rank(of: $0, after: history) })
        }
        return metrics
    }
}

/// The trivial predictors that the given data allow.
public struct TrivialPredictors: Sendable {
    /// Ranks by popularity; the fallback of the others.
    public let popularity: PopularityPredictor
    let transitions: TransitionPredictor?

    /// Predictors from a training part; popularity alone without one.
    ///
    /// - Parameters:
    ///   - train: Training sequences, known items only.
    ///   - items: Size of the catalogue.
    ///   - order: Items, most popular first; used when there are no sequences.
    public init(_ train: RaggedRows?, items: Int, popularity order: @autoclosure () -> [Int32]) {
        if let train {
            let transitions = TransitionPredictor(sequences: train, items: items)
            (popularity, self.transitions) = (transitions.popularity, transitions)
        } else {
            (popularity, transitions) = (PopularityPredictor(order: order(), items: items), nil)
        }
    }

    /// Metrics of each predictor on the rows.
    ///
    /// - Parameters:
    ///   - rows: The rows to rank.
    ///   - filterHistory: Whether to remove the items of a row's whole history from its ranking.
    /// - Returns: Names and metrics as fractions.
    public func metrics(
        on rows: EvaluationRows,
        filterHistory: Bool
    ) -> [(name: String, metrics: [String: Double])] {
        var result = [("popularity", popularity.metrics(on: rows, filterHistory: filterHistory).values)]
        if let transitions {
            result.append(("transitions", transitions.metrics(on: rows, filterHistory: filterHistory).values))
        }
        // Without the history it would be popularity again.
        if !filterHistory {
            result.append(("session-popularity", SessionPopularityPredictor(popularity).metrics(on: rows).values))
        }
        result.append(("repeat-last", RepeatLastPredictor().metrics(on: rows, filterHistory: filterHistory).values))
        return result
    }
}
