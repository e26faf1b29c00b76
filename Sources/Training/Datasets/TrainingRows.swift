public import Kernels

/// The rows that a model learns from: every prefix of at least one item predicts the next item.
///
/// Rows are numbered user by user, cut by cut. Only one number a user is stored.
public struct TrainingRows: Sendable {
    /// Position of a row: `sequences[user][cut]` is its target, the items before it are its history.
    public struct Position: Sendable, Equatable {
        /// The row of `sequences`.
        public var user: Int
        /// How many items of the sequence are history; at least 1.
        public var cut: Int

        /// Names a place in the sequences.
        public init(user: Int, cut: Int) {
            self.user = user
            self.cut = cut
        }
    }

    /// The training sequences, oldest item first.
    public let sequences: RaggedRows
    /// The first row of each user, and the number of all rows.
    private let firstRows: [Int]

    /// The rows of some sequences, such as a split's training part.
    ///
    /// - Precondition: No item is unknown (negative).
    public init(_ sequences: RaggedRows) {
        precondition(sequences.ids.allSatisfy { $0 >= 0 }, "training sequences hold unknown items")
        self.sequences = sequences
        var firstRows = [0]
        firstRows.reserveCapacity(sequences.count + 1)
        for user in 0..<sequences.count {
            let length = sequences.offsets[user + 1] - sequences.offsets[user]
            firstRows.append(firstRows[user] + max(0, length - 1))
        }
        self.firstRows = firstRows
    }

    /// How many rows there are.
    public var count: Int { firstRows[firstRows.count - 1] }

    /// The position of a row.
    ///
    /// - Complexity: O(log users).
    public func position(of row: Int) -> Position {
        precondition(row >= 0 && row < count, "row \(row) is outside 0..<\(count)")
        var (low, high) = (0, sequences.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if firstRows[middle] <= row { low = middle } else { high = middle }
        }
        return Position(user: low, cut: row - firstRows[low] + 1)
    }

    /// The last `limit` items before a row's target, oldest first.
    public func history(at position: Position, limit: Int) -> ArraySlice<Int32> {
        sequences[position.user].prefix(position.cut).suffix(limit)
    }

    /// The item that a row predicts.
    public func target(at position: Position) -> Int32 {
        sequences.ids[sequences.offsets[position.user] + position.cut]
    }

    /// The rows of one training step, a pure function of step, size and seed.
    ///
    /// Each epoch is a random order of all rows. A batch that reaches the end of an epoch continues with the next, so
    /// all batches have the same size and training can resume from a step number alone.
    ///
    /// - Precondition: There is at least one row.
    public func batch(step: Int, size: Int, seed: UInt64) -> [Int] {
        precondition(count > 0, "no sequence has two items, so there is nothing to learn from")
        precondition(step >= 0 && size >= 0, "step \(step) of batches of \(size)")
        var rows: [Int] = []
        rows.reserveCapacity(size)
        var place = step * size
        let end = place + size
        while place < end {
            let epoch = place / count
            let order = RandomPermutation(count: count, seed: seed, epoch: epoch)
            let stop = min(end, (epoch + 1) * count)
            while place < stop {
                rows.append(order[place - epoch * count])
                place += 1
            }
        }
        return rows
    }
}
