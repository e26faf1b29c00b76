import Autodiff
import Kernels

extension DimeRecConfiguration.Geometry {
    /// The rows in this geometry: unit rows on the sphere, unchanged rows otherwise.
    func placed(_ rows: Variable) -> Variable { self == .sphere ? rows.normalisedRows() : rows }

    /// The rows in this geometry: unit rows on the sphere, unchanged rows otherwise.
    func placed(_ rows: Matrix) -> Matrix { self == .sphere ? rows.normalisedRows().unit : rows }
}
