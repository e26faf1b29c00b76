import CKernels
import Dispatch

extension Matrix {
    /// Rows divided by their Euclidean length.
    ///
    /// - Parameter epsilon: Rows shorter than this are divided by it instead, so a zero row stays zero.
    /// - Returns: The unit rows and their former lengths.
    public func normalisedRows(epsilon: Float = 1e-6) -> (unit: Matrix, norms: [Float]) {
        var norms = [Float](repeating: 0, count: rows)
        let unit = Matrix(rows: rows, columns: columns) { out in
            withPointer { unsafe ck_normalise_rows($0, out, &norms, rows, columns, epsilon) }
        }
        return (unit, norms)
    }

    /// Scales every row to length one like `normalisedRows`, in place if no copy shares the elements.
    public mutating func normaliseRows(epsilon: Float = 1e-6) {
        var norms = [Float](repeating: 0, count: rows)
        let (rows, columns) = (rows, columns)
        withMutablePointer { unsafe ck_normalise_rows($0, $0, &norms, rows, columns, epsilon) }
    }

    /// Adds the gradient of `normalisedRows`: `(g - y <y, g>) / |x|` per row, with the rows `y` in `unit`.
    public mutating func addNormalisedRowsGradient(
        unit: Matrix,
        norms: [Float],
        gradient: Matrix,
        epsilon: Float = 1e-6
    ) {
        requireShape(unit, gradient, in: "normalise gradient")
        precondition(norms.count == rows, "normalise gradient: \(norms.count) norms for \(rows) rows")
        let (rows, columns) = (rows, columns)
        withMutablePointer { out in
            unit.withPointer { y in
                gradient.withPointer {
                    unsafe ck_normalise_rows_gradient(y, norms, $0, out, rows, columns, epsilon)
                }
            }
        }
    }

    /// Softmax over each row, shifted by the row's maximum.
    public func softmaxRows() -> Matrix {
        Matrix(rows: rows, columns: columns) { out in
            withPointer { unsafe ck_softmax_rows($0, out, rows, columns) }
        }
    }

    /// Adds the gradient of `softmaxRows`, whose result is `output`.
    public mutating func addSoftmaxRowsGradient(output: Matrix, gradient: Matrix) {
        requireShape(output, gradient, in: "softmax gradient")
        let (rows, columns) = (rows, columns)
        withMutablePointer { out in
            output.withPointer { y in
                gradient.withPointer { unsafe ck_softmax_rows_gradient(y, $0, out, rows, columns) }
            }
        }
    }

    /// The rows `ids`, in that order.
    public func gatheringRows(_ ids: [Int32]) -> Matrix {
        requireRows(ids)
        return Matrix(rows: ids.count, columns: columns) { out in
            withPointer { unsafe ck_gather_rows($0, ids, ids.count, columns, out) }
        }
    }

    /// Adds `source[i]` to row `ids[i]` for each `i` in order; ids may repeat.
    public mutating func scatterAddRows(_ source: Matrix, at ids: [Int32]) {
        precondition(
            source.rows == ids.count && source.columns == columns,
            "scatter of \(source.shape) at \(ids.count) ids into \(shape)"
        )
        requireRows(ids)
        let columns = columns
        withMutablePointer { out in
            source.withPointer { unsafe ck_scatter_add_rows($0, ids, ids.count, columns, out) }
        }
    }

    /// Like ``scatterAddRows(_:at:)``, with the same bytes, but on all cores, for single-threaded callers.
    ///
    /// Each thread writes to its own range of rows.
    public mutating func scatterAddRowsConcurrently(_ source: Matrix, at ids: [Int32]) {
        let parts = min(rows, source.count / Self.elementsOfPart)
        guard parts > 1 else { return scatterAddRows(source, at: ids) }
        precondition(
            source.rows == ids.count && source.columns == columns,
            "scatter of \(source.shape) at \(ids.count) ids into \(shape)"
        )
        requireRows(ids)
        let (rows, columns) = (rows, columns)
        withMutablePointer { out in
            source.withPointer { source in
                let storage = unsafe ScatterStorage(source: source, target: out)
                DispatchQueue.concurrentPerform(iterations: parts) { part in
                    let (first, end) = (Int32(rows * part / parts), Int32(rows * (part + 1) / parts))
                    unsafe ck_scatter_add_rows_between(
                        storage.source,
                        ids,
                        ids.count,
                        columns,
                        first,
                        end,
                        storage.target
                    )
                }
            }
        }
    }

    /// Source elements that are worth a thread.
    private static let elementsOfPart = 1 << 16

    /// The memory of a scatter; threads may share it because each writes to its own rows.
    @safe private struct ScatterStorage: @unchecked Sendable {
        let source: UnsafePointer<Float>
        let target: UnsafeMutablePointer<Float>
    }

    /// Adds `bias` (one row) to every row.
    public mutating func addToEachRow(_ bias: Matrix) {
        precondition(bias.rows == 1 && bias.columns == columns, "bias \(bias.shape) for \(shape)")
        let (rows, columns) = (rows, columns)
        withMutablePointer { out in bias.withPointer { unsafe ck_add_bias($0, out, rows, columns) } }
    }

    /// The sum of all rows, as one row.
    public func summedRows() -> Matrix {
        var result = Matrix(rows: 1, columns: columns)
        result.withMutablePointer { out in withPointer { unsafe ck_sum_rows($0, rows, columns, out) } }
        return result
    }

    /// Row `i` times `factors[i]`.
    public func scalingRows(by factors: [Float]) -> Matrix {
        precondition(factors.count == rows, "\(factors.count) factors for \(rows) rows")
        return Matrix(rows: rows, columns: columns) { out in
            withPointer { unsafe ck_scale_rows($0, factors, out, rows, columns) }
        }
    }

    /// The inner product of `query` with every row.
    ///
    /// - Complexity: O(rows * columns).
    public func scores(of query: [Float]) -> [Float] {
        var out: [Float] = []
        scores(of: query.span, into: &out)
        return out
    }

    /// Writes the inner product of `query` with every row into a reused array.
    public func scores(of query: Span<Float>, into out: inout [Float]) {
        precondition(query.count == columns, "a query of \(query.count) elements against rows of \(columns)")
        if out.count != rows { out = [Float](repeating: 0, count: rows) }
        unsafe query.withUnsafeBufferPointer { q in
            withPointer { unsafe ck_scores($0, rows, columns, q.baseAddress ?? emptyPointer, &out) }
        }
    }

    /// Writes the inner products of `query` with a range of rows to the front of a reused array.
    public func scores(of query: Span<Float>, inRows range: Range<Int>, into out: inout [Float]) {
        precondition(query.count == columns, "a query of \(query.count) elements against rows of \(columns)")
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) are outside 0..<\(rows)")
        precondition(out.count >= range.count, "\(out.count) places for \(range.count) scores")
        unsafe query.withUnsafeBufferPointer { q in
            withPointer {
                unsafe ck_scores(
                    $0 + range.lowerBound * columns,
                    range.count,
                    columns,
                    q.baseAddress ?? emptyPointer,
                    &out
                )
            }
        }
    }

    /// The inner products of `query` with the rows `ids`.
    public func scores(of query: Span<Float>, atRows ids: [Int32]) -> [Float] {
        var out: [Float] = []
        scores(of: query, atRows: ids, into: &out)
        return out
    }

    /// Writes the inner products of `query` with the rows `ids` to the front of a reused array, which may grow.
    public func scores(of query: Span<Float>, atRows ids: [Int32], into out: inout [Float]) {
        precondition(query.count == columns, "a query of \(query.count) elements against rows of \(columns)")
        requireRows(ids)
        if out.count < ids.count { out = [Float](repeating: 0, count: max(ids.count, 2 * out.count)) }
        unsafe query.withUnsafeBufferPointer { q in
            withPointer {
                unsafe ck_gathered_scores($0, ids, ids.count, columns, q.baseAddress ?? emptyPointer, &out)
            }
        }
    }

    /// The largest value of each column over consecutive groups of `size` rows, `[rows / size, columns]`.
    public func maximumOfRowGroups(of size: Int) -> Matrix {
        precondition(size >= 1 && rows % size == 0, "\(rows) rows in groups of \(size)")
        return Matrix(rows: rows / size, columns: columns) { out in
            withPointer { unsafe ck_group_maximum($0, rows / size, size, columns, out) }
        }
    }

    /// The rank of `column` in row `row` by falling score, from 0; ties go to the lower column.
    public func rank(ofColumn column: Int, inRow row: Int) -> Int {
        precondition(row < rows && column < columns, "[\(row), \(column)] is outside \(shape)")
        return withPointer { unsafe ck_rank_above($0 + row * columns, columns, column) }
    }

    /// Traps if an id is not a row number.
    private func requireRows(_ ids: [Int32]) {
        var bad: Int32?
        for id in ids where id < 0 || Int(id) >= rows { bad = id }
        if let bad { preconditionFailure("row \(bad) is outside 0..<\(rows)") }
    }
}
