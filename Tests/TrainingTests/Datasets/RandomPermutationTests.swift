import Kernels
import Testing
import Training

@Suite("Random permutation") struct RandomPermutationTests {
    @Test("is a bijection", arguments: Array(1...40) + [63, 64, 65, 1_000, 4_095, 4_097, 65_537, 100_003])
    func bijection(count: Int) {
        for (seed, epoch) in [(1, 0), (1, 1), (2, 0)] {
            let permutation = RandomPermutation(count: count, seed: UInt64(seed), epoch: epoch)
            var seen = [Bool](repeating: false, count: count)
            for position in 0..<count { seen[permutation[position]] = true }
            #expect(seen.allSatisfy { $0 }, "seed \(seed), epoch \(epoch)")
        }
    }

    @Test("depends on seed and epoch alone") func keyed() {
        func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
            let permutation = RandomPermutation(count: 500, seed: seed, epoch: epoch)
            return (0..<500).map { permutation[$0] }
        }
        let orders = [order(1, 0), order(1, 1), order(2, 0), Array(0..<500)]
        for (index, first) in orders.enumerated() {
            for second in orders[(index + 1)...] {
                // Two random permutations agree in one position on average.
                #expect(zip(first, second).count { $0 == $1 } < 12)
            }
        }
        #expect(order(1, 1) == order(1, 1))
    }

    @Test("maps every position to every number equally often", arguments: [2, 3, 5, 7, 10, 12, 30])
    func uniform(count: Int) {
        let epochs = 600 * count
        var hits = [[Int]](repeating: [Int](repeating: 0, count: count), count: count)
        for epoch in 0..<epochs {
            let permutation = RandomPermutation(count: count, seed: 11, epoch: epoch)
            for position in 0..<count { hits[position][permutation[position]] += 1 }
        }
        // Expectation 600 a cell; six standard deviations.
        #expect(hits.joined().allSatisfy { abs($0 - 600) < 147 }, "\(hits)")
    }

    @Test("separates neighbours") func neighbours() {
        let count = 100_000
        let permutation = RandomPermutation(count: count, seed: 4, epoch: 0)
        let kept = (1..<count).count { abs(permutation[$0] - permutation[$0 - 1]) <= 5 }
        // About 10 of 100,000 gaps are expected to be this small for each of ten distances.
        #expect(kept < 40, "\(kept)")
    }
}
