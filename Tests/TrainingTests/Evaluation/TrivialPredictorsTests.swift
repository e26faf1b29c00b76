import Kernels
import Testing
import Training

@Suite("Trivial predictors") struct TrivialPredictorsTests {
    private static let items = 30

    /// Rank under lexicographic scores, computed over the whole catalogue: larger first, then the lower number.
    private func bruteForceRank(of target: Int32, scores: [(Int, Int)]) -> Int {
        let own = scores[Int(target)]
        return scores.enumerated().count { item, score in
            score > own || (score == own && Int32(item) < target)
        }
    }

    private func popularity(_ sequences: RaggedRows) -> [Int] {
        (0..<Int32(Self.items)).map { item in sequences.ids.count { $0 == item } }
    }

    private func transitions(_ sequences: RaggedRows, from last: Int32) -> [Int] {
        var counts = [Int](repeating: 0, count: Self.items)
        for user in 0..<sequences.count {
            for (item, next) in zip(sequences[user], sequences[user].dropFirst()) where item == last {
                counts[Int(next)] += 1
            }
        }
        return counts
    }

    @Test("popularity equals counting", arguments: 0..<5 as Range<UInt64>)
    func popularityRank(seed: UInt64) {
        let sequences = randomSequences(users: 8, items: Self.items - 4, longest: 12, seed: seed)
        let predictor = PopularityPredictor(sequences: sequences, items: Self.items)
        let counts = popularity(sequences)
        #expect(predictor.order.sorted() == Array(0..<Int32(Self.items)))
        for item in 0..<Int32(Self.items) {
            let rank = bruteForceRank(of: item, scores: counts.map { ($0, 0) })
            #expect(predictor.rank(of: item, after: 3) == rank && predictor.rank(of: item, after: nil) == rank)
            #expect(predictor.order[rank] == item)
        }
    }

    @Test("an incomplete list ranks only its items") func shortList() throws {
        let predictor = PopularityPredictor(order: [4, 29], items: Self.items)
        #expect(predictor.rank(of: 4, after: nil) == 0 && predictor.rank(of: 29, after: 3) == 1)
        #expect(predictor.rank(of: 0, after: nil) == nil && predictor.rank(of: 28, after: 4) == nil)
        let predictors = TrivialPredictors(nil, items: Self.items, popularity: [29])
        for filterHistory in [false, true] {
            let found = predictors.metrics(on: rows([[3, 29], [29, 3]]), filterHistory: filterHistory)
            #expect(found.first { $0.name == "popularity" }?.metrics["hr@10"] == 0.5)
        }
    }

    @Test("transitions equal counts of pairs over the whole catalogue", arguments: 0..<5 as Range<UInt64>)
    func transitionRank(seed: UInt64) {
        let sequences = randomSequences(users: 40, items: Self.items - 4, longest: 12, seed: seed)
        let predictor = TransitionPredictor(sequences: sequences, items: Self.items)
        let counts = popularity(sequences)
        for last in 0..<Int32(Self.items) {
            let scores = Array(zip(transitions(sequences, from: last), counts))
            for target in 0..<Int32(Self.items) {
                #expect(predictor.rank(of: target, after: last) == bruteForceRank(of: target, scores: scores))
            }
        }
        #expect(predictor.rank(of: 7, after: nil) == predictor.popularity.rank(of: 7, after: nil))
    }

    @Test("repeating the last item ranks nothing else") func repeatLast() {
        #expect(RepeatLastPredictor().rank(of: 4, after: 4) == 0)
        #expect(RepeatLastPredictor().rank(of: 4, after: 5) == nil)
        #expect(RepeatLastPredictor().rank(of: 4, after: nil) == nil)
    }

    @Test("session-popularity equals counting over the whole catalogue", arguments: 0..<5 as Range<UInt64>)
    func sessionPopularity(seed: UInt64) {
        let sequences = randomSequences(users: 12, items: Self.items - 4, longest: 12, seed: seed)
        let predictor = SessionPopularityPredictor(PopularityPredictor(sequences: sequences, items: Self.items))
        let counts = popularity(sequences)
        for user in 0..<sequences.count {
            let history = Array(sequences[user])
            let scores = (0..<Int32(Self.items)).map { item in (history.count { $0 == item }, counts[Int(item)]) }
            for target in 0..<Int32(Self.items) {
                #expect(predictor.rank(of: target, after: history) == bruteForceRank(of: target, scores: scores))
            }
        }
        let short = SessionPopularityPredictor(PopularityPredictor(order: [4, 29], items: Self.items))
        #expect(short.rank(of: 7, after: [3]) == nil && short.rank(of: 3, after: [3]) == 0)
        #expect(short.rank(of: 4, after: [3]) == 1 && short.rank(of: 29, after: [3, 4]) == 2)
    }

    private func rows(_ sequences: [[Int32]]) -> EvaluationRows {
        let part = DataPart(userIDs: sequences.map { "\($0)" }, sequences: RaggedRows(sequences))
        return EvaluationRows(part, protocol: .allPrefixes)
    }

    @Test("unknown targets are misses, an unknown last item is skipped") func unknownItems() {
        // Rows: 5 after nothing known, unknown after 5, 5 after 5 (the unknown between them is skipped).
        let metrics = RepeatLastPredictor().metrics(on: rows([[-1, 5, -1, 5]]))
        #expect(metrics.rows == 3)
        #expect(metrics.hitRate(at: 10) == 1.0 / 3)
    }

    @Test("filtering removes the history from the ranking", arguments: 0..<5 as Range<UInt64>)
    func filtered(seed: UInt64) {
        let train = randomSequences(users: 40, items: Self.items, longest: 12, seed: seed)
        let test = randomSequences(users: 20, items: Self.items, longest: 6, seed: seed + 100)
        let asked = rows((0..<test.count).map { Array(test[$0]) })
        let predictor = TransitionPredictor(sequences: train, items: Self.items)
        var expected = RankingMetrics()
        for row in 0..<asked.count {
            let history = asked.history(of: row, limit: .max)
            let ranking = (0..<Int32(Self.items)).filter { !history.contains($0) }
                .map { ($0, predictor.rank(of: $0, after: history.last) ?? .max) }.sorted { $0.1 < $1.1 }
            expected.add(rank: ranking.firstIndex { $0.0 == asked.target(of: row) })
        }
        #expect(predictor.metrics(on: asked, filterHistory: true) == expected)
        #expect(RepeatLastPredictor().metrics(on: asked, filterHistory: true).hitRate(at: 50) == 0)
    }
}
