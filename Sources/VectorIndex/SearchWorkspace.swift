public import Kernels

/// The reusable buffers of one thread's searches, and the results of the last search.
///
/// Works with any index, and grows as needed. Serves one search at a time.
public final class SearchWorkspace {
    /// The items that the last search found, best first.
    public internal(set) var results: [Scored] = []
    /// The number of coded vectors that the last search of a ``PartitionedIndex`` scanned; 0 if it was exact.
    public internal(set) var scanned = 0
    /// The number of candidates that the last search scored exactly; 0 if it scored every eligible item.
    public internal(set) var rescored = 0
    /// Whether a ``PartitionedIndex`` or an ``ExternalIndex`` scored every eligible item, because that was cheaper,
    /// requested or necessary.
    public internal(set) var fellBack = false
    /// When the caller stops waiting for an ``ExternalIndex``, in nanoseconds of the system's uptime.
    public var deadline: UInt64 = .max
    /// How long the searches of an ``ExternalIndex`` for one answer may take together, in nanoseconds; nil is the index's
    /// own limit.
    public var timeout: UInt64?
    /// How much of an ``ExternalIndex`` all searches since ``beginAnswer()`` have reached.
    public internal(set) var completeness = Completeness.whole
    /// When the first search of an ``ExternalIndex`` for the current answer began.
    var start: UInt64?

    /// The best so far, exactly scored.
    var best = TopK(k: 0)
    /// Exact scores of a block of rows, or of `rows`.
    var scores: [Float] = []
    /// Rows to score that are not consecutive.
    var rows: [Int32] = []
    /// The items that the current search excludes; empty between searches.
    private(set) var excluded = ItemSet(bound: 0)

    /// Candidates by estimated score.
    let candidates = CandidateQueue()
    /// Partitions by falling bound.
    var order = PartitionOrder()
    /// The query's inner product with every partition's mean.
    var meanScores: [Float] = []
    /// The soft upper bound of each partition's scores.
    var bounds: [Float] = []
    /// The query scaled to length one, and the same in the index's rotated coordinates.
    private var unit: [Float] = []
    private var rotated: [Float] = []
    /// The whole rotated query, and only its coded coordinates.
    private(set) var query = QuantisedQuery()
    private(set) var keptQuery = QuantisedQuery()
    /// Ranks the exact scores of the candidates.
    var ranked = ScoreList()

    /// An empty workspace.
    public init() {}

    /// Starts an answer, for which several searches may be needed.
    public func beginAnswer() { (completeness, start) = (.whole, nil) }

    /// Runs `body` with the exclusions in `excluded`.
    ///
    /// - Complexity: O(number of exclusions), and O(items) the first time. The set has room for more items, so it is
    ///   not rebuilt each time an index gains items.
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
        // The square of a number around 1e20 or 1e-20 leaves the range of Float, but not that of Double.
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
