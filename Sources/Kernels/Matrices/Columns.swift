extension Matrix {
    /// Joins matrices side by side, `[rows, sum of columns]`.
    ///
    /// - Precondition: There is at least one matrix, and all have the same number of rows.
    public init(joiningColumns parts: [Matrix]) {
        guard let first = parts.first else { preconditionFailure("no matrices to join") }
        precondition(parts.allSatisfy { $0.rows == first.rows }, "columns of \(parts.map(\.shape)) do not join")
        var elements: [Float] = []
        elements.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for row in 0..<first.rows {
            for part in parts { elements += part.elements[row * part.columns..<(row + 1) * part.columns] }
        }
        self.init(rows: first.rows, columns: parts.reduce(0) { $0 + $1.columns }, elements: elements)
    }

    /// A copy of consecutive columns.
    public func columns(_ range: Range<Int>) -> Matrix {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= columns,
            "columns \(range) are outside 0..<\(columns)"
        )
        var elements: [Float] = []
        elements.reserveCapacity(rows * range.count)
        for row in 0..<rows {
            elements += self.elements[row * columns + range.lowerBound..<row * columns + range.upperBound]
        }
        return Matrix(rows: rows, columns: range.count, elements: elements)
    }

    /// Adds the gradient of ``maximumOfRowGroups(of:)``: only the first row with a group's largest value receives it.
    ///
    /// - Parameters:
    ///   - size: Rows per group.
    ///   - input: The input of the maximum, with the shape of this matrix.
    ///   - output: The maxima, `[rows / size, columns]`.
    ///   - gradient: The gradient of the maxima.
    public mutating func addMaximumOfRowGroupsGradient(of size: Int, input: Matrix, output: Matrix, gradient: Matrix) {
        requireShape(input, in: "maximum gradient")
        output.requireShape(gradient, in: "maximum gradient")
        precondition(output.rows * size == rows, "\(rows) rows in \(output.rows) groups of \(size)")
        for group in 0..<output.rows {
            for column in 0..<columns {
                let largest = output[group, column]
                let rows = group * size..<(group + 1) * size
                guard let row = rows.first(where: { input[$0, column] == largest }) else { continue }
                self[row, column] += gradient[group, column]
            }
        }
    }
}
