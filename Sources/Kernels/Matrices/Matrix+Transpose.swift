extension Matrix {
    /// The transpose.
    public func transposed() -> Matrix {
        Matrix(rows: columns, columns: rows) { out in
            withPointer { source in
                for row in 0..<rows {
                    for column in 0..<columns { unsafe out[column * rows + row] = source[row * columns + column] }
                }
            }
        }
    }
}
