import Kernels
import Recommenders
import VectorIndex

/// Adds count scores to what an index finds; the reusable buffers of one thread.
///
/// An item that the history is not linked to keeps its score, so the best of these are among those that the index finds.
/// Every linked item is scored here, unless it cannot be among the best. So the answer is exact where the index is.
struct CountedAnswers {
    private var linked = LinkedItems()
    /// The count score of each linked item; minus infinity for one that may not be answered.
    private var added: [Float] = []
    /// The factor of each linked item's own score.
    private var slopes: [Float] = []
    private var rows: [Int32] = []
    private var scores: [Float] = []
    private var largest: [Float] = []
    private var best = TopK(k: 0)
    /// The best items, best first.
    private(set) var results: [Scored] = []
    /// Whether no item that the index left out can be among the best.
    ///
    /// The score of such an item is at most that of the last item that the index found.
    private(set) var isFinal = false

    /// Computes the count scores of a history.
    ///
    /// - Parameters:
    ///   - history: Built items, oldest first.
    ///   - counts: The counts, in units of the index's scores.
    ///   - eligible: The items that may be answered.
    ///   - live: The changed items; nil when there are none.
    /// - Returns: How many items that may be answered can lose by their counts. With that many more items than are
    ///   wanted, the index has found enough in any case.
    mutating func collect(
        _ history: ArraySlice<Int32>,
        _ counts: CountScores,
        among eligible: borrowing Eligibility,
        _ live: LiveIndex?
    ) -> Int {
        linked.collect(history, counts)
        added.removeAll(keepingCapacity: true)
        slopes.removeAll(keepingCapacity: true)
        for (place, item) in linked.items.enumerated() {
            let isEligible = eligible.allowed?.contains(item) != false && live?.contains(item) != false
            let terms = linked.terms(at: place)
            added.append(isEligible ? counts.score(terms) : -.infinity)
            slopes.append(counts.slope(terms))
        }
        for item in eligible.excluded {
            if let place = linked.place(ifLinked: item) { added[place] = -.infinity }
        }
        return added.indices.count { added[$0].isFinite && (added[$0] < 0 || slopes[$0] != 1) }
    }

    /// Leaves the best `k` items in ``results``.
    ///
    /// - Parameters:
    ///   - found: The index's answer, best first.
    ///   - k: How many items are wanted.
    ///   - vectors: All user vectors of the batch, of `dimension` elements each.
    ///   - users: Which of them are the user's; an item's score is the largest over them.
    ///   - snapshot: The item vectors.
    /// - Returns: How many linked items were compared with the user's vectors.
    /// - Complexity: O(linked items that can be among the best * d).
    mutating func merge(
        _ found: [Scored],
        k: Int,
        vectors: [Float],
        users: Range<Int>,
        in snapshot: ServingSnapshot
    ) -> Int {
        best.reset(k: k)
        for entry in found where linked.place(ifLinked: entry.id) == nil { best.offer(entry) }
        let highest = found.first?.score ?? .infinity
        rows.removeAll(keepingCapacity: true)
        for (place, item) in linked.items.enumerated()
        where added[place].isFinite
            && (slopes[place] < 0 || slopes[place] * highest + added[place] >= best.threshold)
        { rows.append(item) }
        score(vectors, users, snapshot)
        for (row, item) in rows.enumerated() {
            guard let place = linked.place(ifLinked: item) else { continue }
            best.offer(Scored(id: item, score: slopes[place] * largest[row] + added[place]))
        }
        best.drainSorted(into: &results)
        isFinal = results.count == k && found.last.map { last in results.last.map { !(last < $0) } ?? true } ?? true
        return rows.count
    }

    /// The largest inner product of each row with the user's vectors.
    private mutating func score(_ vectors: [Float], _ users: Range<Int>, _ snapshot: ServingSnapshot) {
        let d = snapshot.itemVectors.columns
        if largest.count < rows.count { largest = [Float](repeating: 0, count: rows.count) }
        if scores.count < rows.count { scores = [Float](repeating: 0, count: rows.count) }
        for user in users {
            let query = vectors.span.extracting(user * d..<(user + 1) * d)
            snapshot.itemVectors.scores(of: query, atRows: rows, into: &scores)
            if let live = snapshot.live?.index, live.changed > 0 {
                for (row, item) in rows.enumerated() {
                    guard let changed = live.changedVector(of: item) else { continue }
                    scores[row] = (0..<d).reduce(0) { $0 + query[$1] * changed[$1] }
                }
            }
            for row in rows.indices {
                largest[row] = user == users.lowerBound ? scores[row] : max(largest[row], scores[row])
            }
        }
    }
}
