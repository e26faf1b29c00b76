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
/// A user's items are all items of the training sequence, past and later. Draws are pure functions of the seed, the
/// step and the row, so splitting a batch over threads does not change them.
public struct NegativeSampler: Sendable {
    /// Number of items.
    public let items: Int
    private let generator: CounterBasedGenerator
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

    /// The distinct items of a user, ascending.
    public func items(of user: Int) -> ArraySlice<Int32> { interacted[offsets[user]..<offsets[user + 1]] }

    /// Draws items uniformly with replacement, shared by all rows of a step.
    public func sharedPool(step: Int, count: Int) -> [Int32] {
        generator.integers(below: items, stream: Self.stream(step: step, row: nil), count: count)
    }

    /// Draws for each row, uniformly with replacement, items that the row's user has not interacted with.
    ///
    /// - Parameters:
    ///   - step: The training step.
    ///   - rows: Training row numbers; they select the random streams.
    ///   - users: The rows' users.
    ///   - count: Negatives for each row.
    /// - Returns: `rows.count * count` items, row after row.
    /// - Throws: `NegativeSamplingError` when a user has interacted with every item.
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

    /// The masked columns of a shared pool for each row: those that hold an item of its user, or its target.
    ///
    /// - Parameters:
    ///   - pool: Items; an item may occur in several columns.
    ///   - users: The rows' users.
    ///   - targets: The rows' targets, masked even when they are not among the user's items.
    /// - Returns: The masked columns of each row, each once, in no particular order.
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

    /// The masked columns of the full catalogue for each row; column `i` is item `i`.
    ///
    /// As with a pool, the target is masked too: the positive has its own logit.
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

    /// The stream of a row, or of the pool when `row` is nil; every step has its own streams.
    private static func stream(step: Int, row: Int?) -> UInt64 {
        let row = row ?? Int(UInt32.max)
        precondition(step >= 0 && step < 1 << 32 && row >= 0 && row < 1 << 32, "step \(step), row \(row)")
        return UInt64(step) << 32 | UInt64(row)
    }
}
