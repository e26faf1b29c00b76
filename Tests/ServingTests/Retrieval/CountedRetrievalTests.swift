import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Serving
import Synchronization
import TestSupport
import Testing
import VectorIndex

/// Exact candidates from outside of the process, and how many were asked for.
private final class Asked: CandidateSource {
    let most: Int
    let timeout: UInt64 = 1_000_000_000
    let counts = Mutex<[Int]>([])
    private let index: FlatIndex

    init(_ vectors: Matrix, most: Int) throws {
        index = try FlatIndex(vectors: vectors)
        self.most = most
    }

    func candidates(near query: Span<Float>, count: Int, effort: Int?, until deadline: UInt64) -> Candidates {
        counts.withLock { $0.append(count) }
        return Candidates(items: index.search(query, k: count).map(\.id), completeness: .whole)
    }
}

/// Answers with counts against a ranking of the whole catalogue by brute force.
@Suite("Retrieval with counts") struct CountedRetrievalTests {
    private static let weights: [CountScores.Terms] = [
        countTerms(0.1, 0.05, 0.1, 0.02, 0.3, 0.2, 0.1, -0.05, 0.02, -0.03, 0.04, 0.05),
        // Items of the history and followers lose.
        countTerms(-0.2, -0.05, 0.1, 0.02, -3, -1, 0.1, -0.05, 0.02, -0.03, 0.04, 0.05),
        countTerms(0, 0, -0.5, -0.1),
    ]

    /// The slopes that go with each of the weights.
    private static let slopes = [
        CountScores.Slopes(repeated: 0.4, followed: 0.1, near: -0.3), CountScores.Slopes(),
        CountScores.Slopes(repeated: 1.5, followed: -0.2, near: 0.05),
    ]

    private struct Case {
        let service: RetrievalService
        let snapshot: ServingSnapshot
        let ids: [String]
        let counts: CountScores
        let vectors: Matrix
    }

    private func makeCase(
        _ number: Int,
        items: Int,
        kind: IndexConfiguration.Kind = .flat,
        over makeIndex: (@Sendable (Matrix) throws -> any VectorIndex)? = nil
    ) throws -> Case {
        let checkpoint = makeCheckpoint(version: 1, items: items)
        let vectors = try #require(checkpoint.parameters["items"])
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 9, purpose: .simulation))
        let sequences = RaggedRows(
            (0..<300).map { _ in (0..<8).map { _ in Int32.random(in: 0..<Int32(items), using: &generator) } }
        )
        var configuration = CountConfiguration()
        configuration.popular = 10
        var counts = CountScores(counting: sequences, items: items, configuration)
        (counts.weights, counts.slopes) = (Self.weights[number], Self.slopes[number])
        let snapshot = try SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { [counts] _ in
                ServedModel(encoder: MeanEncoder(items: vectors), itemVectors: vectors, counts: counts)
            },
            makeIndex: { _, vectors in
                if let makeIndex { return try makeIndex(vectors) }
                return try IndexFormat.build(vectors: vectors, configuration: IndexConfiguration(kind: kind))
            },
            makeExactIndex: { try FlatIndex(vectors: $0) }
        ).build(checkpoint, generation: 1)
        let holder = RoutingHolder()
        holder.publish(snapshot)
        return Case(
            service: RetrievalService(holder: holder),
            snapshot: snapshot,
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
        let item = try makeCase(weights, items: items)
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

    @Test("a search asks for few candidates, and for more only while they may be among the best")
    func asksForFew() throws {
        let items = 700
        let vectors = try #require(makeCheckpoint(version: 1, items: items).parameters["items"])
        var (requests, searches, repeated) = (0, 0, 0)
        for weights in Self.weights.indices {
            let inside = try makeCase(weights, items: items)
            // As many as the first searches need; the items that can lose are far more.
            let asked = try Asked(vectors, most: 130)
            let outside = try makeCase(weights, items: items) { try ExternalIndex(vectors: $0, source: asked) }
            var generator = SequentialGenerator(CounterBasedGenerator(seed: 41, purpose: .simulation))
            for round in 0..<80 {
                let history = (0..<Int.random(in: 1...30, using: &generator)).map { _ in
                    inside.ids[Int.random(in: 0..<items, using: &generator)]
                }
                var request = RetrievalRequest(history: history, k: 1 + round % 40)
                request.excludeHistory = round % 2 == 0
                request.seed = UInt64(round)
                asked.counts.withLock { $0 = [] }
                let found = try outside.service.retrieve(request, workspace: RetrievalWorkspace())
                #expect(try found.items == inside.service.retrieve(request, workspace: RetrievalWorkspace()).items)
                let counts = asked.counts.withLock { $0 }
                let excluded = request.excludeHistory ? history.count : 0
                #expect(counts.first.map { $0 <= request.k + (request.k + 1) / 2 + excluded } != false)
                for (few, more) in zip(counts, counts.dropFirst()) { #expect(few < more && more <= 2 * few) }
                (requests, searches) = (requests + 1, searches + counts.count)
                if counts.count > 1 { repeated += 1 }
            }
        }
        #expect(repeated > 0 && searches < 2 * requests, "\(searches) searches for \(requests) requests")
    }

    @Test("an explanation says which part of a score comes from counts") func explanation() throws {
        let item = try makeCase(0, items: 60)
        var request = RetrievalRequest(history: [3, 9, 14].map { item.ids[$0] }, k: 20)
        request.excludeHistory = false
        let trace = try item.service.trace(request)
        let user = MeanEncoder(items: item.vectors).userVector([3, 9, 14], seed: trace.response.seed, steps: 20)
        let own = Matrix([
            (0..<60).map { row in zip(user, item.vectors.row(row)).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
        ])
        var counted = own
        item.counts.add(to: &counted, histories: RaggedRows([[3, 9, 14]]))
        #expect(trace.countScores.count == 20 && trace.countScores.contains { $0 > 0 })
        #expect(trace.response.items.contains { [3, 9, 14].contains($0.id) })
        for (answer, score) in zip(trace.response.items, trace.countScores) {
            #expect(abs(score - counted[0, Int(answer.id)] + own[0, Int(answer.id)]) < 1e-4)
        }
    }

    @Test("a batch gives each answer that the request alone gets") func batches() throws {
        let item = try makeCase(1, items: 200)
        let requests = (0..<9).map { number in
            RetrievalRequest(history: (0...number).map { item.ids[($0 * 37 + number) % 200] }, k: 5 + number)
        }
        let together = item.service.retrieve(requests, workspace: RetrievalWorkspace())
        for (request, answer) in zip(requests, together) {
            #expect(try answer.get().items == item.service.retrieve(request, workspace: RetrievalWorkspace()).items)
        }
    }

    @Test("items that were removed, replaced or added in service count too", arguments: weights.indices)
    func liveChanges(weights: Int) throws {
        let item = try makeCase(weights, items: 60)
        func change(_ id: String, _ content: ItemChange.Content?) -> ItemChange {
            ItemChange(model: "m", item: id, version: 1, content: content)
        }
        let history: [Int32] = [8, 21, 33]
        var counted = Matrix(rows: 1, columns: 60)
        item.counts.add(to: &counted, histories: RaggedRows([history]))
        var links = LinkedItems()
        links.collect(history[...], item.counts)
        // Linked items, but not those of the history.
        let linked = (0..<Int32(60)).filter { counted[0, Int($0)] != 0 && !history.contains($0) }
        let (removed, replaced) = (linked[0], linked[1])
        let snapshot = item.snapshot.applying([
            change(item.ids[Int(removed)], nil),
            change(item.ids[Int(replaced)], ItemChange.Content(vector: item.vectors.row(50))),
            change("new", ItemChange.Content(vector: item.vectors.row(51))),
        ]).snapshot
        var request = RetrievalRequest(history: history.map { item.ids[Int($0)] }, k: 60)
        request.seed = 4
        request.excludeHistory = false
        let answer = try service(snapshot).retrieve(request, workspace: RetrievalWorkspace()).items
        let user = MeanEncoder(items: item.vectors).userVector(history, seed: 4, steps: 20)
        func score(_ number: Int32) -> Float {
            let row = number == replaced ? 50 : number == 60 ? 51 : Int(number)
            let product = zip(user, item.vectors.row(row)).reduce(Float(0)) { $0 + $1.0 * $1.1 }
            let terms = links.place(ifLinked: number).map(links.terms(at:)) ?? .zero
            return item.counts.slope(terms) * product + (number < 60 ? counted[0, Int(number)] : 0)
        }
        #expect(Set(answer.map(\.id)) == Set((0..<Int32(61)).filter { $0 != removed }))
        #expect(answer.allSatisfy { abs($0.score - score($0.id)) < 1e-4 })
        #expect(zip(answer, answer.dropFirst()).allSatisfy { $0.score >= $1.score })
    }

    @Test("a partitioned index finds the same with counts") func partitioned() throws {
        let item = try makeCase(1, items: 3000, kind: .partitioned)
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
