import CKernels

/// A short list of scored ids in reused storage, sorted by counting: best first, ties by the lower id.
///
/// Use it for some hundreds of entries: sorting compares every pair, many at a time. Measured: 1.5 us for 150 entries.
public struct ScoreList: Sendable {
    /// The number of entries.
    public private(set) var count = 0
    private var scores: [Float] = []
    private var ids: [Int32] = []
    private var sortedScores: [Float] = []
    private var sortedIDs: [Int32] = []
    /// Used when there are too many entries for counting.
    private var heap = TopK(k: 0)

    /// An empty list.
    public init() {}

    /// The entry at a position of the sorted list.
    public subscript(position: Int) -> Scored {
        precondition(position < count, "entry \(position) of \(count)")
        return Scored(id: sortedIDs[position], score: sortedScores[position])
    }

    /// Removes all entries.
    public mutating func removeAll() { count = 0 }

    /// Replaces the list by the values in a range, among the first `count` values, sorted; ids are positions.
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

    /// Finds the best `k` of the first `count` scores, with the ids at the same positions.
    ///
    /// - Parameters:
    ///   - k: The number of entries to find.
    ///   - scores: The scores, reordered by the call; NaN ranks with minus infinity.
    ///   - ids: The ids, all different, reordered like the scores.
    ///   - count: The number of entries to read.
    ///   - out: Receives the best, sorted; nothing is allocated if it has room.
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

    /// The largest number of entries that is sorted by counting.
    private static let countingLimit = 1024

    private mutating func makeRoom(for count: Int) {
        guard scores.count < count else { return }
        scores = [Float](repeating: 0, count: count)
        ids = [Int32](repeating: 0, count: count)
        sortedScores = scores
        sortedIDs = ids
    }
}
