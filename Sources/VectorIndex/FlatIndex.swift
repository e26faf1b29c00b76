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

    /// Finds the best `k` eligible items; exact, so `effort` is ignored.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        workspace.scanExactly(vectors, query, k: k, among: eligible)
    }

    /// The built structure without the vectors: for a flat index only what it is of.
    public func serialised() -> [UInt8] {
        IndexFormat.header(kind: .flat, count: count, dimension: dimension).bytes
    }
}

extension SearchWorkspace {
    /// Rows a block: their scores take 8 KB of the first-level cache.
    private static let block = 2048
    /// One allowed row in so many makes fetching them singly as slow as streaming all: measured with 64 dimensions.
    private static let gatherBelow = 4

    /// Leaves the best `k` eligible rows of `vectors` in `results`, every eligible row scored.
    func scanExactly(_ vectors: Matrix, _ query: Span<Float>, k: Int, among eligible: borrowing Eligibility) {
        precondition(query.count == vectors.columns, "a query of \(query.count) elements against \(vectors.columns)")
        best.reset(k: min(k, vectors.rows))
        let allowed = eligible.allowed
        withExclusions(eligible.excluded, items: vectors.rows) {
            if best.k == 0 { return }
            if let allowed, allowed.count * Self.gatherBelow < vectors.rows {
                scanSingly(vectors, query, allowed)
            } else {
                scanBlocks(vectors, query, allowed)
            }
        }
        best.drainSorted(into: &results)
    }

    private func scanBlocks(_ vectors: Matrix, _ query: Span<Float>, _ allowed: ItemSet?) {
        if scores.count < Self.block { scores = [Float](repeating: 0, count: Self.block) }
        for start in stride(from: 0, to: vectors.rows, by: Self.block) {
            let end = min(start + Self.block, vectors.rows)
            vectors.scores(of: query, inRows: start..<end, into: &scores)
            best.offer(scores, count: end - start) { position in
                let item = Int32(start + position)
                return excluded.contains(item) || allowed?.contains(item) == false ? nil : item
            }
        }
    }

    private func scanSingly(_ vectors: Matrix, _ query: Span<Float>, _ allowed: ItemSet) {
        rows.removeAll(keepingCapacity: true)
        for item in allowed where !excluded.contains(item) { rows.append(item) }
        vectors.scores(of: query, atRows: rows, into: &scores)
        best.offer(scores, count: rows.count) { rows[$0] }
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
