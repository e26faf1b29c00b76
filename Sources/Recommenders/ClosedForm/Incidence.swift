import Kernels

/// The distinct items of each sequence, and the sequences that have each item.
struct Incidence {
    /// Item numbers, ascending, by sequence.
    private(set) var items = RaggedRows()
    /// Sequences, ascending, by item.
    let having: RaggedRows

    init(_ sequences: RaggedRows, items count: Int) {
        var having = [[Int32]](repeating: [], count: count)
        for row in 0..<sequences.count {
            let distinct = Set(sequences[row]).sorted()
            for item in distinct { having[Int(item)].append(Int32(row)) }
            items.append(distinct)
        }
        self.having = RaggedRows(having)
    }

    /// Counts the sequences that have both an item and each other item; the item itself counts all its sequences.
    func countShared(with item: Int, into counts: inout [Int32]) {
        for other in counts.indices { counts[other] = 0 }
        for row in having[item] {
            for other in items[Int(row)] { counts[Int(other)] += 1 }
        }
    }
}
