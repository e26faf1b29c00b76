import CKernels

/// A short list of scored numbers in reused storage, sorted by counting: best first, ties by the lower number.
///
/// Meant for some hundreds of entries: sorting compares every pair, many at a time. Measured: 1.5 us for 150 entries.
public struct ScoreList: Sendable {
    /// How many entries there are.
    public private(set) var count = 0
    private var scores: [Float] = []
    private var ids: [Int32] = []
    private var sortedScores: [Float] = []
    private var sortedIDs: [Int32] = []
    /// For more entries than counting suits.
    private var heap = TopK(k: 0)

    /// An empty list.
    public init() {}

    /// The entry at a position of the sorted list.
    public subscript(position: Int) -> Scored {
        precondition(position < count, "entry \(position) of \(count)")
        return Scored(id: sortedIDs[position], score: sortedScores[position])
    }

    /// Forgets all entries.
    public mutating func removeAll() { count = 0 }

    /// Takes over which of the first `count` values lie in a range, numbered by position; at most `limit`, sorted.
    ///
    /// - Returns: Whether there were at most `limit`; if not, the list is empty.
    public mutating func select(_ values: [Float], count: Int, in range: Range<Float>, limit: Int) -> Bool {
        precondition(count <= values.count, "\(count) of \(values.count) values")
        makeRoom(for: count + 1)
        let found = unsafe ck_select(values, count, range.lowerBound, range.upperBound, &scores, &ids)
        guard found <= limit else {
            self.count = 0
            return false
        }
        self.count = found
        unsafe ck_rank_sort(scores, ids, found, &sortedScores, &sortedIDs)
        return true
    }

    /// The best `k` of the first `count` scores, with the ids at the same positions.
    ///
    /// - Parameters:
    ///   - k: How many.
    ///   - scores: Is reordered; NaN ranks with minus infinity.
    ///   - ids: Reordered likewise; all differ.
    ///   - count: How many entries there are.
    ///   - out: Receives the best, sorted; allocates nothing when it has room.
    public mutating func best(
        _ k: Int,
        of scores: inout [Float],
        _ ids: inout [Int32],
        count: Int,
        into out: inout [Scored]
    ) {
        precondition(
            count <= scores.count && count <= ids.count && k >= 0,
            "the best \(k) of \(count) in \(scores.count) and \(ids.count)"
        )
        out.removeAll(keepingCapacity: true)
        guard count > 0, k > 0 else { return }
        makeRoom(for: min(count, Self.countingLimit))
        var left = count
        if count <= UInt16.max {
            let limit = Self.countingLimit
            let found = unsafe ck_best_sorted(&scores, &ids, &left, k, limit, &sortedScores, &sortedIDs)
            for position in 0..<found {
                out.append(Scored(id: sortedIDs[position], score: sortedScores[position]))
            }
            if found > 0 { return }
        }
        heap.reset(k: k)
        heap.offer(scores, count: left) { ids[$0] }
        heap.drainSorted(into: &out)
    }

    /// More entries than this are not sorted by counting.
    private static let countingLimit = 1024

    private mutating func makeRoom(for count: Int) {
        guard scores.count < count else { return }
        scores = [Float](repeating: 0, count: count)
        ids = [Int32](repeating: 0, count: count)
        sortedScores = scores
        sortedIDs = ids
    }
}
