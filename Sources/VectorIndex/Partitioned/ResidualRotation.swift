import Kernels

/// The coordinates in which residuals are coded: they hold nearly all energy, in about equal shares.
///
/// Item vectors often fill fewer dimensions than they have. Only the principal axes of the residuals that together hold
/// `energyKept` are coded. A random rotation mixes these axes, so that one quantisation step suits all coordinates.
/// Measured with 100,000 clustered vectors of 64 elements, at 4 bits: a score's error is .0045 after a random rotation,
/// .0078 along the axes.
struct ResidualRotation {
    /// Orthonormal columns (zero where the dimension is padded), `[dimension, padded dimension]`.
    let matrix: Matrix
    /// The number of coded columns, a multiple of 8.
    let kept: Int
    /// The effective number of dimensions: `(sum of variances)^2 / sum of their squares`.
    let effectiveDimension: Double
    /// The part of the energy that is not coded.
    let energyLost: Double

    private static let energyKept = 0.98

    /// Fits the rotation to residuals, `[sample, dimension]`.
    ///
    /// - Complexity: O(sample * dimension^2 + dimension^3).
    init(residuals: Matrix, seed: UInt64) {
        let dimension = residuals.columns
        let padded = (dimension + 7) / 8 * 8
        let covariance = Matrix.product(residuals, transposed: true, residuals)
        let (values, axes) = covariance.symmetricEigenvectors()
        let variances = values.map { max(0, $0) }
        let energy = variances.reduce(0, +)
        let squares = variances.reduce(0) { $0 + $1 * $1 }
        effectiveDimension = squares > 0 ? energy * energy / squares : Double(dimension)

        var kept = 8
        func held() -> Double { variances.prefix(kept).reduce(0, +) }
        while kept < padded, held() < Self.energyKept * energy { kept += 8 }
        self.kept = kept
        energyLost = energy > 0 ? 1 - held() / energy : 0

        let turned = min(kept, dimension)
        let turn = Self.randomRotation(turned, seed: seed)
        var matrix = Matrix(rows: dimension, columns: padded)
        for row in 0..<dimension {
            for column in 0..<dimension {
                if column >= turned {
                    matrix[row, column] = axes[row, column]
                } else {
                    matrix[row, column] = (0..<turned).reduce(0) { $0 + axes[row, $1] * turn[$1, column] }
                }
            }
        }
        self.matrix = matrix
    }

    /// A uniformly random rotation: the Gram-Schmidt process on normal vectors, twice for accuracy.
    private static func randomRotation(_ size: Int, seed: UInt64) -> Matrix {
        let generator = CounterBasedGenerator(seed: seed, purpose: .clustering)
        let normals = generator.normalRows(streams: (0..<UInt64(size)).map { 1 << 32 + $0 }, columns: size)
        var rows: [[Double]] = []
        for row in 0..<size {
            var vector = normals.row(row).map(Double.init)
            for _ in 0..<2 {
                for other in rows {
                    let along = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
                    for column in 0..<size { vector[column] -= along * other[column] }
                }
            }
            let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
            rows.append(vector.map { $0 / length })
        }
        return Matrix(rows.map { $0.map { Float($0) } })
    }
}
