import Foundation

/// An estimate of the number of distinct elements, in 2 KB whatever their number.
///
/// HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, AofA 2007) over 64-bit hashes with 2,048 registers, and linear
/// counting below some thousands: the standard error is `1.04 / sqrt(2048)`, 2.3 percent. The maxima of the registers
/// of several counts give the count of all.
package struct DistinctCount {
    /// How many registers there are.
    package static let registers = 2048
    private static let indexBits = 11

    private var ranks = [UInt8](repeating: 0, count: registers)

    /// Starts with no element.
    package init() {}

    /// The register of a hash, and its rank: the number of leading zeros of the remaining bits, plus one.
    static func place(of hash: UInt64) -> (register: Int, rank: UInt8) {
        // The lowest bit ends every run of zeros.
        let rest = hash << UInt64(indexBits) | 1
        return (Int(hash >> UInt64(64 - indexBits)), UInt8(rest.leadingZeroBitCount + 1))
    }

    /// Adds an element by its hash, whose bits must all be close to random.
    package mutating func insert(_ hash: UInt64) {
        let (register, rank) = Self.place(of: hash)
        raise(register, to: rank)
    }

    /// Merges a register of another count.
    mutating func raise(_ register: Int, to rank: UInt8) {
        ranks[register] = max(ranks[register], rank)
    }

    /// The approximate number of distinct hashes.
    package var estimate: Double {
        let count = Double(Self.registers)
        let zeros = ranks.count { $0 == 0 }
        let sum = ranks.reduce(0.0) { $0 + 1 / Double(UInt64(1) << UInt64($1)) }
        let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
        return zeros > 0 && raw <= 2.5 * count ? count * log(count / Double(zeros)) : raw
    }
}
