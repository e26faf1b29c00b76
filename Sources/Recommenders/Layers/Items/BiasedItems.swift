import Autodiff
import Kernels

// Items with biases: the last column of the item table is the bias, and user vectors end with a 1.

extension Variable {
    /// Each row with a 1 at its end.
    func appendingOne() -> Variable {
        .joinedColumns([self, tape.constant(Matrix(rows: value.rows, columns: 1, repeating: 1))])
    }
}
