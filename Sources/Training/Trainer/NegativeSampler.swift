import Foundation
public import Kernels

/// Why negatives cannot be drawn.
public enum NegativeSamplingError: Error, Equatable, CustomStringConvertible {
    /// A user has interacted with every item of the catalogue.
    case noItemLeft(user: Int, items: Int)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .noItemLeft(let user, let items):
            "User \(user) has interacted with all \(items) items, so no negative is left; "
                + "use a shared pool or the full catalogue as negatives, or drop the user."
        }
    }
}

/// Draws negatives for training rows, and masks the items of a shared pool that are positives of a row.
///
/// A user's items are all items of the training sequence, past and later. Draws are pure functions of the seed and
/// of the step or the row's stream, so splitting a batch over threads does not change them.
public struct NegativeSampler: Sendable {
    /// Number of items.
    public let items: Int
    /// How often each item occurs in the training sequences.
    private let frequencies: [Int32]
    private var generator: CounterBasedGenerator
    /// Each user's distinct items, ascending: those of user `u` are `interacted[offsets[u]..<offsets[u + 1]]`.
    private let interacted: [Int32]
    private let offsets: [Int]

    /// A sampler over the users of the training part.
    ///
    /// - Precondition: Items of the sequences are in `0..<items`.
    public init(sequences: RaggedRows, items: Int, seed: UInt64) {
        precondition(
            sequences.ids.allSatisfy { $0 >= 0 && Int($0) < items },
            "a training sequence holds an item outside 0..<\(items)"
        )
        self.items = items
        var frequencies = [Int32](repeating: 0, count: items)
        for item in sequences.ids { frequencies[Int(item)] &+= 1 }
        self.frequencies = frequencies
        generator = CounterBasedGenerator(seed: seed, purpose: .negatives)
        var interacted: [Int32] = []
        var offsets = [0]
        for user in 0..<sequences.count {
            var last: Int32 = -1
            for item in sequences[user].sorted() where item != last {
                interacted.append(item)
                last = item
            }
            offsets.append(interacted.count)
        }
        self.interacted = interacted
        self.offsets = offsets
    }

    /// The same sampler with other draws.
    func reseeded(_ seed: UInt64) -> NegativeSampler {
        var copy = self
        copy.generator = CounterBasedGenerator(seed: seed, purpose: .negatives)
        return copy
    }

    /// The distinct items of a user, ascending.
    public func items(of user: Int) -> ArraySlice<Int32> { interacted[offsets[user]..<offsets[user + 1]] }

    /// Draws items uniformly with replacement that all rows of a step share.
    ///
    /// - Parameters:
    ///   - step: The training step.
    ///   - count: Draws.
    ///   - isCorrected: Whether each column has the correction `-log` of how often a pool is expected to hold its item,
    ///     which makes the softmax over the pool estimate the softmax over all other items (Bengio and Senécal, 2008).
    /// - Returns: `count` items.
    public func uniformPool(step: Int, count: Int, isCorrected: Bool = false) -> SharedPool {
        let stream = UInt64(step) << 32 | UInt64(UInt32.max)
        let pool = generator.integers(below: items, stream: stream, count: count)
        let correction = Float(-log(Double(count) / Double(max(1, items - 1))))
        return SharedPool(
            items: pool,
            corrections: isCorrected ? [Float](repeating: correction, count: count) : nil
        )
    }

    /// Pools of frequent and other items.
    func stratifiedPool(count: Int) -> StratifiedPool {
        StratifiedPool(frequencies: frequencies, count: min(count, items), generator: generator)
    }

    /// Draws for each row, uniformly with replacement, items that the row's user has not interacted with.
    ///
    /// - Parameters:
    ///   - streams: The rows' random streams.
    ///   - users: The rows' users.
    ///   - count: Negatives for each row.
    /// - Returns: `streams.count * count` items, row after row.
    /// - Throws: `NegativeSamplingError` when a user has interacted with every item.
    /// - Complexity: O(log s) a draw for a user with s items; no draw is rejected.
    public func privateNegatives(
        streams: [UInt64],
        users: [Int],
        count: Int
    ) throws(NegativeSamplingError) -> [Int32] {
        precondition(streams.count == users.count, "\(streams.count) streams of \(users.count) users")
        var negatives: [Int32] = []
        negatives.reserveCapacity(streams.count * count)
        for (stream, user) in zip(streams, users) {
            let (start, end) = (offsets[user], offsets[user + 1])
            let free = items - (end - start)
            guard free > 0 else { throw .noItemLeft(user: user, items: items) }
            for place in generator.integers(below: free, stream: stream, count: count) {
                negatives.append(absentItem(place, start, end))
            }
        }
        return negatives
    }

    /// The masked columns of a shared pool for each row: those that hold an item of its user, or its target.
    ///
    /// - Parameters:
    ///   - pool: A pool; an item may occur in several columns.
    ///   - users: The rows' users.
    ///   - targets: The rows' targets, masked even when they are not among the user's items.
    ///   - userItems: Whether the other items of the user are masked too.
    /// - Returns: The masked columns of each row, each once, in no particular order.
    /// - Complexity: O((rows + the users' items) log pool + columns found).
    public func maskedColumns(_ pool: SharedPool, _ users: [Int], _ targets: [Int32], userItems: Bool = true)
        -> RaggedRows
    {
        precondition(users.count == targets.count, "\(users.count) users with \(targets.count) targets")
        var masked = RaggedRows()
        var columns: [Int32] = []
        var last: (user: Int, columns: [Int32]) = (-1, [])
        for (user, target) in zip(users, targets) {
            // Rows of one window have one user.
            if userItems, last.user != user {
                last = (user, [])
                for place in offsets[user]..<offsets[user + 1] {
                    pool.appendColumns(of: interacted[place], to: &last.columns)
                }
            }
            columns.removeAll(keepingCapacity: true)
            columns += last.columns
            if !userItems || !hasInteracted(user, target) { pool.appendColumns(of: target, to: &columns) }
            masked.append(columns)
        }
        return masked
    }

    /// The masked columns of the full catalogue for each row; column `i` is item `i`.
    ///
    /// As with a pool, the target is masked too: the positive has its own logit.
    public func maskedColumns(_ users: [Int], _ targets: [Int32], userItems: Bool = true) -> RaggedRows {
        precondition(users.count == targets.count, "\(users.count) users with \(targets.count) targets")
        guard userItems else { return RaggedRows(targets.map { [$0] }) }
        var masked = RaggedRows()
        for (user, target) in zip(users, targets) {
            masked.append(hasInteracted(user, target) ? items(of: user) : items(of: user) + [target])
        }
        return masked
    }

    private func hasInteracted(_ user: Int, _ item: Int32) -> Bool {
        var (low, high) = (offsets[user], offsets[user + 1])
        let end = high
        while low < high {
            let middle = (low + high) / 2
            if interacted[middle] < item { low = middle + 1 } else { high = middle }
        }
        return low < end && interacted[low] == item
    }

    /// The item at a position among the items that are missing from a range of ascending items.
    ///
    /// There are `ids[i] - i` missing items before the range's entry `i`; the result is `place` plus the entries
    /// before it.
    private func absentItem(_ place: Int32, _ start: Int, _ end: Int) -> Int32 {
        var (low, high) = (start, end)
        while low < high {
            let middle = (low + high) / 2
            if interacted[middle] - Int32(middle - start) <= place { low = middle + 1 } else { high = middle }
        }
        return place + Int32(low - start)
    }
}

/// A pool of negatives that all rows of a step share.
public struct SharedPool: Sendable {
    /// The items by column; an item may occur more than once.
    public let items: [Int32]
    /// Added to the logits of the columns; nil for none.
    public let corrections: [Float]?
    /// The columns in the order of their items.
    private let order: [Int32]

    /// Columns of some items.
    public init(items: [Int32], corrections: [Float]? = nil) {
        self.items = items
        self.corrections = corrections
        order = (0..<Int32(items.count)).sorted { (items[Int($0)], $0) < (items[Int($1)], $1) }
    }

    /// Appends the columns that hold an item, in ascending order.
    func appendColumns(of item: Int32, to columns: inout [Int32]) {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if items[Int(order[middle])] < item { low = middle + 1 } else { high = middle }
        }
        while low < order.count, items[Int(order[low])] == item {
            columns.append(order[low])
            low += 1
        }
    }
}
