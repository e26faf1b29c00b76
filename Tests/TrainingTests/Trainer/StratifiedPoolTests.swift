import Foundation
import Kernels
import Testing

import Training

@Suite("Stratified pools of negatives") struct StratifiedPoolTests {
    /// Frequencies of 60 items, from none to most of the events.
    private static let frequencies: [Int32] = (0..<60).map { item in
        let rise = max(0, Int32(item) - 19)
        return rise * rise / 4
    }

    private func pools(_ count: Int, frequencies: [Int32]? = nil, seed: UInt64 = 3) -> StratifiedPool {
        StratifiedPool(
            frequencies: frequencies ?? Self.frequencies,
            count: count,
            generator: CounterBasedGenerator(seed: seed, purpose: .negatives)
        )
    }

    @Test("a pool has as many items as asked for, and all of the frequent ones", arguments: [1, 2, 7, 30, 59, 60])
    func size(count: Int) {
        let pools = pools(count)
        #expect(count < 30 || !pools.always.isEmpty)
        for step in 0..<200 {
            let items = pools.pool(step: step, isCorrected: false).items
            #expect(items.count == count)
            #expect(Set(pools.always).isSubset(of: items))
            // The parts of neighbours on the line may be cut, so an item may occur twice, never more often.
            #expect(Dictionary(grouping: items, by: \.self).values.allSatisfy { $0.count <= 2 })
        }
        if count == 60 { #expect(Set(pools.pool(step: 0, isCorrected: false).items).count == 60) }
    }

    @Test("an item occurs as often as its weight says", arguments: [1, 7, 30])
    func occurrences(count: Int) {
        let pools = pools(count)
        var found = [Double](repeating: 0, count: Self.frequencies.count)
        let steps = 20_000
        for step in 0..<steps {
            for item in pools.pool(step: step, isCorrected: false).items { found[Int(item)] += 1 / Double(steps) }
        }
        let events = Double(Self.frequencies.reduce(0, +))
        let weights = Self.frequencies.map { 0.5 * Double($0) / events + 0.5 / 60 }
        // The definition, by bisection: expected numbers min(1, a w) that add up to the size of the pool.
        var (low, high) = (0.0, 1e6)
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if weights.reduce(0, { $0 + min(1, middle * $1) }) < Double(count) { low = middle } else { high = middle }
        }
        for (item, weight) in weights.enumerated() {
            let expected = min(1, low * weight)
            let deviation = (expected / Double(steps)).squareRoot()
            #expect(abs(found[item] - expected) < 5 * deviation + 1e-9, "item \(item): \(found[item]), \(expected)")
        }
    }

    @Test("corrected sums are right on average, and vary less than those of independent draws", arguments: [3, 16, 40])
    func corrections(count: Int) {
        func weight(_ item: Int32) -> Double { 1 + Double(item % 7) }
        let all = (0..<Int32(60)).reduce(0.0) { $0 + weight($1) }
        let pools = pools(count)
        let sums = (0..<5000).map { step in
            let pool = pools.pool(step: step, isCorrected: true)
            return zip(pool.items, pool.corrections ?? []).reduce(0) { $0 + weight($1.0) * exp(Double($1.1)) }
        }
        let mean = sums.reduce(0, +) / 5000
        let variance = sums.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5000
        #expect(abs(mean - all) < 5 * (variance / 5000).squareRoot() + 1e-3, "\(mean) for \(all)")
        // Independent draws by the same weights: the variance of one draw of weight / probability, over their number.
        let events = Double(Self.frequencies.reduce(0, +))
        let single = (0..<60).reduce(0.0) { sum, item in
            let probability = 0.5 * Double(Self.frequencies[item]) / events + 0.5 / 60
            return sum + pow(weight(Int32(item)), 2) / probability
        }
        #expect(variance < (single - all * all) / Double(count))
    }

    @Test("pools depend on seed and step, and equal frequencies or none are fine") func edges() {
        let (first, other) = (pools(7), pools(7, seed: 4))
        #expect(first.pool(step: 1, isCorrected: true).items == pools(7).pool(step: 1, isCorrected: true).items)
        #expect(first.pool(step: 1, isCorrected: true).items != first.pool(step: 2, isCorrected: true).items)
        #expect(first.pool(step: 1, isCorrected: true).items != other.pool(step: 1, isCorrected: true).items)
        for frequency in [Int32(0), 5] {
            let equal = [Int32](repeating: frequency, count: 10)
            for count in 1...10 {
                let pool = pools(count, frequencies: equal).pool(step: 0, isCorrected: true)
                #expect(pool.items.count == count)
                let expected = -log(Double(count) / 10)
                for correction in pool.corrections ?? [] { #expect(abs(Double(correction) - expected) < 1e-5) }
            }
        }
        #expect(pools(1, frequencies: [9]).pool(step: 0, isCorrected: true).items == [0])
    }
}
