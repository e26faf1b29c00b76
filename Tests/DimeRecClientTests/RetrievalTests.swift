import DimeRecClient
import Synchronization
import Testing

/// A `/retrieve` answer of the service.
let retrieved = """
    {"items":[{"id":"i11","score":0.8731},{"id":12,"score":-0.5}],"model":"ml","version":3,"request_id":"r9",\
    "fallback":null,"unknown_ids":1,"truncated":true}
    """

/// Records the requested waits without waiting.
final class Waits: Sendable {
    private let durations = Mutex<[Duration]>([])

    var all: [Duration] { durations.withLock { $0 } }

    func note(_ duration: Duration) {
        durations.withLock { $0.append(duration) }
    }
}

func makeClient(
    _ urls: [String],
    waits: Waits? = nil,
    _ change: (inout DimeRecClient.Options) -> Void = { _ in }
) throws -> DimeRecClient {
    var options = DimeRecClient.Options()
    options.timeout = .seconds(30)
    // The machine may be busy with other tests, so generous timeouts prevent false failures.
    options.connectTimeout = .seconds(10)
    change(&options)
    guard let waits else { return try DimeRecClient(urls: urls, options: options) }
    return try DimeRecClient(urls: urls, options: options, sleep: { waits.note($0) })
}

@Suite("Retrieval through the client", .timeLimit(.minutes(2))) struct RetrievalTests {
    @Test("the service reads a request as sent, with all fields and with none")
    func writesRequest() async throws {
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
            let client = try makeClient([url])
            let bare = try await client.retrieve(RetrievalRequest(history: []))
            var request = RetrievalRequest(history: ["ä\"\\\u{0}", "i7"], k: 7)
            request.exclude = ["i9"]
            request.excludeHistory = false
            request.filter = Filter(anyOf: ["Comedy"], noneOf: ["Horror", "War"])
            request.model = "stable"
            request.seed = .max
            request.steps = 3
            request.samples = 2
            request.diversity = 0.25
            request.categoryPenalty = 0
            request.exact = true
            request.effort = 99
            request.explain = true
            _ = try await client.retrieve(request)
            #expect(server.requests.map(\.line) == ["POST /retrieve", "POST /retrieve"])
            #expect(server.requests.allSatisfy { $0.header("content-type") == "application/json" })
            #expect(try serviceReading(server.requests[0].body) == serviceReading("{\"history\":[]}"))
            let expected = [
                "history": "ä\"\\\u{0}|i7", "exclude": "i9", "anyOf": "Comedy", "noneOf": "Horror|War", "k": "7",
                "excludeHistory": "false", "model": "stable", "seed": "\(UInt64.max)", "steps": "3", "samples": "2",
                "diversity": "0.25", "categoryPenalty": "0.0", "exact": "true", "effort": "99", "explain": "true",
                "rules": "none",
            ]
            #expect(try serviceReading(server.requests[1].body) == expected)
            #expect(bare.items.map(\.id) == ["i11", "12"] && bare.items.map(\.score) == [0.8731, -0.5])
            #expect(bare.model == "ml" && bare.version == 3 && bare.requestID == "r9" && bare.fallback == nil)
            #expect(bare.unknownIDs == 1 && bare.truncated && bare.explain == nil)
        }
    }

    @Test("the user is sent in the field user")
    func writesUser() async throws {
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
            var request = RetrievalRequest(history: [])
            request.user = "u1"
            _ = try await makeClient([url]).retrieve(request)
            #expect(server.requests[0].body.contains("\"user\":\"u1\""))
        }
    }

    @Test("answers of a batch, similar items, an item and readiness are read")
    func readsAnswers() async throws {
        try await ScriptedServer({ _, request in
            switch request.line {
            case "POST /retrieve:batch":
                let problem = """
                    {"type":"about:blank","title":"T","status":400,"detail":"D","instance":"r","code":"invalid_argument",\
                    "errors":[]}
                    """
                return .answer(200, "{\"results\":[\(retrieved),\(problem)]}")
            case "POST /v1/similar":
                let item = "{\"id\":\"i2\",\"score\":0.5}"
                return .answer(
                    200,
                    "{\"items\":[\(item)],\"model\":\"ml\",\"version\":3,\"request_id\":\"r\",\"truncated\":false}"
                )
            case "GET /v1/items/a%2Fb%20%C3%A4%3F":
                let rest = "\"title\":null,\"categories\":[\"Comedy\"],\"model\":\"ml\",\"version\":3"
                return .answer(200, "{\"id\":\"a/b ä?\",\"known\":true,\(rest)}")
            case "GET /health/ready": return .answer(200, "")
            default: return .problem(404, "not_found")
            }
        }).serving { server, url in
            let client = try makeClient([url])
            let results = try await client.retrieveBatch([.init(history: ["i1"]), .init(history: [], k: 0)])
            guard case .answer(let answer) = results[0], case .problem(let problem) = results[1] else {
                Issue.record("\(results)")
                return
            }
            #expect(answer.requestID == "r9" && problem.code == "invalid_argument" && problem.status == 400)
            #expect(server.requests[0].body.hasPrefix("{\"requests\":["))
            await #expect(throws: DimeRecError.self) { _ = try await client.retrieveBatch([.init(history: [])]) }
            let similar = try await client.similar(to: "i1", k: 4)
            #expect(similar.items.map(\.id) == ["i2"] && server.requests[2].body.contains("\"k\":4"))
            let item = try await client.item("a/b ä?")
            #expect(item.known && item.title == nil && item.categories == ["Comedy"] && item.id == "a/b ä?")
            #expect(await client.isReady())
        }
    }

    @Test("the client is not ready if the service says so or no service listens")
    func isNotReady() async throws {
        try await ScriptedServer({ _, _ in .problem(503, "not_ready", headers: ["Retry-After: 1"]) }).serving {
            server,
            url in
            let client = try makeClient([url])
            #expect(await !client.isReady())
            #expect(server.requests.count == 1)
        }
        // Another test may use a port that a server has released; no test uses port 1.
        let client = try makeClient(["http://127.0.0.1:1"])
        #expect(await !client.isReady())
    }

    @Test("the README's example is the code that runs here")
    func runsExample() async throws {
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { _, url in
            let items = try await example(url)
            #expect(items == ["i11 0.8731", "12 -0.5"])
        }
        let lines = try sourceLines(between: "example begins", and: "example ends")
        for file in ["README.md", "Sources/ClientCalls/DimeRecClient.swift"] {
            let text = try repositoryFile(file)
            for line in lines { #expect(text.contains(line), "\(file) has no line '\(line)'") }
        }
    }

    private func example(_ url: String) async throws -> [String] {
        var printed: [String] = []
        func print(_ values: Any...) { printed.append(values.map { "\($0)" }.joined(separator: " ")) }
        // example begins
        var options = DimeRecClient.Options()
        options.timeout = .milliseconds(200)
        let client = try DimeRecClient(urls: [url, "http://127.0.0.1:8090"], options: options)
        let answer = try await client.retrieve(RetrievalRequest(history: ["i42", "i7"], k: 10))
        for item in answer.items { print(item.id, item.score) }
        // example ends
        return printed
    }
}
