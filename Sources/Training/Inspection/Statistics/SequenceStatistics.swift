public import Kernels

/// How many events users have.
public struct LengthStatistics: Sendable, Equatable, Encodable {
    /// Events of a user.
    public let events: Quantiles
    /// Users with a single event: they have no next item to predict.
    public let singleEventUsers: Int
    /// Users by their number of events, in ranges that double: 1, 2, 3-4, 5-8 and so on.
    public let histogram: [HistogramBin]

    /// Counts the lengths of users' sequences; nil without users.
    ///
    /// - Complexity: O(u log u) in users.
    public init?(_ lengths: [Int]) {
        guard let events = Quantiles(lengths.map(Double.init)) else { return nil }
        self.events = events
        singleEventUsers = lengths.count { $0 == 1 }
        var bins: [HistogramBin] = []
        var (low, high) = (1, 1)
        while Double(low) <= events.most {
            let range = low == high ? "\(low)" : "\(low)-\(high)"
            bins.append(HistogramBin(range: range, count: lengths.count { low...high ~= $0 }))
            (low, high) = (high + 1, high * 2)
        }
        histogram = bins
    }
}

/// How often users come back to an item.
public struct RepeatStatistics: Sendable, Equatable, Encodable {
    /// Events after the first of their user: each can be the target of a prediction.
    public let targets: Int
    /// Targets whose item the same user had before.
    public let repeats: Int
    /// Targets whose item is also the user's previous item.
    public let repeatsOfLast: Int

    /// The share of targets that repeat an item of the same user.
    public let repeatShare: Double
    /// The share of targets that repeat the user's previous item.
    public let repeatOfLastShare: Double

    /// Counts the repeats in users' sequences of item numbers, oldest first.
    ///
    /// - Complexity: O(n) in events.
    public init(_ sequences: RaggedRows) {
        var (targets, repeats, repeatsOfLast) = (0, 0, 0)
        for user in 0..<sequences.count {
            var seen: Set<Int32> = []
            var last: Int32?
            for item in sequences[user] {
                let isNew = seen.insert(item).inserted
                if let last {
                    targets += 1
                    if !isNew { repeats += 1 }
                    if item == last { repeatsOfLast += 1 }
                }
                last = item
            }
        }
        (self.targets, self.repeats, self.repeatsOfLast) = (targets, repeats, repeatsOfLast)
        repeatShare = Double(share: repeats, of: targets)
        repeatOfLastShare = Double(share: repeatsOfLast, of: targets)
    }
}
