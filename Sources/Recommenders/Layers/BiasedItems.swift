import Autodiff
import Kernels

// Items with biases: the last column of the item table is the bias, and user vectors end with a 1.

extension Initialiser {
    /// Normal item rows with a last column of zeros, the biases, `[items, dimension + 1]`.
    func biasedItems(_ name: String, items: Int, dimension: Int, deviation: Double) -> Matrix {
        Matrix(joiningColumns: [
            normal(name, rows: items, columns: dimension, deviation: deviation), Matrix(rows: items, columns: 1),
        ])
    }
}

extension Variable {
    /// Each row with a 1 at its end.
    func appendingOne() -> Variable {
        .joinedColumns([self, tape.constant(Matrix(rows: value.rows, columns: 1, repeating: 1))])
    }
}
