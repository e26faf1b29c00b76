import Foundation
import Kernels
import Testing
import Training

@Suite("Ranking metrics") struct RankingMetricsTests {
    private func metrics(_ ranks: [Int?]) -> RankingMetrics {
        var metrics = RankingMetrics()
        for rank in ranks { metrics.add(rank: rank) }
        return metrics
    }

    /// Ranks from 0, some beyond every cut-off, some missing.
    private func randomRanks(seed: UInt64) -> [Int?] {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let reach = Int.random(in: 1...120, using: &generator)
        return (0..<Int.random(in: 1...400, using: &generator)).map { _ in
            Int.random(in: 0..<8, using: &generator) == 0 ? nil : Int.random(in: 0..<reach, using: &generator)
        }
    }

    @Test(
        "equals the closed forms for a single rank",
        arguments: [
            (0, [1, 1, 1], [1, 1, 1], 1), (2, [1, 1, 1], [0.5, 0.5, 0.5], 1.0 / 3), (9, [1, 1, 1], nil, 0.1),
            (10, [0, 1, 1], nil, 1.0 / 11), (19, [0, 1, 1], nil, 0.05), (20, [0, 0, 1], nil, 0),
            (49, [0, 0, 1], nil, 0),
            (50, [0, 0, 0], [0, 0, 0], 0), (nil, [0, 0, 0], [0, 0, 0], 0), (14, [0, 1, 1], [0, 0.25, 0.25], 1.0 / 15),
            (30, [0, 0, 1], [0, 0, 0.2], 0),
        ] as [(Int?, [Double], [Double]?, Double)]
    )
    func closedForm(rank: Int?, hits: [Double], gains: [Double]?, reciprocal: Double) {
        let metrics = metrics([rank])
        #expect(RankingMetrics.cutoffs.map { metrics.hitRate(at: $0) } == hits)
        if let gains { #expect(RankingMetrics.cutoffs.map { metrics.ndcg(at: $0) } == gains) }
        #expect(metrics.meanReciprocalRank(at: 20) == reciprocal)
    }

    @Test("equals sums over the rows", arguments: 0..<30 as Range<UInt64>)
    func matchesReference(seed: UInt64) {
        let ranks = randomRanks(seed: seed)
        let values = metrics(ranks).values
        for cutoff in [10, 20, 50] {
            let found = ranks.compactMap { $0 }.filter { $0 < cutoff }
            let gain = found.reduce(0.0) { $0 + 1 / log2(Double($1) + 2) } / Double(ranks.count)
            #expect(values["hr@\(cutoff)"] == Double(found.count) / Double(ranks.count))
            #expect(abs((values["ndcg@\(cutoff)"] ?? -1) - gain) < 1e-12)
        }
        let reciprocal = ranks.compactMap { $0 }.filter { $0 < 20 }.reduce(0.0) { $0 + 1 / Double($1 + 1) }
        #expect(abs((values["mrr@20"] ?? -1) - reciprocal / Double(ranks.count)) < 1e-12)
        #expect(values["recall@20"] == values["hr@20"])
        #expect(values.count == 8)
    }

    @Test("with one target a row, the growth of HR bounds that of NDCG", arguments: 0..<60 as Range<UInt64>)
    func slopes(seed: UInt64) {
        let metrics = metrics(randomRanks(seed: seed))
        for (low, high) in [(10, 20), (20, 50)] {
            let hits = metrics.hitRate(at: high) - metrics.hitRate(at: low)
            let gain = metrics.ndcg(at: high) - metrics.ndcg(at: low)
            #expect(gain >= hits / log2(Double(high + 1)) - 1e-12)
            #expect(gain <= hits / log2(Double(low + 2)) + 1e-12)
        }
    }

    @Test("merging parts in any order gives the same bits", arguments: 0..<10 as Range<UInt64>)
    func merging(seed: UInt64) {
        let ranks = randomRanks(seed: seed)
        let parts = stride(from: 0, to: ranks.count, by: 37).map {
            metrics(Array(ranks[$0..<min($0 + 37, ranks.count)]))
        }
        var (forward, backward) = (RankingMetrics(), RankingMetrics())
        for part in parts { forward.merge(part) }
        for part in parts.reversed() { backward.merge(part) }
        #expect(forward == metrics(ranks) && backward == forward)
        #expect(forward.values == backward.values && forward.rows == ranks.count)
    }

    @Test("no rows give zeros") func empty() {
        #expect(RankingMetrics().values.values.allSatisfy { $0 == 0 })
        #expect(RankingMetrics().rows == 0)
    }
}

@Suite("Diversity") struct DiversityTests {
    @Test("counts distinct categories of the first hundred", arguments: 0..<8 as Range<UInt64>)
    func matchesReference(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let categories = (0..<300).map { _ in
            (0..<Int.random(in: 0...3, using: &generator)).map { _ in Int32.random(in: 0..<40, using: &generator) }
        }
        let rankings = (0..<20).map { _ in
            Array(
                (0..<300 as Range<Int32>).shuffled(using: &generator).prefix(Int.random(in: 0...200, using: &generator))
            )
        }
        var whole = Diversity(items: 300, categories: categories)
        var (left, right) = (whole, whole)
        for (row, ranking) in rankings.enumerated() {
            whole.add(ranking: ranking)
            if row % 3 == 0 { left.add(ranking: ranking) } else { right.add(ranking: ranking) }
        }
        left.merge(right)
        left.add(ranking: rankings[0])
        whole.add(ranking: rankings[0])
        let shown = (rankings + [rankings[0]]).map { $0.prefix(100).map { categories[Int($0)] } }
        let all = shown.map { Double(Set($0.joined()).count) }.reduce(0, +) / Double(shown.count)
        let first = shown.map { Double(Set($0.compactMap(\.first)).count) }.reduce(0, +) / Double(shown.count)
        try #require(abs(#require(whole.meanCategories) - all) < 1e-12)
        try #require(abs(#require(whole.meanFirstCategories) - first) < 1e-12)
        #expect(left.values == whole.values)
        let top = Set(rankings.flatMap { $0.prefix(20) })
        #expect(whole.coverage == Double(top.count) / 300)
        #expect(left.rows == 21)
    }

    @Test("no rankings give zero, and items without any category give no figure") func empty() {
        #expect(Diversity(items: 2, categories: [[0], []]).meanCategories == 0)
        var diversity = Diversity(items: 2, categories: [[], []])
        diversity.add(ranking: [0, 1])
        #expect(diversity.meanCategories == nil && diversity.meanFirstCategories == nil && diversity.rows == 1)
        #expect(diversity.coverage == 1)
        #expect(Diversity(items: 2).values == ["coverage@20": 0])
    }
}
