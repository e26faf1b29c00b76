import Kernels

// Operations for convolutions by unfolding. Each comment gives the operation and its derivative; `g` is the gradient
// of the output.

extension Variable {
    /// Joins matrices with equal numbers of rows side by side; derivative the columns of `g` of each matrix.
    ///
    /// - Precondition: There is at least one matrix.
    public static func joinedColumns(_ parts: [Variable]) -> Variable {
        let value = Matrix(joiningColumns: parts.map(\.value))
        guard let tape = parts.first?.tape else { preconditionFailure("no variables to join") }
        return tape.record(value, inputs: parts) { gradient, tape in
            var start = 0
            for part in parts {
                let columns = start..<start + part.value.columns
                tape.accumulate(part, gradient.columns(columns))
                start = columns.upperBound
            }
        }
    }

    /// The largest value of each column over consecutive groups of rows, `[rows / size, columns]`; derivative `g` at
    /// the first largest value.
    public func maximumOfRowGroups(of size: Int) -> Variable {
        let value = self.value.maximumOfRowGroups(of: size)
        return tape.record(value, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a) {
                $0.addMaximumOfRowGroupsGradient(of: size, input: a.value, output: value, gradient: gradient)
            }
        }
    }
}
