import CheckpointStore
import Kernels
import Recommenders
import TestSupport
import Testing
import Training

@Suite("Evaluation of merged lists") struct BlendEvaluationTests {
    private static let items = 30

    /// Lists of random items with few distinct scores, best first.
    private func lists(_ count: Int, _ random: inout SequentialGenerator) -> [[Scored]] {
        (0..<count).map { _ in
            (0..<Int32(Self.items)).shuffled(using: &random).prefix(Int.random(in: 0...12, using: &random))
                .map { Scored(id: $0, score: Float(Int.random(in: 0..<5, using: &random))) }.sorted()
        }
    }

    @Test("a target ranks after every item with at least its fused score", arguments: SourceBlend.Fusion.allCases)
    func ranks(fusion: SourceBlend.Fusion) {
        var random = SequentialGenerator(CounterBasedGenerator(seed: 3, purpose: .simulation))
        var ranking = BlendRanking(items: Self.items, fusion: fusion, constant: 20)
        for _ in 0..<500 {
            let lists = lists(3, &random)
            let weights = (0..<3).map { _ in [0, 0.5, 1, 1][Int.random(in: 0..<4, using: &random)] }
            let fused = (0..<Int32(Self.items)).map { item in
                zip(lists, weights).reduce(0.0) { sum, part in
                    let (list, weight) = part
                    guard weight > 0, let place = list.firstIndex(where: { $0.id == item }) else { return sum }
                    let (most, least) = (Double(list[0].score), Double(list[list.count - 1].score))
                    let scaled = most > least ? (Double(list[place].score) - least) / (most - least) : 1
                    return sum + weight * (fusion == .score ? scaled : 21 / (20 + Double(place + 1)))
                }
            }
            let target = Int32.random(in: 0..<Int32(Self.items), using: &random)
            let own = fused[Int(target)]
            let expected = own > 0 ? fused.count { $0 >= own } - 1 : nil
            #expect(ranking.rank(of: target, in: lists, weights) == expected)
        }
    }

    /// Two users' rows; popularity finds the frequent targets, repeat-last the repeated ones.
    private func models(_ sequences: [[Int32]]) throws -> [BlendEvaluation.Model] {
        let train = RaggedRows((0..<20).map { user in (0..<6).map { Int32(($0 * $0 + user) % 9) } })
        let part = DataPart(userIDs: sequences.indices.map { "u\($0)" }, sequences: RaggedRows(sequences))
        let rows = EvaluationRows(part, protocol: .allPrefixes)
        let systems: [any Recommender] = [
            Popularity(HistoryConfiguration(), fitting: train, items: Self.items),
            Transitions(Transitions.Configuration(), fitting: train, items: Self.items),
        ]
        return systems.map {
            BlendEvaluation.Model(
                name: "m",
                model: CountedRecommender($0),
                rows: rows,
                numbers: (0..<Int32(Self.items)).map(\.self)
            )
        }
    }

    @Test("weights are never worse on their rows than equal weights or a single model, and 0 leaves a model out")
    func fits() throws {
        let sequences: [[Int32]] = (0..<15).map { user in (0..<8).map { Int32(($0 * 3 + user * user) % 11) } }
        for fusion in SourceBlend.Fusion.allCases {
            let evaluation = BlendEvaluation(try models(sequences), fusion: fusion, window: 10)
            let (weights, metrics) = evaluation.fit()
            let judged = evaluation.metrics([weights, [1, 1], [1, 0], [0, 1]])
            #expect(judged[0].values == metrics.values && metrics.rows == 15 * 7)
            #expect(weights.max() == 1 && weights.allSatisfy { $0 >= 0 })
            #expect(judged.dropFirst().allSatisfy { $0.hitRate(at: 20) <= metrics.hitRate(at: 20) })
        }
    }

    @Test("items are compared by the leading model's numbers, and items that it lacks are left out")
    func mapsNumbers() throws {
        let sequences: [[Int32]] = [[1, 4, 2, 0, 3], [2, 2, 5]]
        var all = try models(sequences)
        let plain = BlendEvaluation([all[0]], window: 8).metrics([[1]])[0]
        all[1] = BlendEvaluation.Model(
            name: "empty",
            model: all[0].model,
            rows: all[0].rows,
            numbers: [Int32](repeating: -1, count: Self.items)
        )
        let with = BlendEvaluation(all, window: 8).metrics([[1, 1]])[0]
        #expect(with.values == plain.values && plain.hitRate(at: 10) > 0)
    }
}
