import Autodiff
import Kernels
import Recommenders
import Testing
import Training

/// A model that returns given vectors, so that the oracle knows the scores.
private struct FixedRecommender: TrainedRecommender {
    struct Configuration: ModelConfiguration {
        var dimension = 0
        var historyLength = 3
        func validate(prefix: String) throws(ConfigurationError) {}
    }

    static let system = "fixed"
    let configuration = Configuration()
    var parameters = ParameterSet()
    let readOuts = [ReadOut.served]
    let scoringItems: Matrix
    let perUser: Int

    init(scoringItems: Matrix, perUser: Int) { (self.scoringItems, self.perUser) = (scoringItems, perUser) }
    init(_ configuration: Configuration, parameters: ParameterSet) { preconditionFailure("not trained") }
    func layout(items: Int) -> ParameterLayout { preconditionFailure("not trained") }

    func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss { preconditionFailure("not trained") }
    mutating func constrain() {}

    func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        let d = scoringItems.columns
        let rows = noise.streams.indices.flatMap { row in
            (0..<perUser).map { k in Self.vector(Array(histories[row]), noise.streams[row], k, d) }
        }
        return UserVectors(rows: Matrix(rows), perUser: perUser)
    }

    static func vector(_ history: [Int32], _ stream: UInt64, _ k: Int, _ d: Int) -> [Float] {
        let name = history.reduce(stream &* 8 &+ UInt64(k)) { $0 &* 131 &+ UInt64($1) }
        return CounterBasedGenerator(seed: 1, purpose: .simulation).normals(stream: name, count: d)
    }
}

@Suite("Evaluator") struct EvaluatorTests {
    private static let items = 60
    private static let sequences = randomSequences(users: 50, items: items, longest: 9, seed: 4)

    private func evaluator(
        _ rows: EvaluationRows,
        limit: Int? = nil,
        categories: [[Int32]] = [],
        filterHistory: Bool = false
    ) -> Evaluator {
        Evaluator(
            rows: rows,
            limit: limit,
            historyLength: 3,
            popularity: PopularityPredictor(sequences: Self.sequences, items: Self.items),
            diversity: Diversity(items: Self.items, categories: categories),
            filterHistory: filterHistory,
            measuresWithoutHistory: true
        )
    }

    private var rows: EvaluationRows {
        let part = DataPart(userIDs: (0..<Self.sequences.count).map(String.init), sequences: Self.sequences)
        return EvaluationRows(part, protocol: .allPrefixes)
    }

    private func items(duplicated: Bool = false) -> Matrix {
        let vectors = CounterBasedGenerator(seed: 2, purpose: .simulation)
        return Matrix(
            (0..<Self.items).map { vectors.normals(stream: UInt64(duplicated ? $0 / 2 : $0), count: 5) }
        )
    }

    /// Every row's rank by scoring and counting in Double, read-out by read-out.
    private func expected(_ rows: EvaluationRows, _ items: Matrix, perUser: Int, filter: Bool) -> RankingMetrics {
        var metrics = RankingMetrics()
        for row in 0..<rows.count {
            let history = rows.history(of: row, limit: 3)
            let scores = (0..<items.rows).map { item in
                (0..<perUser).map { k in
                    let user = FixedRecommender.vector(history, UInt64(row), k, items.columns)
                    return zip(user, items.row(item)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                }.max() ?? 0
            }
            guard let target = rows.target(of: row).map({ Int($0) }) else {
                metrics.add(rank: nil)
                continue
            }
            let struck = filter ? Set(rows.history(of: row, limit: .max).map { Int($0) }) : []
            guard !struck.contains(target) else {
                metrics.add(rank: nil)
                continue
            }
            metrics.add(
                rank: scores.indices.count { item in
                    !struck.contains(item)
                        && (scores[item] > scores[target] || (scores[item] == scores[target] && item < target))
                }
            )
        }
        return metrics
    }

    @Test("ranks equal a Double sort", arguments: [1, 3], [false, true])
    func equalsBruteForce(perUser: Int, filter: Bool) {
        let items = items()
        let model = FixedRecommender(scoringItems: items, perUser: perUser)
        let result = evaluator(rows, filterHistory: filter).evaluate(model, readOut: .served, noiseSeed: 0)
        #expect(result.metrics == expected(rows, items, perUser: perUser, filter: filter))
        #expect(result.metrics.rows == rows.count && result.fallbackRows == 0 && result.unknownTargets == 0)
        var byRow = RankingMetrics()
        for rank in result.ranks { byRow.add(rank: rank == Evaluator.Result.unranked ? nil : Int(rank)) }
        #expect(byRow == result.metrics)
        #expect(result.withoutHistory == expected(rows, items, perUser: perUser, filter: true))
    }

    @Test("targets are divided by the popularity of their item") func popularityParts() {
        let model = FixedRecommender(scoringItems: items(), perUser: 1)
        let result = evaluator(rows).evaluate(model, readOut: .served, noiseSeed: 0)
        let order = PopularityPredictor(sequences: Self.sequences, items: Self.items).order
        let expected = [order[..<6], order[6..<30], order[30...]].map { part in
            (0..<rows.count).count { row in rows.target(of: row).map(part.contains) ?? false }
        }
        #expect(result.byPopularity.map(\.rows) == expected && expected.allSatisfy { $0 > 0 })
        var merged = RankingMetrics()
        for part in result.byPopularity { merged.merge(part) }
        #expect(merged == result.metrics)
    }

    @Test("a target whose score is not a number is a miss") func notANumber() {
        var items = items()
        for item in 0..<Self.items { items[item, 0] = .nan }
        let model = FixedRecommender(scoringItems: items, perUser: 1)
        let result = evaluator(rows).evaluate(model, readOut: .served, noiseSeed: 0)
        #expect(result.metrics.rows == rows.count && result.metrics.hitRate(at: 50) == 0)
    }

    @Test("ties go to the lower item")
    func ties() {
        let items = items(duplicated: true)
        let model = FixedRecommender(scoringItems: items, perUser: 1)
        let result = evaluator(rows).evaluate(model, readOut: .served, noiseSeed: 0)
        #expect(result.metrics == expected(rows, items, perUser: 1, filter: false))
    }

    @Test("unknown targets are misses, unknown histories are ranked by popularity")
    func unknownItems() {
        let sequences = RaggedRows([[-1, 7], [3, -1], [-1, -1], [5, 6]] as [[Int32]])
        let part = DataPart(userIDs: ["a", "b", "c", "d"], sequences: sequences)
        let rows = EvaluationRows(part, protocol: .allPrefixes)
        let model = FixedRecommender(scoringItems: items(), perUser: 1)
        let result = evaluator(rows).evaluate(model, readOut: .served, noiseSeed: 0)
        #expect(result.metrics.rows == 4 && result.fallbackRows == 2 && result.unknownTargets == 2)
        let known = result.ranks.enumerated().filter { $0.element != Evaluator.Result.unranked }.map(\.offset)
        #expect(Set(known).isSubset(of: [0, 3]))
    }

    @Test("a limit selects evenly spaced rows")
    func limited() {
        let model = FixedRecommender(scoringItems: items(), perUser: 1)
        let result = evaluator(rows, limit: 10).evaluate(model, readOut: .served, noiseSeed: 0)
        #expect(result.metrics.rows == 10)
    }

    @Test("diversity counts the top 100 of the ranking")
    func diversity() {
        let categories = (0..<Self.items).map { [Int32($0 % 7)] }
        let model = FixedRecommender(scoringItems: items(), perUser: 1)
        let result = evaluator(rows, categories: categories).evaluate(model, readOut: .served, noiseSeed: 0)
        #expect(result.diversity?.meanCategories == 7)
    }
}
