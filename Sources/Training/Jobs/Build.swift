import Kernels

/// The build of this program.
public enum Build {
    /// Semantic version.
    public static let version = "0.1.0"

    /// The build as recorded in a version's manifest.
    static var description: String {
        let products = Precision.hasBfloat16 ? Precision.bfloat16 : .float32
        return "dimerec \(version), kernels \(CPU.kernelLevel), \(products) products, BLAS \(BLAS.coreName)"
    }
}
