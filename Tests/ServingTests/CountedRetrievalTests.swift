import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Serving
import TestSupport
import Testing
import VectorIndex

/// Answers with counts against a ranking of the whole catalogue by brute force.
@Suite("Retrieval with counts") struct CountedRetrievalTests {
    private static let weights: [CountScores.Terms] = [
        CountScores.Terms(0.1, 0.05, 0.1, 0.02, 0.3, 0.2, 0.1, 0),
        // Items of the history and followers lose.
        CountScores.Terms(-0.2, -0.05, 0.1, 0.02, -3, -1, 0.1, 0),
        CountScores.Terms(0, 0, -0.5, -0.1, 0, 0, 0, 0),
    ]

    private struct Case {
        let service: RetrievalService
        let ids: [String]
        let counts: CountScores
        let vectors: Matrix
    }

    private func makeCase(_ weights: CountScores.Terms, items: Int, kind: IndexConfiguration.Kind = .flat) throws
        -> Case
    {
        let checkpoint = makeCheckpoint(version: 1, items: items)
        let vectors = try #require(checkpoint.parameters["items"])
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 9, purpose: .simulation))
        let sequences = RaggedRows(
            (0..<300).map { _ in (0..<8).map { _ in Int32.random(in: 0..<Int32(items), using: &generator) } }
        )
        var counts = CountScores(counting: sequences, items: items, CountConfiguration())
        counts.weights = weights
        let snapshot = try SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { [counts] _ in
                ServedModel(encoder: MeanEncoder(items: vectors), itemVectors: vectors, counts: counts)
            },
            makeIndex: { _, vectors in
                try IndexFormat.build(vectors: vectors, configuration: IndexConfiguration(kind: kind))
            },
            makeExactIndex: { try FlatIndex(vectors: $0) }
        ).build(checkpoint, generation: 1)
        let holder = RoutingHolder()
        holder.publish(snapshot)
        return Case(
            service: RetrievalService(holder: holder),
            ids: checkpoint.catalogue.ids,
            counts: counts,
            vectors: vectors
        )
    }

    /// The scores of all items by definition.
    private func scores(_ item: Case, _ history: [Int32], seed: UInt64, samples: Int) -> [Float] {
        let encoder = MeanEncoder(items: item.vectors)
        let users = (0..<samples).map {
            encoder.userVector(Array(history.suffix(encoder.historyLength)), seed: seed, steps: 20, sample: $0)
        }
        var scores = Matrix([
            (0..<item.vectors.rows).map { number in
                users.map { user in zip(user, item.vectors.row(number)).reduce(0) { $0 + $1.0 * $1.1 } }.max() ?? 0
            }
        ])
        item.counts.add(to: &scores, histories: RaggedRows([history]))
        return scores.row(0)
    }

    @Test("answers equal a brute-force ranking", arguments: weights.indices, [30, 700])
    func bruteForce(weights: Int, items: Int) throws {
        let item = try makeCase(Self.weights[weights], items: items)
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 77, purpose: .simulation))
        for round in 0..<60 {
            let history = (0..<Int.random(in: 1...30, using: &generator)).map { _ in
                Int32.random(in: 0..<Int32(items), using: &generator)
            }
            let ids = item.ids
            var request = RetrievalRequest(history: history.map { ids[Int($0)] }, k: 1 + round % 40)
            request.seed = UInt64(round)
            request.samples = 1 + round % 3
            request.excludeHistory = round % 2 == 0
            request.exact = round % 5 == 0
            if round % 4 == 0 { request.exclude = IdentifierList([ids[3], ids[5]]) }
            if round % 3 == 0 { request.filter = CategoryFilter(anyOf: ["Third"], noneOf: []) }
            let answer = try item.service.retrieve(request, workspace: RetrievalWorkspace()).items
            let scores = scores(item, history, seed: UInt64(round), samples: request.samples)
            let allowed = (0..<Int32(items)).filter { number in
                !(request.excludeHistory && history.contains(number))
                    && !(round % 4 == 0 && [3, 5].contains(number))
                    && !(round % 3 == 0 && number % 3 != 0)
            }
            let expected = allowed.sorted { (scores[Int($1)], $0) < (scores[Int($0)], $1) }.prefix(request.k)
            #expect(answer.count == expected.count)
            for (found, wanted) in zip(answer, expected) {
                #expect(abs(found.score - scores[Int(wanted)]) < 1e-4)
                #expect(abs(found.score - scores[Int(found.id)]) < 1e-4)
            }
        }
    }

    @Test("an explanation says which part of a score comes from counts") func explanation() throws {
        let item = try makeCase(Self.weights[0], items: 60)
        var request = RetrievalRequest(history: [3, 9, 14].map { item.ids[$0] }, k: 20)
        request.excludeHistory = false
        let trace = try item.service.trace(request)
        var counted = Matrix(rows: 1, columns: 60)
        item.counts.add(to: &counted, histories: RaggedRows([[3, 9, 14]]))
        #expect(trace.countScores.count == 20 && trace.countScores.contains { $0 > 0 })
        for (answer, score) in zip(trace.response.items, trace.countScores) {
            #expect(abs(score - counted[0, Int(answer.id)]) < 1e-6)
        }
    }

    @Test("a partitioned index finds the same with counts") func partitioned() throws {
        let item = try makeCase(Self.weights[1], items: 3000, kind: .partitioned)
        var (found, wanted) = (0, 0)
        for user in 0..<40 {
            let history = (0..<6).map { Int32((user * 71 + $0 * 13) % 3000) }
            var request = RetrievalRequest(history: history.map { item.ids[Int($0)] }, k: 20)
            let answer = try item.service.retrieve(request, workspace: RetrievalWorkspace()).items
            request.exact = true
            let exact = try item.service.retrieve(request, workspace: RetrievalWorkspace()).items
            found += Set(answer.map(\.id)).intersection(exact.map(\.id)).count
            wanted += exact.count
        }
        #expect(Double(found) >= 0.97 * Double(wanted))
    }
}
