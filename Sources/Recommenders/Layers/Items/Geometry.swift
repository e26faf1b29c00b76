import Autodiff
import Kernels

/// The geometry of the vectors.
public enum Geometry: String, Codable, Sendable, CaseIterable {
    /// On the unit sphere: item rows, noised vectors and every step of the reverse chain have length one.
    case sphere
    /// Unrestricted: nothing is normalised. For DimeRec this is the ablation without the walk, which is not served.
    case euclidean
}

extension Geometry {
    /// The rows in this geometry: unit rows on the sphere, unchanged rows otherwise.
    func placed(_ rows: Variable) -> Variable { self == .sphere ? rows.normalisedRows() : rows }

    /// The rows in this geometry: unit rows on the sphere, unchanged rows otherwise.
    func placed(_ rows: Matrix) -> Matrix { self == .sphere ? rows.normalisedRows().unit : rows }
}
