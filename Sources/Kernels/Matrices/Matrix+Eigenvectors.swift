import COpenBLAS

extension Matrix {
    /// Eigenvalues of a symmetric matrix, largest first, and the unit eigenvectors as columns in the same order.
    ///
    /// Uses LAPACK's `dsyev` in double precision, and reads only the lower triangle. The library chooses the vectors'
    /// signs.
    ///
    /// - Precondition: The matrix is square and finite.
    /// - Complexity: O(rows cubed).
    public func symmetricEigenvectors() -> (values: [Double], vectors: Matrix) {
        precondition(rows == columns, "eigenvectors of a matrix of shape \(shape)")
        guard rows > 0 else { return ([], self) }
        var matrix = elements.map(Double.init)
        var values = [Double](repeating: 0, count: rows)
        var (order, info) = (Int32(rows), Int32(0))
        var workspace = [Double](repeating: 0, count: 64 * rows)
        var workspaceSize = Int32(workspace.count)
        // A row-major lower triangle is a column-major upper triangle.
        unsafe dsyev_("V", "U", &order, &matrix, &order, &values, &workspace, &workspaceSize, &info)
        precondition(info == 0, "LAPACK found no eigenvectors of a matrix of shape \(shape): info \(info)")
        var vectors = Matrix(rows: rows, columns: columns)
        for column in 0..<columns {
            let source = columns - 1 - column
            for row in 0..<rows { vectors[row, column] = Float(matrix[source * rows + row]) }
        }
        return (values.reversed(), vectors)
    }
}
