import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

@Suite("RetrievalTrace") struct RetrievalTraceTests {
    private let service: RetrievalService
    private let items: Matrix

    init() throws {
        let checkpoint = makeCheckpoint(version: 1)
        let holder = RoutingHolder()
        holder.publish(try testBuilder.build(checkpoint, generation: 1))
        service = RetrievalService(holder: holder, limits: RetrievalLimits(maxK: 100, maxHistory: 8))
        items = try #require(checkpoint.parameters["items"])
    }

    @Test("the answer is the served one, and the walk ends in its user vector", arguments: [0.0, 0.5])
    func tellsTheServedAnswer(diversity: Double) throws {
        var request = RetrievalRequest(history: ["i1", "nope", "i2", "3"], k: 9)
        request.steps = 6
        request.diversity = diversity
        let trace = try service.trace(request)
        let served = try service.retrieve(request, workspace: RetrievalWorkspace())
        #expect(trace.response.items == served.items && trace.response.unknownIDs == 1)
        #expect(trace.response.seed == served.seed && trace.history == [1, 2, 3])
        let path = try #require(trace.user?.path)
        let user = MeanEncoder(items: items).userVector([1, 2, 3], seed: served.seed, steps: 6)
        #expect(path.rows == 7 && path.row(6) == user)
    }

    @Test("every answered item names its nearest interest, and every interest its nearest items")
    func namesInterests() throws {
        // The test encoder's interests are the oldest and the newest item of the history.
        let trace = try service.trace(RetrievalRequest(history: ["i1", "i2", "3"], k: 30), labels: 4)
        #expect(trace.closest.count == 30)
        for (answer, closest) in zip(trace.response.items, trace.closest) {
            let item = items.row(Int(answer.id))
            let cosines = [1, 3].map { dot(items.row($0).span, item.span) }
            #expect(closest.interest == (cosines[0] >= cosines[1] ? 0 : 1))
            #expect(abs(closest.cosine - (cosines.max() ?? .nan)) < 1e-5)
        }
        #expect(Set(trace.closest.map(\.interest)) == [0, 1])
        let expected = [1, 3].map { ScanIndex(vectors: items).search(items.row($0).span, k: 4).map(\.id) }
        #expect(trace.nearest.map { $0.map(\.id) } == expected && expected.map(\.first) == [1, 3])
    }

    @Test("a trace lists only the newest items that the encoder reads")
    func tellsTheNewest() throws {
        let trace = try service.trace(RetrievalRequest(history: (1...20).map { $0 % 3 == 0 ? "\($0)" : "i\($0)" }))
        #expect(trace.history == [16, 17, 18, 19, 20])
    }

    @Test("the trace of a fallback has an answer and nothing else", arguments: [[], ["nope"]])
    func tellsFallbacks(history: [String]) throws {
        let trace = try service.trace(RetrievalRequest(history: history, k: 4))
        #expect(trace.response.fallback == .popular && trace.response.items.map(\.id) == [39, 38, 37, 36])
        #expect(trace.user == nil && trace.history.isEmpty && trace.closest.isEmpty && trace.nearest.isEmpty)
    }

    @Test("a request that serving rejects is rejected")
    func refuses() {
        #expect(throws: RetrievalError.self) { try service.trace(RetrievalRequest(history: ["i1"], k: 0)) }
    }
}
