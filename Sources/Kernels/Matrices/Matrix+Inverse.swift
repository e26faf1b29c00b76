import COpenBLAS

extension Matrix {
    /// The inverse of a symmetric positive definite matrix, by its Cholesky factor (LAPACK's `spotrf` and `spotri`).
    ///
    /// Only the lower triangle is read. The result is symmetric to the last bit.
    ///
    /// - Returns: The inverse, or nil if the matrix is not positive definite in single precision.
    /// - Precondition: The matrix is square.
    /// - Complexity: O(rows cubed); no memory besides the result.
    public consuming func inverseOfPositiveDefinite() -> Matrix? {
        precondition(rows == columns, "the inverse of a matrix of shape \(shape)")
        guard rows > 0 else { return self }
        var (order, info) = (Int32(rows), Int32(0))
        withMutablePointer { matrix in
            // A row-major lower triangle is a column-major upper triangle.
            unsafe spotrf_("U", &order, matrix, &order, &info)
            if info == 0 { unsafe spotri_("U", &order, matrix, &order, &info) }
        }
        guard info == 0 else { return nil }
        for row in 0..<rows {
            for column in row + 1..<rows { self[row, column] = self[column, row] }
        }
        return self
    }
}
