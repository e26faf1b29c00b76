import Foundation
package import Kernels

/// Draws the negatives that all rows of a step share: frequent items always, the others by strata.
///
/// An item's weight is half its share of the training events and half an equal share. The expected number of times that
/// a pool of M draws holds it is `min(1, a w)`, with `a` such that all of these add up to M. Items that reach 1 are in
/// every pool. The others lie on a line, each as long as its expected number. The line is cut into parts of length 1,
/// and each part gives the item at a random point. So the pool of a step varies less than independent draws, which
/// repeat frequent items, and its softmax is a closer estimate of that over the catalogue (stratified sampling, Cochran,
/// "Sampling Techniques", chapter 5).
package struct StratifiedPool: Sendable {
    /// The items of every pool.
    package let always: [Int32]
    /// `-log` of the expected number of times that a pool holds each item.
    private let corrections: [Float]
    /// Where each item's part of the line ends; items of every pool have none.
    private let ends: [Double]
    private let generator: CounterBasedGenerator

    /// Prepares pools.
    ///
    /// - Parameters:
    ///   - frequencies: How often each item occurs in the training part.
    ///   - count: The number of draws of a pool, at least 1; at most that of the items.
    ///   - generator: The random numbers.
    /// - Complexity: O(items) for each round in which items turn out to be in every pool. Memory: 12 bytes an item.
    package init(frequencies: [Int32], count: Int, generator: CounterBasedGenerator) {
        precondition(
            1...max(1, frequencies.count) ~= count,
            "a pool of \(count) draws from \(frequencies.count) items"
        )
        let events = max(1, frequencies.reduce(0) { $0 + Int($1) })
        let weights = frequencies.map { 0.5 * Double($0) / Double(events) + 0.5 / Double(frequencies.count) }
        var isAlways = [Bool](repeating: false, count: weights.count)
        var (draws, total) = (count, weights.reduce(0, +))
        while draws > 0 {
            let limit = total / Double(draws)
            let frequent = weights.indices.filter { !isAlways[$0] && weights[$0] >= limit }
            if frequent.isEmpty { break }
            // Rounding may find more items than there are draws when all weights are equal.
            for item in frequent.prefix(draws) {
                isAlways[item] = true
                total -= weights[item]
                draws -= 1
            }
        }
        let factor = draws > 0 ? Double(draws) / total : 0
        var (ends, end) = ([Double](), 0.0)
        ends.reserveCapacity(weights.count)
        for (item, weight) in weights.enumerated() {
            if !isAlways[item] { end += weight * factor }
            ends.append(end)
        }
        corrections = weights.indices.map { isAlways[$0] ? 0 : Float(-log(max(1e-30, weights[$0] * factor))) }
        always = weights.indices.lazy.filter { isAlways[$0] }.map { Int32($0) }
        self.ends = ends
        self.generator = generator
    }

    /// The pool of a step: a pure function of the seed and the step.
    ///
    /// - Parameters:
    ///   - step: The training step.
    ///   - isCorrected: Whether each column has its correction, which makes the softmax over the pool estimate the
    ///     softmax over all items (Bengio and Senécal, 2008).
    /// - Returns: The items; one may occur twice, where its part of the line lies on a cut.
    /// - Complexity: O(M log items).
    package func pool(step: Int, isCorrected: Bool) -> SharedPool {
        let parts = max(0, Int((ends.last ?? 0).rounded()))
        let points = generator.uniforms(stream: UInt64(step) << 32 | UInt64(UInt32.max), count: parts)
        let items = always + points.enumerated().map { part, point in item(at: Double(part) + point) }
        return SharedPool(items: items, corrections: isCorrected ? items.map { corrections[Int($0)] } : nil)
    }

    /// The item whose part of the line holds a point.
    private func item(at point: Double) -> Int32 {
        // Rounding may leave the line a little shorter than its number of parts.
        let point = min(point, (ends.last ?? 0).nextDown)
        var (low, high) = (0, ends.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > point { high = middle } else { low = middle + 1 }
        }
        return Int32(low)
    }
}
