import CKernels

/// The arithmetic of matrix products; their sums are Float32 in both.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// Float32 products.
    case float32
    /// Products of bfloat16 numbers with Float32 sums: up to twice as fast on a CPU with AVX-512 BF16, and float32 on
    /// others.
    ///
    /// Factors are rounded to 8 significant bits, with a relative error of at most 1/512 each.
    case bfloat16

    /// Whether this CPU has products of bfloat16 numbers.
    package static let hasBfloat16 = ck_has_bfloat_products() != 0
}
