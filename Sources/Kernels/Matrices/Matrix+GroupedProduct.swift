extension Matrix {
    /// Multiplies consecutive groups of rows, each by its own matrix.
    ///
    /// - Parameters:
    ///   - stack: The groups' matrices, stacked to `[G columns, n]`.
    ///   - offsets: The first row of each group, and the end of the last group: `G + 1` values from 0 to `rows`.
    /// - Returns: `[rows, n]`.
    /// - Complexity: O(rows * columns * n), one product per group.
    public func groupedProduct(_ stack: Matrix, offsets: [Int]) -> Matrix {
        requireGroups(stack, offsets)
        let (inner, n) = (columns, stack.columns)
        return Matrix(rows: rows, columns: n) { out in
            withPointer { rows in
                stack.withPointer { stack in
                    for (group, start, count) in groups(offsets) {
                        unsafe BLAS.product(
                            (rows + start * inner, false),
                            (stack + group * inner * n, false),
                            m: count,
                            n: n,
                            inner: inner,
                            keeping: 0,
                            into: out + start * n
                        )
                    }
                }
            }
        }
    }

    /// Adds the gradient of `groupedProduct` with respect to its rows: each group of `gradient` times its transposed
    /// matrix.
    public mutating func addGroupedRowsGradient(_ gradient: Matrix, stack: Matrix, offsets: [Int]) {
        requireGroups(stack, offsets)
        precondition(gradient.shape == [rows, stack.columns], "gradient \(gradient.shape) for rows \(shape)")
        let (columns, inner) = (columns, stack.columns)
        withMutablePointer { out in
            gradient.withPointer { gradient in
                stack.withPointer { stack in
                    for (group, start, count) in groups(offsets) {
                        unsafe BLAS.product(
                            (gradient + start * inner, false),
                            (stack + group * columns * inner, true),
                            m: count,
                            n: columns,
                            inner: inner,
                            into: out + start * columns
                        )
                    }
                }
            }
        }
    }

    /// Adds the gradient of `groupedProduct` with respect to `stack`: each transposed group of `rows` times its
    /// `gradient`.
    public mutating func addGroupedStackGradient(_ gradient: Matrix, rows: Matrix, offsets: [Int]) {
        rows.requireGroups(self, offsets)
        precondition(gradient.shape == [rows.rows, columns], "gradient \(gradient.shape) for a stack \(shape)")
        let (m, n) = (rows.columns, columns)
        withMutablePointer { out in
            gradient.withPointer { gradient in
                rows.withPointer { rows in
                    for (group, start, count) in groups(offsets) {
                        unsafe BLAS.product(
                            (rows + start * m, true),
                            (gradient + start * n, false),
                            m: m,
                            n: n,
                            inner: count,
                            into: out + group * m * n
                        )
                    }
                }
            }
        }
    }

    private func requireGroups(_ stack: Matrix, _ offsets: [Int]) {
        precondition(
            offsets.first == 0 && offsets.last == rows && stack.rows == (offsets.count - 1) * columns
                && zip(offsets, offsets.dropFirst()).allSatisfy(<=),
            "\(max(0, offsets.count - 1)) groups up to row \(offsets.last ?? 0) of \(shape), a stack of \(stack.shape)"
        )
    }
}

/// The groups that are not empty: number, first row, number of rows.
private func groups(_ offsets: [Int]) -> [(group: Int, start: Int, count: Int)] {
    (0..<offsets.count - 1).compactMap { group in
        let count = offsets[group + 1] - offsets[group]
        return count > 0 ? (group, offsets[group], count) : nil
    }
}
