import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing
import VectorIndex

/// A metrics page, parsed by the rules of Prometheus' text format, version 0.0.4.
struct ParsedMetrics {
    /// The types, by family.
    private(set) var types: [String: String] = [:]
    /// The values, by series, with labels in the order of the page.
    private(set) var samples: [String: Double] = [:]

    /// Records an issue for each line that breaks the format.
    init(_ text: String) throws {
        var helped: Set<String> = []
        #expect(text.hasSuffix("\n") && !text.contains("\n\n"))
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                let words = line.split(separator: " ", maxSplits: 3)
                try #require(words.count == 4, "\(line)")
                let name = String(words[2])
                if words[1] == "HELP" {
                    #expect(helped.insert(name).inserted, "HELP of \(name) twice")
                } else {
                    #expect(words[1] == "TYPE" && ["counter", "gauge", "histogram"].contains(words[3]), "\(line)")
                    #expect(types.updateValue(String(words[3]), forKey: name) == nil, "TYPE of \(name) twice")
                }
            } else {
                let pattern = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\["\\n])*",?)+)\})? (\S+)$/
                let match = try #require(try pattern.wholeMatch(in: line), "\(line)")
                let name = String(match.1)
                let family =
                    ["_bucket", "_sum", "_count"].first { name.hasSuffix($0) }
                    .map { String(name.dropLast($0.count)) }.flatMap { types[$0] == "histogram" ? $0 : nil } ?? name
                #expect(types[family] != nil && helped.contains(family), "\(line) has no HELP and TYPE before it")
                try expectLabels(of: family, in: match.2.map(String.init) ?? "")
                #expect((types[family] == "counter") == name.hasSuffix("_total"), "\(line)")
                let value = try #require(Double(match.3), "\(line)")
                let series = match.2.map { "\(name){\($0)}" } ?? name
                #expect(samples.updateValue(value, forKey: series) == nil, "\(series) twice")
            }
        }
    }

    /// Expects the labels that the documentation names.
    private func expectLabels(of family: String, in text: String) throws {
        let found = text.matches(of: /([a-z_]+)="((?:[^"\\]|\\.)*)"/).filter { $0.1 != "le" }
        let labels = try #require(MetricFamily(rawValue: family), "\(family)").labels
        #expect(found.map { String($0.1) } == labels.map(\.name), "\(family){\(text)}")
        for (match, label) in zip(found, labels) where !label.values.isEmpty {
            #expect(label.values.contains(String(match.2)), "\(family){\(text)}")
        }
    }

    subscript(series: String) -> Double? { samples[series] }

    /// The buckets of a histogram, in the order of their bounds.
    func buckets(_ name: String, _ labels: String) -> [(bound: Double, count: Double)] {
        samples.compactMap { series, count in
            let head = "\(name)_bucket{\(labels),le=\""
            guard series.hasPrefix(head) else { return nil }
            return (Double(series.dropFirst(head.count).dropLast(2)) ?? .nan, count)
        }.sorted { $0.bound < $1.bound }
    }
}

@Suite("Metrics") struct MetricsTests {
    private let metrics = ServerMetrics()
    private let holder = RoutingHolder()
    private let source = MemorySource([7], active: 7)
    private let controller: ServingController

    init() {
        controller = ServingController(source: source, holder: holder, builder: testBuilder, logger: quietLogger)
    }

    private func parsed() throws -> ParsedMetrics {
        let sampler = AnswerSampler(recallSample: 0)
        let page = MetricsPage(metrics: metrics, holder: holder, controller: controller, sampler: sampler)
        return try ParsedMetrics(page.text(BuildDescription(name: "dimerec", version: "1.2", platform: "a \"b\"")))
    }

    private func times(_ value: UInt64) -> StageTimes {
        var times = StageTimes()
        (times.parse, times.guidance, times.search, times.encode) = (value, 2 * value, 3 * value, 4 * value)
        return times
    }

    @Test("a page without traffic is complete")
    func isWholeWhenEmpty() throws {
        let page = try parsed()
        #expect(page["dimerec_http_requests_total{route=\"retrieve\",code=\"200\"}"] == 0)
        #expect(page["dimerec_build_info{version=\"1.2\",platform=\"a \\\"b\\\"\"}"] == 1)
        #expect(page["dimerec_distinct_items_per_minute"] == 0 && page.types["dimerec_answer_popularity"] == nil)
        #expect(page["dimerec_index_items"] == 0 && page["dimerec_inflight"] == 0)
        #expect(page.types["dimerec_model_info"] == nil)
        #expect(page.types["dimerec_http_request_duration_seconds"] == "histogram")
    }

    @Test("counts are summed over threads, separately for each code and reason")
    func addsUp() throws {
        let recorders = (0..<3).map { _ in metrics.makeRecorder() }
        for (position, recorder) in recorders.enumerated() {
            for _ in 0...position { recorder.answered(.retrieve, status: 200, nanoseconds: 1) }
            recorder.answered(.retrieve, status: 400, nanoseconds: 1)
            recorder.answered(.batch, status: 599, nanoseconds: 1, unknownIDs: 4, fallbacks: 1)
            recorder.answered(.retrieve, status: 100, nanoseconds: 1)
            recorder.shed(.deadline)
            recorder.inFlight += position
        }
        let page = try parsed()
        let requests = page.samples.filter { $0.key.hasPrefix("dimerec_http_requests_total") && $0.value > 0 }
        func series(_ route: String, _ code: Int) -> String {
            "dimerec_http_requests_total{route=\"\(route)\",code=\"\(code)\"}"
        }
        #expect(
            requests == [
                series("retrieve", 200): 6, series("retrieve", 400): 3, series("retrieve", 100): 3,
                series("batch", 599): 3,
            ]
        )
        #expect(page["dimerec_unknown_ids_total"] == 12 && page["dimerec_fallback_total{kind=\"popular\"}"] == 3)
        #expect(page["dimerec_inflight"] == 3 && page["dimerec_shed_total{reason=\"deadline\"}"] == 3)
        #expect(page["dimerec_shed_total{reason=\"connections\"}"] == 0)
        #expect(page["dimerec_http_request_duration_seconds_count{route=\"retrieve\"}"] == 12)
    }

    @Test("every series of every histogram counts up to its total, and a bound belongs to its bucket")
    func fillsBuckets() throws {
        let recorder = metrics.makeRecorder()
        let nanoseconds: [UInt64] = [0, 1, 100_000, 100_001, 750_000, 1_000_000, 999_999_999, 1_000_000_000, 1 << 40]
        for (position, value) in nanoseconds.enumerated() {
            let route = position % 2 == 0 ? RouteLabel.retrieve : .health
            recorder.answered(route, status: 200, nanoseconds: value, times: times(value))
        }
        let page = try parsed()
        for route in ["retrieve", "batch", "similar", "filter", "item", "health", "infer", "other"] {
            let name = "dimerec_http_request_duration_seconds"
            let own = nanoseconds.enumerated().filter { route == ($0.offset % 2 == 0 ? "retrieve" : "health") }
            try expectHistogram(page, name, "route=\"\(route)\"", of: own.map { Double($0.element) / 1e9 }, buckets: 15)
        }
        // A stage with zero time did not run.
        let positive = nanoseconds.filter { $0 > 0 }.map { Double($0) / 1e9 }
        for (stage, factor) in [("parse", 1.0), ("guidance", 2), ("diffusion", 0), ("search", 3), ("encode", 4)] {
            let expected = factor > 0 ? positive.map { $0 * factor } : []
            let name = "dimerec_stage_duration_seconds"
            try expectHistogram(page, name, "stage=\"\(stage)\"", of: expected, buckets: 19)
        }
    }

    private func expectHistogram(
        _ page: ParsedMetrics,
        _ name: String,
        _ labels: String,
        of values: [Double],
        buckets count: Int
    ) throws {
        let buckets = page.buckets(name, labels)
        #expect(buckets.count == count && buckets.last?.bound == .infinity)
        for (bound, count) in buckets {
            #expect(count == Double(values.count { $0 <= bound * (1 + 1e-12) }), "\(name) \(labels) \(bound)")
        }
        #expect(page["\(name)_count{\(labels)}"] == buckets.last?.count)
        let sum = try #require(page["\(name)_sum{\(labels)}"])
        #expect(abs(sum - values.reduce(0, +)) <= 1e-9 * max(1, sum))
    }

    @Test("the page reports the versions in service and the process")
    func describesState() async throws {
        source.state.withLock { $0.checkpoints[7]?.manifest.createdAt = "2020-01-01T00:00:00Z" }
        await controller.poll()
        let service = RetrievalService(holder: holder)
        for _ in 0..<3 { _ = try service.retrieve(RetrievalRequest(history: ["i1"]), workspace: RetrievalWorkspace()) }
        let page = try parsed()
        let version = "model=\"m\",version=\"7\""
        #expect(page["dimerec_model_info{\(version)}"] == 1 && page["dimerec_index_items"] == 40)
        #expect(try #require(page["dimerec_model_age_seconds{\(version)}"]) > 1.5e8)
        #expect(page["dimerec_version_requests_total{\(version),result=\"ok\"}"] == 3)
        #expect(page["dimerec_version_request_duration_seconds_count{\(version)}"] == 3)
        #expect(page["dimerec_swaps_total{result=\"published\"}"] == 1 && page["dimerec_index_tombstones"] == 0)
        #expect(try #require(page["dimerec_model_load_seconds"]) > 0)
        let now = Date.now.timeIntervalSince1970
        #expect(try #require(page["process_start_time_seconds"]) > 1e9)
        #expect(try #require(page["process_start_time_seconds"]) < now + 60)
        #expect(try #require(page["process_cpu_seconds_total"]) > 0)
        #expect(try #require(page["process_resident_memory_bytes"]) > 1e6)
        #expect(try #require(page["process_open_fds"]) >= 3)
    }

    /// Two servers of which one was missing once; no version is searched there.
    private struct Shards: ExternalSearch {
        var outcomes: [SearchOutcomes] {
            var (first, second) = (SearchOutcomes(), SearchOutcomes())
            (first.answered, second.answered, second.missing) = (8, 7, 1)
            return [first, second]
        }
        func require(_ version: VersionSummary) {}
        func index(of version: CheckpointManifest, vectors: Matrix) throws -> any VectorIndex {
            throw SnapshotError.notSearchable("nothing is there")
        }
    }

    @Test("searches of the servers of SEARCH are counted by their position, and only if there are some")
    func countsShards() throws {
        let builder = SnapshotBuilder(
            search: Shards(),
            makeModel: { _ in throw SnapshotError.notSearchable("no model") },
            makeIndex: { _, _ in throw SnapshotError.notSearchable("no index") },
            makeExactIndex: { _ in throw SnapshotError.notSearchable("no index") }
        )
        let controller = ServingController(source: source, holder: holder, builder: builder, logger: quietLogger)
        let sampler = AnswerSampler(recallSample: 0)
        let page = MetricsPage(metrics: metrics, holder: holder, controller: controller, sampler: sampler)
        let parsed = try ParsedMetrics(page.text(BuildDescription(name: "dimerec", version: "1", platform: "p")))
        #expect(parsed["dimerec_shard_searches_total{shard=\"1\",result=\"missing\"}"] == 0)
        #expect(parsed["dimerec_shard_searches_total{shard=\"2\",result=\"missing\"}"] == 1)
        #expect(parsed["dimerec_shard_searches_total{shard=\"2\",result=\"answered\"}"] == 7)
        #expect(try self.parsed().types["dimerec_shard_searches_total"] == nil)
    }

    @Test("the data plane counts its answers, and the control plane reports them")
    func countsTraffic() async throws {
        try await withServer(configuration: .testing { $0.serveThreads = 2 }) { server in
            for _ in 0..<3 { _ = try await server.ask(post("{\"history\":[\"i1\",\"nope\"]}")) }
            _ = try await server.ask(post("{\"history\":[\"nope\"]}"))
            _ = try await server.ask(post("{\"history\":["))
            _ = try await server.ask("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await server.ask("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
            let connection = try await TestConnection(port: server.controlPort)
            try await connection.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try await connection.answer()
            try await connection.close()
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let page = try ParsedMetrics(answer.text)
            for (route, code, count) in [
                ("retrieve", 200, 4.0), ("retrieve", 400, 1), ("health", 200, 1), ("other", 404, 1),
            ] {
                let series = "dimerec_http_requests_total{route=\"\(route)\",code=\"\(code)\"}"
                #expect(page[series] == count, "\(series)")
            }
            #expect(page["dimerec_unknown_ids_total"] == 4 && page["dimerec_fallback_total{kind=\"popular\"}"] == 1)
            #expect(page["dimerec_history_ids_total"] == 7 && page["dimerec_unknown_id_share"] == 4.0 / 7)
            #expect(page["dimerec_exact_fallback_total{reason=\"request\"}"] == 0)
            #expect(page["dimerec_stage_duration_seconds_count{stage=\"parse\"}"] == 4)
            #expect(page["dimerec_stage_duration_seconds_count{stage=\"diffusion\"}"] == 3)
            #expect(page["dimerec_model_info{model=\"m\",version=\"1\"}"] == 1 && page["dimerec_inflight"] == 0)
        }
    }
}
