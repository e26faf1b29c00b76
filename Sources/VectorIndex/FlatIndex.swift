public import Kernels

/// Scores every item: exact, and the oracle of every other index.
///
/// Complexity: O(items * dimension) for a search, one pass over memory; O(items) more for nothing else.
public struct FlatIndex: VectorIndex {
    /// The item vectors, row `i` that of item `i`.
    public let vectors: Matrix

    /// Takes over unit vectors.
    ///
    /// - Parameter vectors: A unit vector an item, row `i` that of item `i`; any number, also none.
    /// - Throws: ``IndexError`` naming the first item whose vector is not finite, is zero, or is not of length one.
    public init(vectors: Matrix) throws(IndexError) {
        try requireUnitRows(vectors)
        self.vectors = vectors
    }

    /// How many items can be found.
    public var count: Int { vectors.rows }

    /// The length of every vector and query.
    public var dimension: Int { vectors.columns }

    /// The best `k` items that are not excluded; exact, so `effort` is ignored.
    public func search(_ query: Span<Float>, k: Int, effort: Int?, excluding: [Int32]) -> [Scored] {
        precondition(query.count == dimension, "a query of \(query.count) elements against \(dimension)")
        var best = TopK(k: min(k, count))
        guard best.k > 0 else { return [] }
        var scan = RowScan(vectors, excludedRows: excluding)
        scan.offer(query, rows: 0..<count, to: &best) { Int32($0) }
        return best.sorted()
    }

    /// The built structure without the vectors: for a flat index only what it is of.
    public func serialised() -> [UInt8] {
        IndexFormat.header(kind: .flat, count: count, dimension: dimension).bytes
    }
}

/// Scores ranges of a matrix's rows, block by block, leaving out excluded rows.
struct RowScan {
    /// Rows a block: its scores take 8 KB of the first-level cache.
    private static let block = 2048

    private let vectors: Matrix
    private let excluded: [Int32]
    private var scores: [Float]

    /// Prepares to scan; `excludedRows` come in any order, repeated or outside the matrix.
    init(_ vectors: Matrix, excludedRows: [Int32]) {
        self.vectors = vectors
        excluded = excludedRows.sorted()
        scores = [Float](repeating: 0, count: min(Self.block, vectors.rows))
    }

    /// Offers the rows of a range under the numbers that `id` gives them.
    mutating func offer(_ query: Span<Float>, rows: Range<Int>, to best: inout TopK, id: (Int) -> Int32) {
        var next = excluded.partitioningIndex { $0 >= rows.lowerBound }
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.block) {
            let end = min(start + Self.block, rows.upperBound)
            vectors.scores(of: query, inRows: start..<end, into: &scores)
            while next < excluded.count, excluded[next] < end {
                scores[Int(excluded[next]) - start] = .nan  // no threshold is below NaN: the row is never kept
                next += 1
            }
            best.offer(scores, count: end - start) { id(start + $0) }
        }
    }
}

extension [Int32] {
    /// The first position whose element satisfies `predicate`, in an array where all that do come last.
    fileprivate func partitioningIndex(where predicate: (Int32) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Throws for the first row that is not a finite vector of length one (to 1 %, far above rounding).
func requireUnitRows(_ vectors: Matrix) throws(IndexError) {
    guard vectors.rows <= Int32.max else { throw .tooManyItems(vectors.rows) }
    if let (row, _) = vectors.firstNonFinite { throw .notFinite(item: row) }
    for start in stride(from: 0, to: vectors.rows, by: 4096) {
        let norms = vectors.rows(start..<min(start + 4096, vectors.rows)).normalisedRows().norms
        for (offset, norm) in norms.enumerated() where abs(norm - 1) > 0.01 {
            throw norm == 0 ? .zeroVector(item: start + offset) : .notUnit(item: start + offset, length: norm)
        }
    }
}
