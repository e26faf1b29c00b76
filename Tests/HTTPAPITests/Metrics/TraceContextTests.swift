import Foundation
import HTTPAPI
import TestSupport
import Testing

@Suite("Trace context", .timeLimit(.minutes(2))) struct TraceContextTests {
    static let trace = "0af7651916cd43dd8448eb211c80319c"
    static let span = "b7ad6b7169203331"

    private func context(_ traceparent: String, _ tracestate: String? = nil) -> TraceContext {
        TraceContext(traceparent: traceparent, tracestate: tracestate, isSampled: false)
    }

    @Test("a caller's trace continues with its flags and a new span", arguments: ["00", "01", "02", "03", "ff"])
    func continues(flags: String) throws {
        let context = context("00-\(Self.trace)-\(Self.span)-\(flags)")
        #expect(context.parent == 0xb7ad_6b71_6920_3331 && context.span != context.parent)
        #expect(context.isSampled == (try #require(UInt8(flags, radix: 16)) & 1 == 1))
        let parts = context.traceparent.split(separator: "-")
        #expect(parts[0] == "00" && parts[1] == Self.trace && parts[2] != Self.span && parts.count == 4)
        #expect(parts[3] == (flags == "ff" ? "03" : flags))
        // The next service can read the context's own field.
        let next = self.context(context.traceparent)
        #expect(next.traceID == context.traceID && next.parent == context.span && next.flags == context.flags)
    }

    @Test("fields of later versions are read as far as they are known")
    func readsLaterVersions() {
        for text in ["cc-\(Self.trace)-\(Self.span)-01", "01-\(Self.trace)-\(Self.span)-01-what-comes"] {
            #expect(context(text).parent == 0xb7ad_6b71_6920_3331, "\(text)")
        }
    }

    @Test(
        "a malformed traceparent starts a new trace that is not sampled",
        arguments: [
            "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-1", "00-\(trace)-\(span)-01-more",
            "00-\(trace)-\(span)-011", "ff-\(trace)-\(span)-01", "01-\(trace)-\(span)-01.more",
            "00-\(trace.uppercased())-\(span)-01", "00-\(String(repeating: "0", count: 32))-\(span)-01",
            "00-\(trace)-0000000000000000-01", "00-\(trace)-\(span)-0g", "00_\(trace)_\(span)_01",
            " 00-\(trace)-\(span)-01", "00-\(trace)é\(span)-01", "0-0\(trace)-\(span)-01",
        ]
    )
    func refuses(traceparent: String) {
        let contexts = (0..<2).map { _ in context(traceparent, "a=1") }
        for context in contexts {
            #expect(context.parent == nil && !context.isSampled && context.isAnswered && context.state == nil)
            #expect(!context.traceparent.contains(Self.trace))
        }
        #expect(contexts[0].traceID != contexts[1].traceID)
    }

    @Test(
        "a well-formed tracestate is passed on unchanged",
        arguments: [
            ("congo=t61rcWkgMzE", true), ("a=1,b=2", true), ("a=1 ,\tb=2", true), ("a@b=x y", true), ("0a=1", true),
            ("a=1,,b=2", true), ((0..<32).map { "k\($0)=v" }.joined(separator: ","), true),
            ((0..<33).map { "k\($0)=v" }.joined(separator: ","), false), ("", false), ("A=1", false), ("a", false),
            ("=1", false), ("a=", false), ("a=1,a=2", false), ("a=b=c", false), ("a=\u{e9}", false),
            ("a=1\u{7}", false),
            ("\(String(repeating: "k", count: 257))=1", false), ("a=\(String(repeating: "v", count: 257))", false),
        ]
    )
    func passesState(state: String, isValid: Bool) {
        #expect(context("00-\(Self.trace)-\(Self.span)-01", state).state == (isValid ? state : nil))
    }

    static let requests = [
        post(Body.light), post(Body.heavy), postBatch([Body.light]), post("{"),
        "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    ]

    @Test("an answer names its span if the request named one, on success and on failure", arguments: requests)
    func answers(request: String) async throws {
        @Sendable func traced(_ fields: String) -> String {
            request.replacing("Host: x\r\n", with: "Host: x\r\n\(fields)", maxReplacements: 1)
        }
        try await withServer { server in
            let plain = try await server.ask(request)
            #expect(plain.headers["traceparent"] == nil && plain.headers["tracestate"] == nil)
            let caller = "TraceParent: 00-\(Self.trace)-\(Self.span)-01\r\n"
            let answer = try await server.ask(traced(caller + "tracestate: a=1\r\nTracestate: b=2\r\n"))
            #expect(answer.status == plain.status && answer.headers["tracestate"] == "a=1,b=2")
            let parts = try #require(answer.headers["traceparent"]).split(separator: "-")
            #expect(parts[1] == Self.trace && parts[2] != Self.span && parts[3] == "01")
            for fields in [caller + caller, "traceparent: nonsense\r\n"] {
                let answer = try await server.ask(traced(fields))
                let parts = try #require(answer.headers["traceparent"]).split(separator: "-")
                #expect(answer.status == plain.status && parts[1] != Self.trace && parts[3] == "02")
            }
        }
    }
}

@Suite("Spans", .timeLimit(.minutes(2))) struct SpanFileTests {
    /// The spans of a file, by line; each line belongs to one request.
    private func spans(in path: String) throws -> [[[String: Any]]] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return try text.split(separator: "\n").map { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let resource = try #require((object["resourceSpans"] as? [[String: Any]])?.first)
            let scope = try #require((resource["scopeSpans"] as? [[String: Any]])?.first)
            return try #require(scope["spans"] as? [[String: Any]])
        }
    }

    private func attribute(_ key: String, of span: [String: Any]) -> String? {
        let attributes = span["attributes"] as? [[String: Any]] ?? []
        let value = attributes.first { $0["key"] as? String == key }?["value"] as? [String: Any]
        return value?.values.first as? String
    }

    private func time(_ key: String, of span: [String: Any]) throws -> UInt64 {
        try #require((span[key] as? String).flatMap { UInt64($0) })
    }

    private func traced(_ request: String, flags: String) -> String {
        let field =
            "traceparent: 00-\(TraceContextTests.trace)-\(TraceContextTests.span)-\(flags)\r\ntracestate: a=\"1\"\r\n"
        return request.replacing("Host: x\r\n", with: "Host: x\r\n\(field)", maxReplacements: 1)
    }

    @Test("a sampled request writes its span with child spans of its stages; another writes none")
    func writes() async throws {
        let path = NSTemporaryDirectory() + "spans-\(UUID().uuidString).jsonl"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let began = UInt64(Date.now.timeIntervalSince1970 * 1e9)
        try await withServer(configuration: .testing { $0.traceFile = path }) { server throws in
            #expect(try await server.ask(traced(post(Body.light), flags: "01")).status == 200)
            #expect(try await server.ask(traced(post(Body.light), flags: "00")).status == 200)
            #expect(try await server.ask(post(Body.light)).status == 200)
            #expect(try await server.ask(traced(postBatch([Body.light, Body.heavy]), flags: "01")).status == 200)
            #expect(try await server.ask(traced(post("{"), flags: "01")).status == 400)
        }
        // The server writes all sampled requests before it ends.
        let requests = try spans(in: path)
        #expect(requests.map { attribute("http.route", of: $0[0]) } == ["retrieve", "batch", "retrieve"])
        #expect(requests.map { attribute("http.response.status_code", of: $0[0]) } == ["200", "200", "400"])
        #expect(requests.map { attribute("dimerec.model.name", of: $0[0]) } == ["m", "m", nil])
        #expect(
            requests[0].map { $0["name"] as? String } == [
                "retrieve", "parse", "guidance", "diffusion", "search", "encode",
            ]
        )
        for spans in requests {
            let server = spans[0]
            #expect(server["parentSpanId"] as? String == TraceContextTests.span && server["kind"] as? Int == 2)
            #expect(attribute("dimerec.request.id", of: server) == "test")
            #expect(try time("startTimeUnixNano", of: server) >= began - 1_000_000_000)
            var last = try time("startTimeUnixNano", of: server)
            for span in spans.dropFirst() {
                #expect(span["parentSpanId"] as? String == server["spanId"] as? String && span["kind"] as? Int == 1)
                #expect(try time("startTimeUnixNano", of: span) >= last)
                last = try time("endTimeUnixNano", of: span)
                #expect(try last > time("startTimeUnixNano", of: span))
            }
            #expect(try last <= time("endTimeUnixNano", of: server))
            for span in spans {
                #expect(
                    span["traceId"] as? String == TraceContextTests.trace && span["traceState"] as? String == "a=\"1\""
                )
            }
        }
        let ids = requests.joined().compactMap { $0["spanId"] as? String }
        #expect(Set(ids).count == requests.joined().count)
    }

    @Test("one in TRACE_SAMPLE requests without a trace is sampled, and its answer does not show it")
    func samples() async throws {
        let path = NSTemporaryDirectory() + "spans-\(UUID().uuidString).jsonl"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let configuration = ServerConfiguration.testing {
            $0.traceFile = path
            $0.traceSample = 1
        }
        try await withServer(configuration: configuration) { server throws in
            #expect(try await server.ask(post(Body.light)).headers["traceparent"] == nil)
        }
        let requests = try spans(in: path)
        #expect(requests.count == 1 && requests[0][0]["parentSpanId"] == nil)
    }

    @Test("a full disk loses spans, which are counted, but no answer")
    func survivesFullDisk() async throws {
        try await withServer(configuration: .testing { $0.traceFile = "/dev/full" }) { server in
            for _ in 0..<3 { #expect(try await server.ask(traced(post(Body.light), flags: "01")).status == 200) }
            var dropped: Double?
            while dropped != 3 {
                let connection = try await TestConnection(port: server.controlPort)
                try await connection.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                let page = try ParsedMetrics(try await connection.answer().text)
                dropped = page["dimerec_spans_total{result=\"dropped\"}"]
                #expect(page["dimerec_spans_total{result=\"written\"}"] == 0)
                try await connection.close()
            }
        }
    }

    @Test("the start fails with the name of a file that cannot be created")
    func namesBadFile() async {
        await #expect(throws: ServerError.self) {
            try await withServer(configuration: .testing { $0.traceFile = "/nowhere/spans.jsonl" }) { _ in }
        }
    }
}
