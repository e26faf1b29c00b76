public import Kernels

/// Why negatives cannot be drawn.
public enum NegativeSamplingError: Error, Equatable, CustomStringConvertible {
    /// A user has interacted with every item of the catalogue.
    case noItemLeft(user: Int, items: Int)

    /// A sentence for the operator.
    public var description: String {
        switch self {
        case .noItemLeft(let user, let items):
            "User \(user) has interacted with all \(items) items, so no negative is left; "
                + "use a shared pool or the full catalogue as negatives, or drop the user."
        }
    }
}

/// Draws the items that a training row is told apart from, and says which of a shared pool a row must not see.
///
/// A user's items are those of the whole training sequence, past and later. Draws are pure functions of the seed, the
/// step and the row, so that splitting a batch over threads changes nothing.
public struct NegativeSampler: Sendable {
    /// Number of items.
    public let items: Int
    private let generator: CounterBasedGenerator
    /// Each user's items once, ascending: those of user `u` are `interacted[offsets[u]..<offsets[u + 1]]`.
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

    /// The different items of a user, ascending.
    public func items(of user: Int) -> ArraySlice<Int32> { interacted[offsets[user]..<offsets[user + 1]] }

    /// Items drawn uniformly with replacement, shared by all rows of a step.
    public func sharedPool(step: Int, count: Int) -> [Int32] {
        generator.integers(below: items, stream: Self.stream(step: step, row: nil), count: count)
    }

    /// Items drawn uniformly with replacement among those that a row's user has not interacted with.
    ///
    /// - Parameters:
    ///   - step: The training step.
    ///   - rows: Training row numbers, which choose the random streams.
    ///   - users: The rows' users.
    ///   - count: Negatives a row.
    /// - Returns: `rows.count * count` items, row after row.
    /// - Throws: `NegativeSamplingError` when a user leaves no item.
    /// - Complexity: O(log s) a draw for a user with s items; no draw is rejected.
    public func privateNegatives(
        step: Int,
        rows: [Int],
        users: [Int],
        count: Int
    ) throws(NegativeSamplingError) -> [Int32] {
        precondition(rows.count == users.count, "\(rows.count) rows of \(users.count) users")
        var negatives: [Int32] = []
        negatives.reserveCapacity(rows.count * count)
        for (row, user) in zip(rows, users) {
            let (start, end) = (offsets[user], offsets[user + 1])
            let free = items - (end - start)
            guard free > 0 else { throw .noItemLeft(user: user, items: items) }
            for place in generator.integers(below: free, stream: Self.stream(step: step, row: row), count: count) {
                negatives.append(absentItem(place, start, end))
            }
        }
        return negatives
    }

    /// Columns of a shared pool that each row must not see: those that hold an item of its user, or its target.
    ///
    /// - Parameters:
    ///   - pool: Items; one may stand in several columns.
    ///   - users: The rows' users.
    ///   - targets: The rows' targets, masked even when they are not among the user's items.
    /// - Returns: Each row's columns of `pool`, once each, in no particular order.
    /// - Complexity: O(items + pool + the users' items + columns found).
    public func maskedColumns(pool: [Int32], users: [Int], targets: [Int32]) -> RaggedRows {
        precondition(users.count == targets.count, "\(users.count) users with \(targets.count) targets")
        var firstColumn = [Int32](repeating: -1, count: items)
        var nextColumn = [Int32](repeating: -1, count: pool.count)
        for column in pool.indices.reversed() {
            nextColumn[column] = firstColumn[Int(pool[column])]
            firstColumn[Int(pool[column])] = Int32(column)
        }
        var masked = RaggedRows()
        var columns: [Int32] = []
        func appendColumns(of item: Int32) {
            var column = firstColumn[Int(item)]
            while column >= 0 {
                columns.append(column)
                column = nextColumn[Int(column)]
            }
        }
        for (user, target) in zip(users, targets) {
            columns.removeAll(keepingCapacity: true)
            for place in offsets[user]..<offsets[user + 1] {
                appendColumns(of: interacted[place])
            }
            if !hasInteracted(user, target) { appendColumns(of: target) }
            masked.append(columns)
        }
        return masked
    }

    /// Columns of the full catalogue, where column `i` is item `i`, that each row must not see.
    ///
    /// The target is among them, as in a pool: the positive has a logit of its own.
    public func maskedColumns(users: [Int], targets: [Int32]) -> RaggedRows {
        precondition(users.count == targets.count, "\(users.count) users with \(targets.count) targets")
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

    /// The item at a place among those missing from a stretch of ascending items.
    ///
    /// Before the stretch's entry `i` come `ids[i] - i` missing ones; the answer is `place` plus the entries before it.
    private func absentItem(_ place: Int32, _ start: Int, _ end: Int) -> Int32 {
        var (low, high) = (start, end)
        while low < high {
            let middle = (low + high) / 2
            if interacted[middle] - Int32(middle - start) <= place { low = middle + 1 } else { high = middle }
        }
        return place + Int32(low - start)
    }

    /// Every step has a stream for each row and one more for the pool.
    private static func stream(step: Int, row: Int?) -> UInt64 {
        let row = row ?? Int(UInt32.max)
        precondition(step >= 0 && step < 1 << 32 && row >= 0 && row < 1 << 32, "step \(step), row \(row)")
        return UInt64(step) << 32 | UInt64(row)
    }
}
