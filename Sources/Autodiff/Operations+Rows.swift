import Kernels

// Operations that weigh rows and add them up. Each comment gives the operation and its derivative; `g` is the gradient
// of the output.

extension Variable {
    /// Row `i` times the element `i` of a column `[rows, 1]`; derivative the same scaling of `g`, and `<g_i, row i>`.
    public func scalingRows(by factors: Variable) -> Variable {
        precondition(factors.value.columns == 1, "rows of \(value.shape) scaled by \(factors.value.shape)")
        return tape.record(value.scalingRows(by: factors.value.elements), inputs: [self, factors]) {
            [a = self] gradient, tape in
            tape.accumulate(a, gradient.scalingRows(by: factors.value.elements))
            tape.accumulate(factors, gradient.rowDots(a.value))
        }
    }

    /// `[count, columns]`, where row `i` is the sum of the rows at whose place in `rows` is `i`; derivative the rows
    /// `rows` of `g`.
    public func addingRows(at rows: [Int32], of count: Int) -> Variable {
        var sums = Matrix(rows: count, columns: value.columns)
        sums.scatterAddRows(value, at: rows)
        return tape.record(sums, inputs: [self]) { [a = self] gradient, tape in
            tape.accumulate(a, gradient.gatheringRows(rows))
        }
    }
}
