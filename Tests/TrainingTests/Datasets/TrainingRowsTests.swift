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

@Suite("Training rows") struct TrainingRowsTests {
    @Test("lists every prefix of at least one item, in order", arguments: 0..<8 as Range<UInt64>)
    func allPrefixes(seed: UInt64) {
        let sequences = randomSequences(users: 30, items: 20, longest: 7, seed: seed)
        let rows = TrainingRows(sequences)
        var expected: [TrainingRows.Position] = []
        for user in 0..<sequences.count {
            for cut in stride(from: 1, to: sequences[user].count, by: 1) {
                expected.append(.init(user: user, cut: cut))
            }
        }
        #expect((0..<rows.count).map { rows.position(of: $0) } == expected)
        for position in expected {
            let sequence = Array(sequences[position.user])
            #expect(rows.target(at: position) == sequence[position.cut])
            for limit in 1...8 {
                let history = Array(rows.history(at: position, limit: limit))
                #expect(history == Array(sequence[max(0, position.cut - limit)..<position.cut]))
            }
        }
    }

    @Test("without a sequence of two items there are no rows") func noRows() {
        #expect(TrainingRows(RaggedRows([[1], [], [2]])).count == 0)
        #expect(TrainingRows(RaggedRows()).count == 0)
    }

    @Test("batches go through epochs; each epoch has every row once", arguments: [1, 7, 64, 1_000])
    func epochs(size: Int) {
        let rows = TrainingRows(randomSequences(users: 40, items: 30, longest: 9, seed: 1))
        let steps = 3 * rows.count / size + 1
        let drawn = (0..<steps).flatMap { rows.batch(step: $0, size: size, seed: 5) }
        #expect(drawn.count == steps * size)
        for epoch in 0..<3 {
            #expect(drawn[epoch * rows.count..<(epoch + 1) * rows.count].sorted() == Array(0..<rows.count))
        }
        #expect(drawn[..<rows.count] != drawn[rows.count..<2 * rows.count])
    }

    @Test("a batch depends on step, size and seed only") func resumable() {
        let rows = TrainingRows(randomSequences(users: 40, items: 30, longest: 9, seed: 1))
        #expect(rows.batch(step: 77, size: 16, seed: 2) == rows.batch(step: 77, size: 16, seed: 2))
        #expect(rows.batch(step: 77, size: 16, seed: 2) != rows.batch(step: 77, size: 16, seed: 3))
        let halves = [154, 155].flatMap { rows.batch(step: $0, size: 8, seed: 2) }
        #expect(rows.batch(step: 77, size: 16, seed: 2) == halves)
    }

    @Test("cuts of one window are prefixes of each other and end at the drawn row", arguments: [1, 2, 4, 8])
    func windows(cuts: Int) {
        let sequences = RaggedRows([Array(0..<40), [40, 41, 42], [43, 44], Array(45..<70)] as [[Int32]])
        let rows = TrainingRows(sequences)
        let limit = 10
        for step in 0..<6 {
            let found = rows.windows(step: step, size: 16, range: 0..<16, cuts: cuts, limit: limit, seed: 3)
            let drawn = rows.batch(step: step, size: 16 / cuts, seed: 3).map(rows.position(of:))
            #expect(found.count == 16)
            for window in 0..<16 / cuts {
                let group = found[window * cuts..<(window + 1) * cuts]
                let histories = group.map { rows.history(at: $0.position, limit: $0.limit) }
                #expect(group.last?.position == drawn[window])
                #expect(histories.last == rows.history(at: drawn[window], limit: limit))
                for (history, next) in zip(histories, histories.dropFirst()) {
                    #expect(!history.isEmpty && next.starts(with: history))
                }
                let cutsFound = Set(group.map(\.position.cut))
                // As many different cuts as there are in the newer half of the window.
                #expect(cutsFound.count == min(cuts, min(drawn[window].cut, limit / 2 + 1)))
            }
            // A part of a step equals the same part of the whole step.
            let part = rows.windows(step: step, size: 16, range: 8..<16, cuts: cuts, limit: limit, seed: 3)
            #expect(part.map(\.position) == found[8...].map(\.position))
        }
    }
}
