import Kernels

/// The build of this program.
public enum Build {
    /// Semantic version.
    public static let version = "0.1.0"

    /// The build as recorded in a version's manifest.
    static var description: String {
        "dimerec \(version), kernels \(CPU.kernelLevel), \(BfloatLevel.best) products, BLAS \(BLAS.coreName)"
    }
}
