import CKernels

/// The arithmetic of matrix products; their sums are Float32 in both.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// Float32 products.
    case float32
    /// Products of bfloat16 numbers with Float32 sums, on a CPU with AVX-512 BF16 or a matrix unit (AMX); float32 on
    /// others.
    ///
    /// Factors are rounded to 8 significant bits, with a relative error of at most 1/512 each.
    case bfloat16

    /// Whether this CPU has products of bfloat16 numbers.
    package static let hasBfloat16 = BfloatLevel.best != .none
}

/// The instructions for products of bfloat16 numbers.
///
/// The levels add in different orders.
package enum BfloatLevel: Int32, CaseIterable, Sendable, CustomStringConvertible {
    /// Float32 products instead.
    case none
    /// AVX-512 BF16.
    case vectors
    /// The matrix unit, AMX.
    case tiles

    /// The best level of this CPU that the system lets this process use.
    package static let best = BfloatLevel(rawValue: ck_bfloat_level()) ?? .none

    /// The arithmetic, as a version records it.
    package var description: String {
        switch self {
        case .none: "float32"
        case .vectors: "bfloat16"
        case .tiles: "bfloat16 (AMX)"
        }
    }
}
