public import Kernels

/// Scores every item: exact, and the reference for every other index.
///
/// Complexity: O(items * dimension) for a search, in one pass over memory.
public struct FlatIndex: VectorIndex {
    /// The item vectors, row `i` for item `i`.
    public let vectors: Matrix

    /// Builds the index of unit vectors.
    ///
    /// - Parameter vectors: One unit vector per item, row `i` for item `i`; may be empty.
    /// - Throws: ``IndexError`` with the first item whose vector is not finite, is zero, or does not have length one.
    public init(vectors: Matrix) throws(IndexError) {
        try requireUnitRows(vectors)
        self.vectors = vectors
    }

    /// The number of items in the index.
    public var count: Int { vectors.rows }

    /// The length of every vector and query.
    public var dimension: Int { vectors.columns }

    /// Finds the best `k` eligible items exactly; `effort` is ignored.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        workspace.scanExactly(vectors, query, k: k, among: eligible)
    }

    /// The saved form without the vectors: for a flat index only the header with its kind and size.
    public func serialised() -> [UInt8] {
        IndexFormat.header(kind: .flat, count: count, dimension: dimension).bytes
    }
}

extension SearchWorkspace {
    /// Rows per block: their scores take 8 KB of the first-level cache.
    private static let block = 2048
    /// Rows are fetched singly if fewer than one in this many is allowed; the value is not measured.
    private static let gatherBelow = 4

    /// Scores every eligible row of `vectors` and leaves the best `k` in `results`.
    ///
    /// Few rows are all scored and then ranked. Many rows are scored in blocks, and the threshold of the best so far
    /// refuses most of them.
    func scanExactly(_ vectors: Matrix, _ query: Span<Float>, k: Int, among eligible: borrowing Eligibility) {
        precondition(query.count == vectors.columns, "a query of \(query.count) elements against \(vectors.columns)")
        (scanned, rescored, fellBack) = (0, 0, false)
        let k = min(k, vectors.rows)
        let (allowed, removed) = (eligible.allowed, eligible.removed)
        withExclusions(eligible.excluded, items: vectors.rows) {
            if k == 0 { return results.removeAll(keepingCapacity: true) }
            if let allowed, allowed.count * Self.gatherBelow < vectors.rows {
                listEligible(allowed, removed, below: vectors.rows)
            } else if vectors.rows <= 2 * Self.block {
                listEligible(0..<Int32(vectors.rows), allowed, removed)
            } else {
                return scanBlocks(vectors, query, k: k, allowed, removed)
            }
            vectors.scores(of: query, atRows: rows, into: &scores)
            ranked.best(k, of: &scores, &rows, count: rows.count, into: &results)
        }
    }

    /// Leaves the best `k` eligible items in `results`, given one score per item.
    func rankExactly(_ scores: Span<Float>, k: Int, among eligible: borrowing Eligibility) {
        (scanned, rescored, fellBack) = (0, 0, false)
        let (allowed, removed) = (eligible.allowed, eligible.removed)
        withExclusions(eligible.excluded, items: scores.count) {
            best.reset(k: min(k, scores.count))
            best.offer(scores) { item in
                isEligible(Int32(item), allowed, removed) ? Int32(item) : nil
            }
            best.drainSorted(into: &results)
        }
    }

    private func scanBlocks(
        _ vectors: Matrix,
        _ query: Span<Float>,
        k: Int,
        _ allowed: ItemSet?,
        _ removed: ItemSet?
    ) {
        best.reset(k: k)
        if scores.count < Self.block { scores = [Float](repeating: 0, count: Self.block) }
        for start in stride(from: 0, to: vectors.rows, by: Self.block) {
            let end = min(start + Self.block, vectors.rows)
            vectors.scores(of: query, inRows: start..<end, into: &scores)
            best.offer(scores, count: end - start) { position in
                let item = Int32(start + position)
                return isEligible(item, allowed, removed) ? item : nil
            }
        }
        best.drainSorted(into: &results)
    }

    func listEligible(_ items: some Collection<Int32>, _ allowed: ItemSet?, _ removed: ItemSet?) {
        rows.removeAll(keepingCapacity: true)
        if excluded.count == 0, allowed == nil, removed == nil {
            rows.append(contentsOf: items)
        } else {
            for item in items where isEligible(item, allowed, removed) { rows.append(item) }
        }
    }

    private func listEligible(_ allowed: ItemSet, _ removed: ItemSet?, below bound: Int) {
        rows.removeAll(keepingCapacity: true)
        for item in allowed where isEligible(item, nil, removed) {
            if item >= bound { break }
            rows.append(item)
        }
    }

    private func isEligible(_ item: Int32, _ allowed: ItemSet?, _ removed: ItemSet?) -> Bool {
        !excluded.contains(item) && allowed?.contains(item) != false && removed?.contains(item) != true
    }
}

/// Throws unless every row is a finite vector of length one (to 1 %, far above rounding).
///
/// - Parameters:
///   - vectors: The rows to check.
///   - first: The item number of row 0.
/// - Throws: ``IndexError`` with the number of the first bad item.
func requireUnitRows(_ vectors: Matrix, first: Int = 0) throws(IndexError) {
    guard first + vectors.rows <= Int32.max else { throw .tooManyItems(first + vectors.rows) }
    if let (row, _) = vectors.firstNonFinite { throw .notFinite(item: first + row) }
    for start in stride(from: 0, to: vectors.rows, by: 4096) {
        let norms = vectors.rows(start..<min(start + 4096, vectors.rows)).normalisedRows().norms
        for (offset, norm) in norms.enumerated() where abs(norm - 1) > 0.01 {
            let item = first + start + offset
            throw norm == 0 ? .zeroVector(item: item) : .notUnit(item: item, length: norm)
        }
    }
}
