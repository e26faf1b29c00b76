import Kernels
import Recommenders
import Testing
import Training

@Suite("History dropout") struct HistoryDropoutTests {
    private func histories(_ count: Int) -> [ArraySlice<Int32>] {
        let generator = CounterBasedGenerator(seed: 5, purpose: .simulation)
        return (0..<count).map { row in
            let length = 1 + row % 40
            return generator.uniforms(stream: UInt64(row), count: length).map { Int32($0 * 1000) }[...]
        }
    }

    @Test("a probability of 0 keeps every item") func keepsAll() {
        let dropout = HistoryDropout(probability: 0, seed: 1)
        for (row, history) in histories(80).enumerated() {
            #expect(dropout.kept(history, stream: UInt64(row)) == Array(history))
        }
        #expect(dropout.kept([], stream: 0).isEmpty)
    }

    @Test("keeps each position equally often, and at least one item", arguments: [0.1, 0.4, 0.9])
    func keepsShare(probability: Double) {
        let dropout = HistoryDropout(probability: probability, seed: 2)
        let history: ArraySlice<Int32> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        var hits = [Double](repeating: 0, count: 10)
        for stream in 0..<10_000 as Range<UInt64> {
            let kept = dropout.kept(history, stream: stream)
            #expect(!kept.isEmpty && kept == kept.sorted())
            for item in kept { hits[Int(item)] += 1 }
        }
        for (place, share) in hits.map({ $0 / 10_000 }).enumerated() {
            // The newest item is also kept by the rule for empty histories.
            let rescued = place == 9 ? (0..<10).reduce(1) { product, _ in product * probability } : 0
            // Five standard deviations at most.
            #expect(abs(share - (1 - probability) - rescued) < 0.025, "place \(place): \(share)")
        }
    }

    @Test("keeps the same items of a prefix as of the whole") func keepsPrefixes() {
        let dropout = HistoryDropout(probability: 0.5, seed: 3)
        for (row, history) in histories(200).enumerated() {
            let whole = dropout.kept(history, stream: UInt64(row))
            for length in 1...history.count {
                let prefix = history.prefix(length)
                let kept = dropout.kept(prefix, stream: UInt64(row))
                #expect(whole.starts(with: kept) || kept == [prefix.last ?? -1], "row \(row), \(length) items")
            }
        }
    }

    @Test("depends on seed and stream alone") func isKeyed() {
        let history = (0..<200 as Range<Int32>).map { $0 }[...]
        func kept(_ seed: UInt64, _ stream: UInt64) -> [Int32] {
            HistoryDropout(probability: 0.5, seed: seed).kept(history, stream: stream)
        }
        #expect(kept(1, 1) == kept(1, 1))
        #expect(kept(1, 1) != kept(1, 2) && kept(1, 1) != kept(2, 1))
    }

    @Test("a step drops items, and the histories of a window stay prefixes of each other", arguments: [false, true])
    func isPartOfBatches(whole: Bool) throws {
        let sequences = RaggedRows((0..<20 as Range<Int32>).map { user in (0..<30).map { user * 30 + $0 } })
        let train = DataPart(userIDs: (0..<20).map(String.init), sequences: sequences)
        func histories(_ probability: Double, step: Int = 3) throws -> (rows: RaggedRows, targets: [Int32]) {
            var recipe = Recipe()
            recipe.training.batchSize = 64
            recipe.training.historyDropout = probability
            if whole { recipe.model.guidance.kind = .transformer }
            let model = DimeRec(recipe.model, items: 600, seed: 1)
            let assembly = BatchAssembly(train: train, items: 600, recipe: recipe, model: model, seed: 7)
            let step = assembly.step(step)
            #expect(step.shards.count >= 2)
            let batches = try step.shards.indices.map { try assembly.batch(step, shard: $0) }
            #expect(batches.reduce(0) { $0 + $1.targets.count } == step.targets)
            return (
                RaggedRows(batches.flatMap { batch in (0..<batch.targets.count).map { Array(batch.histories[$0]) } }),
                batches.flatMap(\.targets)
            )
        }
        let (plain, thinned) = (try histories(0), try histories(0.5))
        #expect(thinned.targets == plain.targets)
        let (all, left) = (plain.rows, thinned.rows)
        for row in 0..<all.count { #expect(Set(left[row]).isSubset(of: all[row]) && !left[row].isEmpty) }
        #expect(left.ids.count > all.ids.count / 3 && left.ids.count < all.ids.count * 2 / 3)
        for row in 1..<all.count where whole && all[row].count > 1 && all[row].starts(with: all[row - 1]) {
            #expect(left[row].starts(with: left[row - 1]) || left[row - 1].count == 1, "row \(row)")
        }
        #expect(try histories(0.5, step: 4).rows != left)
    }
}
