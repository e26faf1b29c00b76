import Foundation
import HTTPAPI
import Kernels
import NIOCore
import Serving
import TestSupport
import Testing

@Suite("DistinctCount") struct DistinctCountTests {
    @Test(
        "the estimate is within five standard errors of the exact count, with any repetition",
        arguments: [0, 1, 2, 50, 700, 2000, 5000, 6000, 12_000, 60_000, 500_000]
    )
    func matchesExactCount(count: Int) {
        var estimate = DistinctCount()
        let source = CounterBasedGenerator(seed: 3, purpose: .simulation)
        var numbers = SequentialGenerator(source, stream: UInt64(count))
        for _ in 0..<count {
            let hash: UInt64 = numbers.next()
            for _ in 0..<3 { estimate.insert(hash) }
        }
        #expect(abs(estimate.estimate - Double(count)) <= 5 * 0.023 * Double(count) + 0.5)
    }
}

@Suite("Drift") struct DriftTests {
    private let metrics = ServerMetrics()
    private let holder = RoutingHolder()
    private let controller: ServingController
    /// A fixed time for all answers and pages, however slow the machine is.
    private let now = NIODeadline.now()

    init() throws {
        controller = ServingController(
            source: MemorySource([1], active: 1),
            holder: holder,
            builder: testBuilder,
            logger: quietLogger
        )
        holder.publish(try testBuilder.build(makeCheckpoint(version: 1, items: 400), generation: 1))
    }

    private func page() async throws -> ParsedMetrics {
        await metrics.waitUntilIdle()
        let page = MetricsPage(
            metrics: metrics,
            holder: holder,
            controller: controller,
            sampler: AnswerSampler(recallSample: 0)
        )
        return try ParsedMetrics(page.text(BuildDescription(name: "dimerec", version: "1", platform: "test"), at: now))
    }

    /// Answers a request and records it as `ago` before now.
    private func ask(
        _ recorder: RequestRecorder,
        _ history: [String],
        k: Int,
        ago: TimeAmount = .zero
    ) throws -> RetrievalResponse {
        let request = RetrievalRequest(history: history, k: k)
        let response = try RetrievalService(holder: holder).retrieve(request, workspace: RetrievalWorkspace())
        recorder.retrieved(response, historyIDs: history.count, at: now - ago)
        return response
    }

    @Test("answers of all threads are merged, and each item counts once")
    func addsUp() async throws {
        let recorders = (0..<3).map { _ in metrics.makeRecorder() }
        var items: Set<Int32> = []
        for number in 0..<30 {
            let history = ["i\(1 + number / 2 * 3)", "none", "i\(2 + number / 2 * 3)", "never"].prefix(2 + number % 3)
            items.formUnion(try ask(recorders[number % 3], Array(history), k: 20).items.map(\.id))
        }
        let page = try await page()
        let distinct = try #require(page["dimerec_distinct_items_per_minute"])
        #expect(items.count > 100 && abs(distinct - Double(items.count)) <= 0.1 * Double(items.count))
        #expect(page["dimerec_history_ids_total"] == 90)
        // 30 histories have one unknown id, and every third has a second one.
        #expect(page["dimerec_unknown_id_share"] == 40.0 / 90)
    }

    @Test("the popularity of answers is their mean place in the popularity list, from 0 to 1")
    func tellsPopularity() async throws {
        // The first 21 of 400 places.
        _ = try ask(metrics.makeRecorder(), [], k: 21)
        let popularity = try #require(try await page()["dimerec_answer_popularity"])
        #expect(abs(popularity - 10.0 / 399) < 1e-6)
        // Every item.
        _ = try ask(metrics.makeRecorder(), [], k: 400)
        let both = try #require(try await page()["dimerec_answer_popularity"])
        #expect(abs(both - (21 * 10.0 / 399 + 400 * 0.5) / 421) < 1e-6)
    }

    @Test("answers older than a minute no longer count")
    func forgets() async throws {
        let recorder = metrics.makeRecorder()
        _ = try ask(recorder, ["none"], k: 50, ago: .seconds(70))
        var page = try await page()
        #expect(page["dimerec_distinct_items_per_minute"] == 0 && page.types["dimerec_unknown_id_share"] == nil)
        #expect(page.types["dimerec_answer_popularity"] == nil && page["dimerec_history_ids_total"] == 1)
        _ = try ask(recorder, ["i1"], k: 5)
        page = try await self.page()
        #expect(page["dimerec_distinct_items_per_minute"] == 5 && page["dimerec_unknown_id_share"] == 0)
    }
}
