import Dispatch
import Kernels
import Synchronization

/// Finds the search widths and the effort that reach a recall with the least work.
///
/// Compares real searches for held-out queries with the exact answers. Work is counted in scanned codes, not in time,
/// so the same vectors always give the same index.
struct EffortTuning {
    private static let sampleSize = 256
    /// Candidate widths of the bound, in spreads.
    private static let boundWidths: [Float] = stride(from: 2, through: 5, by: 0.1).map { Float($0) }
    /// The number of compared widths, from the narrowest sufficient one on; each gets its own limit of effort.
    private static let compared = 8
    /// A reserve for queries other than the held-out ones: tuning asks for this part of `1 - recall` more.
    private static let reserve = 0.2

    private let queries: Matrix
    private let truth: [[Int32]]
    private let wanted: Double

    /// Prepares queries and their exact answers.
    ///
    /// - Parameters:
    ///   - vectors: The items.
    ///   - queries: At least one row of the vectors' dimension; nil uses item vectors with added noise of 0.3 and 0.6
    ///     of their length in turn.
    ///   - recall: The recall at 50 that searches must reach.
    ///   - seed: The seed of the choice of queries.
    init(_ vectors: Matrix, queries: Matrix?, recall: Double, seed: UInt64) {
        let generator = CounterBasedGenerator(seed: seed, purpose: .clustering)
        self.queries = queries.map { Self.sample($0, generator) } ?? Self.itemLikeQueries(vectors, generator)
        truth = Self.exactNeighbours(of: self.queries, in: vectors)
        wanted = recall + (1 - recall) * Self.reserve
    }

    /// The tuned widths for an index that has initial widths.
    ///
    /// If a search of all partitions does not reach the recall, the margin is too narrow: it is doubled. The last
    /// resort is an effort of all partitions, at which a search is exact.
    func tuned(_ index: PartitionedIndex) -> SearchWidths {
        var widths = index.widths
        for _ in 0..<4 {
            if let found = best(index, margin: widths.margin) { return found }
            widths.margin = max(0.1, 2 * widths.margin)
        }
        widths.effort = index.partitions
        return widths
    }

    private func best(_ index: PartitionedIndex, margin: Float) -> SearchWidths? {
        let all = max(1, index.partitions - 1)
        func isEnough(_ widths: SearchWidths) -> Bool { measure(index.with(widths)).recall >= wanted }
        func widths(_ number: Int, _ effort: Int) -> SearchWidths {
            SearchWidths(bound: Self.boundWidths[number], margin: margin, effort: effort)
        }
        let numbers = Self.boundWidths.indices
        guard let narrowest = Self.first(in: numbers, where: { isEnough(widths($0, all)) }) else { return nil }
        let candidates = (narrowest..<min(narrowest + Self.compared, numbers.count)).map { number in
            widths(number, Self.first(in: 1..<all + 1) { isEnough(widths(number, $0)) } ?? all)
        }
        let costs = candidates.map { measure(index.with($0)).cost }
        return zip(candidates, costs).min { $0.1 < $1.1 }?.0
    }

    /// The first number that satisfies a monotonic condition; nil if none does.
    private static func first(in range: Range<Int>, where condition: (Int) -> Bool) -> Int? {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if condition(middle) { high = middle } else { low = middle + 1 }
        }
        return low < range.upperBound ? low : nil
    }

    /// The recall, and the cost: the mean number of scanned codes plus half of its 99th percentile.
    private func measure(_ index: PartitionedIndex) -> (recall: Double, cost: Double) {
        let tasks = min(16, queries.rows)
        let results = Mutex((found: 0, scanned: [Int]()))
        DispatchQueue.concurrentPerform(iterations: tasks) { task in
            let workspace = SearchWorkspace()
            var found = 0
            var scanned: [Int] = []
            for row in stride(from: task, to: queries.rows, by: tasks) {
                let k = PartitionedIndex.tunedK
                index.search(queries.row(row).span, k: k, effort: nil, among: Eligibility(), in: workspace)
                let exact = Set(truth[row])
                found += workspace.results.count { exact.contains($0.id) }
                scanned.append(workspace.scanned)
            }
            results.withLock {
                $0.found += found
                $0.scanned += scanned
            }
        }
        let (found, scanned) = results.withLock { ($0.found, $0.scanned.sorted()) }
        let mean = Double(scanned.reduce(0, +)) / Double(scanned.count)
        let tail = Double(scanned[min(scanned.count - 1, scanned.count * 99 / 100)])
        let wantedCount = truth.reduce(0) { $0 + $1.count }
        return (Double(found) / Double(max(1, wantedCount)), mean + tail / 2)
    }

    private static func sample(_ queries: Matrix, _ generator: CounterBasedGenerator) -> Matrix {
        let size = min(sampleSize, queries.rows)
        return queries.gatheringRows(SphericalKMeans.spreadSample(size, of: queries.rows, generator, stream: 5))
    }

    private static func itemLikeQueries(_ vectors: Matrix, _ generator: CounterBasedGenerator) -> Matrix {
        let size = min(sampleSize, vectors.rows)
        var queries = vectors.gatheringRows(
            SphericalKMeans.spreadSample(size, of: vectors.rows, generator, stream: 2)
        )
        let noise = generator.normalRows(streams: (0..<UInt64(size)).map { 6 + $0 }, columns: vectors.columns)
        let lengths = (0..<size).map { Float($0 % 2 == 0 ? 0.3 : 0.6) / Float(vectors.columns).squareRoot() }
        queries.add(noise.scalingRows(by: lengths))
        return queries.normalisedRows().unit
    }

    /// The exact best 50 items for each query, in one pass over the vectors.
    private static func exactNeighbours(of queries: Matrix, in vectors: Matrix) -> [[Int32]] {
        let block = 4096
        let blocks = (vectors.rows + block - 1) / block
        let k = min(PartitionedIndex.tunedK, vectors.rows)
        let results = Mutex([TopK](repeating: TopK(k: k), count: queries.rows))
        DispatchQueue.concurrentPerform(iterations: blocks) { number in
            let start = number * block
            let rows = vectors.rows(start..<min(start + block, vectors.rows))
            let scores = Matrix.product(queries, transposed: false, rows, transposed: true)
            results.withLock { best in
                for query in 0..<queries.rows {
                    best[query].offer(scores.row(query), count: rows.rows) { Int32(start + $0) }
                }
            }
        }
        return results.withLock { $0.map { $0.sorted().map(\.id) } }
    }
}

extension SearchWidths {
    /// The initial widths for tuning: a margin above almost every error of the codes, and no limit of effort.
    ///
    /// `codingError` is the root mean square of the residuals' coding error, relative to that of the residuals.
    static func untuned(codingError: Double, partitions: Int) -> SearchWidths {
        SearchWidths(bound: 3.4, margin: 1.5 * Float(codingError), effort: max(1, partitions))
    }
}
