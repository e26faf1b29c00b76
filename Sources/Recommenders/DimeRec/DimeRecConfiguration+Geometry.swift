import Autodiff
import Kernels

extension DimeRecConfiguration.Geometry {
    /// The rows where they belong: on the unit sphere, or as they are.
    func placed(_ rows: Variable) -> Variable { self == .sphere ? rows.normalisedRows() : rows }

    /// The rows where they belong: on the unit sphere, or as they are.
    func placed(_ rows: Matrix) -> Matrix { self == .sphere ? rows.normalisedRows().unit : rows }
}
