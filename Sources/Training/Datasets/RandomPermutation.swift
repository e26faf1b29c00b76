import Kernels

/// A random permutation of `0..<count` that is computed, not stored.
///
/// A keyed Feistel network permutes a grid of about `sqrt(count)` by `sqrt(count)` places. It is applied again while
/// the result lies outside `0..<count` (cycle walking); this is rare, because fewer than `sqrt(count)` places lie
/// outside. Source: Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002 (generalised Feistel and
/// cycle walking).
public struct RandomPermutation: Sendable {
    private static let rounds = 8

    /// How many numbers are permuted.
    public let count: Int
    /// The grid's sides; `left * right >= count`.
    private let left: UInt64
    private let right: UInt64
    private let keys: [UInt64]

    /// The permutation of one seed and epoch.
    ///
    /// - Precondition: `count` is in `1...2^62`.
    public init(count: Int, seed: UInt64, epoch: Int) {
        precondition(count > 0 && count <= 1 << 62, "a permutation of \(count) numbers")
        self.count = count
        var side = UInt64(Double(count).squareRoot())
        while side * side < UInt64(count) { side += 1 }
        left = side
        right = (UInt64(count) + side - 1) / side
        let generator = CounterBasedGenerator(seed: seed, purpose: .shuffle)
        let words = generator.words(stream: UInt64(epoch), count: 2 * Self.rounds)
        keys = (0..<Self.rounds).map { UInt64(words[2 * $0]) << 32 | UInt64(words[2 * $0 + 1]) }
    }

    /// The number at a position.
    ///
    /// - Complexity: O(1) expected.
    public subscript(position: Int) -> Int {
        precondition(position >= 0 && position < count, "position \(position) is outside 0..<\(count)")
        var place = UInt64(position)
        repeat {
            place = shuffled(place)
        } while place >= UInt64(count)
        return Int(place)
    }

    /// Applies all rounds; each adds to one coordinate a number computed from the other, so it is invertible.
    private func shuffled(_ place: UInt64) -> UInt64 {
        var (x, y) = (place / right, place % right)
        for round in stride(from: 0, to: Self.rounds, by: 2) {
            x += Self.mixed(y, keys[round], below: left)
            if x >= left { x -= left }
            y += Self.mixed(x, keys[round + 1], below: right)
            if y >= right { y -= right }
        }
        return x * right + y
    }

    /// The finaliser of SplitMix64, scaled to `0..<bound`.
    private static func mixed(_ value: UInt64, _ key: UInt64, below bound: UInt64) -> UInt64 {
        var z = value &+ key
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return (z ^ z >> 31).multipliedFullWidth(by: bound).high
    }
}
