import Foundation

/// How many different things were seen, estimated in 2 KB whatever their number.
///
/// HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, AofA 2007) over 64-bit hashes with 2,048 registers, and linear
/// counting below some thousands: the standard error is `1.04 / sqrt(2048)`, 2.3 percent. Registers of several counts join
/// by their maxima into the count of all.
package struct DistinctCount {
    /// How many registers there are.
    package static let registers = 2048
    private static let indexBits = 11

    private var ranks = [UInt8](repeating: 0, count: registers)

    /// Nothing seen.
    package init() {}

    /// Which register a hash belongs to, and the rank that it raises the register to: one more than the zeros that the rest
    /// of its bits begin with.
    static func place(of hash: UInt64) -> (register: Int, rank: UInt8) {
        // The lowest bit ends every run of zeros.
        let rest = hash << UInt64(indexBits) | 1
        return (Int(hash >> UInt64(64 - indexBits)), UInt8(rest.leadingZeroBitCount + 1))
    }

    /// Adds a thing by its hash, of which every bit must be as good as random.
    package mutating func insert(_ hash: UInt64) {
        let (register, rank) = Self.place(of: hash)
        raise(register, to: rank)
    }

    /// Joins a register of another count.
    mutating func raise(_ register: Int, to rank: UInt8) {
        ranks[register] = max(ranks[register], rank)
    }

    /// How many different hashes were added, about.
    package var estimate: Double {
        let count = Double(Self.registers)
        let zeros = ranks.count { $0 == 0 }
        let sum = ranks.reduce(0.0) { $0 + 1 / Double(UInt64(1) << UInt64($1)) }
        let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
        return zeros > 0 && raw <= 2.5 * count ? count * log(count / Double(zeros)) : raw
    }
}
