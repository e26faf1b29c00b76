package import Autodiff
package import Kernels
package import Recommenders

/// Standard normals, the same on every run; each `seed` gives another fixture.
package func normalMatrix(rows: Int, columns: Int, seed: UInt64) -> Matrix {
    Matrix(
        rows: rows,
        columns: columns,
        elements: CounterBasedGenerator(seed: seed, purpose: .simulation).normals(stream: 0, count: rows * columns)
    )
}

/// Normals rounded to multiples of 1/1024.
///
/// Adding a power of two of at least 1/1024 is exact, so a difference quotient divides by the exact step.
package func gridMatrix(rows: Int, columns: Int, seed: UInt64) -> Matrix {
    Matrix(
        rows: rows,
        columns: columns,
        elements: normalMatrix(rows: rows, columns: columns, seed: seed).elements.map { ($0 * 1024).rounded() / 1024 }
    )
}

/// Lengths around the widths at which vector loops end: nothing, single lanes, whole registers and their neighbours.
package let tailLengths = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257]

extension Matrix {
    /// All elements in Double.
    package var doubles: [Double] { elements.map(Double.init) }

    /// One row in Double.
    package func doubleRow(_ index: Int) -> [Double] { row(index).map(Double.init) }
}

extension ParameterSet {
    /// Disturbs every parameter whose elements are all equal, such as fresh biases, gains and distances.
    ///
    /// So a test notices if one of them is not used.
    package mutating func disturbConstants() {
        for (index, name) in names.enumerated() where Set(self[name].elements).count == 1 {
            update(name) {
                $0.add(normalMatrix(rows: $0.rows, columns: $0.columns, seed: UInt64(300 + index)), scale: 0.2)
            }
        }
    }
}

/// The first lanes of the terms of count scores, or of their weights.
package func countTerms(_ values: Float...) -> CountScores.Terms {
    var terms = CountScores.Terms.zero
    for (lane, value) in values.enumerated() { terms[lane] = value }
    return terms
}
