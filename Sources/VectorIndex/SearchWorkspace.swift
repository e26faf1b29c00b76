public import Kernels

/// The reusable buffers of one thread's searches, and the results of its last one.
///
/// Works with any index, and grows to what the largest needs. Serves one search at a time.
public final class SearchWorkspace {
    /// What the last search found, best first.
    public internal(set) var results: [Scored] = []
    /// How many coded vectors the last search of a ``PartitionedIndex`` looked at; 0 when it was exact.
    public internal(set) var scanned = 0
    /// How many candidates it scored exactly; 0 when it scored every eligible item.
    public internal(set) var rescored = 0
    /// Whether a ``PartitionedIndex`` scored every eligible item because that costs less than its lists, or was asked for.
    public internal(set) var fellBack = false

    /// The best so far, exactly scored.
    var best = TopK(k: 0)
    /// Exact scores of a block of rows, or of `rows`.
    var scores: [Float] = []
    /// Rows to score that do not lie together.
    var rows: [Int32] = []
    /// The items that the search in progress leaves out; empty between searches.
    private(set) var excluded = ItemSet(bound: 0)

    /// Candidates by estimated score.
    let candidates = CandidateQueue()
    /// Partitions by falling bound.
    var order = PartitionOrder()
    /// The query's inner product with every partition's mean.
    var meanScores: [Float] = []
    /// What a partition's items are not expected to exceed.
    var bounds: [Float] = []
    /// The unit query, in the index's rotated coordinates after the search began.
    private var unit: [Float] = []
    private var rotated: [Float] = []
    /// The whole rotated query, and the elements of it that lists are coded in.
    private(set) var query = QuantisedQuery()
    private(set) var keptQuery = QuantisedQuery()
    /// Sorts out some hundreds of exact scores.
    var ranked = ScoreList()

    /// An empty workspace.
    public init() {}

    /// Runs a search with `excluded` holding what it must leave out.
    ///
    /// - Complexity: O(number of exclusions), and O(items) the first time; the set keeps room for more items, so that an
    ///   index and one that gained items share it.
    func withExclusions(_ exclusions: [Int32], items: Int, _ body: () -> Void) {
        if excluded.bound < items { excluded = ItemSet(bound: (items + 0xFFFF) / 0x10000 * 0x10000) }
        for item in exclusions { excluded.insert(item) }
        body()
        for item in exclusions { excluded.remove(item) }
    }

    /// Prepares a query for scans: scaled to length one, rotated, quantised.
    func setQuery(_ query: Span<Float>, rotation: DenseLayer, kept: Int, partitions: Int) {
        let (inputs, outputs) = (rotation.weights.rows, rotation.weights.columns)
        if unit.count != inputs { unit = [Float](repeating: 0, count: inputs) }
        if rotated.count != outputs { rotated = [Float](repeating: 0, count: outputs) }
        if meanScores.count < partitions {
            meanScores = [Float](repeating: 0, count: partitions)
            bounds = meanScores
        }
        setUnit(query)
        rotation.apply(to: unit, into: &rotated)
        self.query.set(rotated, count: outputs)
        keptQuery.set(rotated, count: kept)
    }

    /// Scales the query to length one; a zero query stays zero.
    private func setUnit(_ query: Span<Float>) {
        let squared = dot(query, query)
        guard !squared.isNormal else {
            let factor = 1 / squared.squareRoot()
            for element in query.indices { unit[element] = query[element] * factor }
            return
        }
        // The square of a Float of some 1e20 or 1e-20 leaves the range of Float; that of a Double does not.
        var exact = 0.0
        for element in query.indices { exact += Double(query[element]) * Double(query[element]) }
        let factor = exact > 0 ? 1 / exact.squareRoot() : 0
        for element in query.indices { unit[element] = Float(Double(query[element]) * factor) }
    }

    /// Scores the collected candidates exactly and leaves the best `k` in `results`.
    func rescore(_ vectors: Matrix, _ query: Span<Float>, k: Int) {
        candidates.drain(into: &rows)
        rescored = rows.count
        vectors.scores(of: query, atRows: rows, into: &scores)
        ranked.best(k, of: &scores, &rows, count: rows.count, into: &results)
    }
}
