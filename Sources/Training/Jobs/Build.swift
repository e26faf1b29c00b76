import Kernels

/// The build of this program.
public enum Build {
    /// Semantic version.
    public static let version = "0.1.0"

    /// The build as recorded in a version's manifest.
    static var description: String {
        let products =
            switch BfloatLevel.best {
            case .none: "float32"
            case .vectors: "bfloat16"
            case .tiles: "bfloat16 (AMX)"
            }
        return "dimerec \(version), kernels \(CPU.kernelLevel), \(products) products, BLAS \(BLAS.coreName)"
    }
}
