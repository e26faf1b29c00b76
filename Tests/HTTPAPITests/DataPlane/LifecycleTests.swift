import Foundation
import HTTPAPI
import Kernels
import Logging
import ServiceLifecycle
import Serving
import Synchronization
import TestSupport
import Testing

/// A one-time signal to other tasks.
final class Flag: Sendable {
    private let state = Atomic(false)

    var isUp: Bool { state.load(ordering: .relaxed) }

    func raise() {
        state.store(true, ordering: .relaxed)
    }
}

/// Records all log events.
struct LogRecorder: LogHandler {
    final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let line = "\(event.level) \(event.message) \(metadata) \(event.metadata ?? [:])"
        lines.all.withLock { $0.append(line) }
    }
}

extension RetrievalResponse {
    /// The items of the answer's JSON, with ids as strings.
    var itemsJSON: String {
        "["
            + items.map { "{\"id\":\"\(snapshot.identifiers.id($0.id))\",\"score\":\($0.score)}" }.joined(
                separator: ","
            )
            + "]"
    }
}

@Suite("Lifecycle", .timeLimit(.minutes(2))) struct LifecycleTests {

    private func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n" }

    @Test("before a model is loaded the service is live but not ready; afterwards it is ready")
    func becomesReady() async throws {
        let source = MemorySource([1], active: nil)
        try await withServer(source: source, isReady: false) { server in
            for path in ["/health/live", "/v2/health/live"] { #expect(try await server.ask(get(path)).status == 200) }
            for request in [get("/health/ready"), get("/v2/health/ready"), post("{\"history\":[]}")] {
                let answer = try await server.ask(request)
                #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
                #expect(try answer.json()["code"] as? String == "not_ready")
            }
            try source.activate(model: "m", version: 1)
            while server.holder.snapshot == nil { try await Task.sleep(for: .milliseconds(1)) }
            for path in ["/health/ready", "/v2/health/ready"] { #expect(try await server.ask(get(path)).status == 200) }
        }
    }

    @Test("during version changes under load every request succeeds with the answer of the version that it names")
    func swapsUnderLoad() async throws {
        let history = ["i1", "i7", "i10"]
        var expected: [Int: String] = [:]
        for version in 1...2 {
            let holder = RoutingHolder()
            holder.publish(try testBuilder.build(makeCheckpoint(version: version), generation: 1))
            let service = RetrievalService(holder: holder)
            let request = RetrievalRequest(history: history, k: 20)
            expected[version] = try service.retrieve(request, workspace: RetrievalWorkspace()).itemsJSON
        }
        let answers = expected
        try await withServer(configuration: .testing { $0.serveThreads = 2 }) { server in
            let isDone = Flag()
            try await withThrowingTaskGroup(of: Set<Int>.self) { tasks in
                for _ in 0..<3 {
                    tasks.addTask {
                        let connection = try await server.connect()
                        var versions: Set<Int> = []
                        while !isDone.isUp {
                            try await connection.send(post("{\"history\":[\"i1\",\"i7\",\"i10\"],\"k\":20}"))
                            let answer = try await connection.answer()
                            let version = try #require(try answer.json()["version"] as? Int)
                            #expect(answer.status == 200)
                            #expect(answer.text.hasPrefix("{\"items\":\(try #require(answers[version]))"))
                            versions.insert(version)
                        }
                        try await connection.close()
                        return versions
                    }
                }
                for swap in 0..<20 {
                    // The controller's own poll may briefly occupy the single loading slot.
                    while true {
                        do {
                            _ = try await server.controller.activate(model: "m", version: 2 - swap % 2, wait: true)
                            break
                        } catch ServingError.busyLoading {
                            try await Task.sleep(for: .milliseconds(1))
                        }
                    }
                    #expect(try await server.ask(get("/health/ready")).status == 200)
                    try await Task.sleep(for: .milliseconds(5))
                }
                isDone.raise()
                for try await versions in tasks { #expect(versions == [1, 2]) }
            }
        }
    }

    @Test("a bad newest version does not replace the last good one")
    func survivesBadVersion() async throws {
        let source = MemorySource([1, 2], active: 1)
        source.state.withLock { $0.damaged = [2] }
        try await withServer(source: source) { server in
            try source.activate(model: "m", version: 2)
            while server.controller.state(of: 2, model: "m").name != "rejected" {
                try await Task.sleep(for: .milliseconds(1))
            }
            let answer = try await server.ask(post("{\"history\":[\"i1\"]}"))
            #expect(answer.status == 200)
            #expect(try answer.json()["version"] as? Int == 1)
            #expect(try await server.ask(get("/health/ready")).status == 200)
        }
    }

    @Test("shutdown reports not ready, finishes running requests, and refuses connections after the grace period")
    func drains() async throws {
        let lines = LogRecorder.Lines()
        let logger = Logger(label: "test") { _ in LogRecorder(lines: lines) }
        let configuration = ServerConfiguration.testing { $0.drainGrace = .milliseconds(1500) }
        try await withServer(configuration: configuration, logger: logger) { server in
            let idle = try await server.connect()
            let late = try await server.connect()
            let halfSent = try await server.connect()
            for connection in [idle, late, halfSent] {
                try await connection.send(get("/health/live"))
                #expect(try await connection.answer().status == 200)
            }
            let request = post("{\"history\":[\"i1\"]}")
            try await halfSent.send(String(request.dropLast(5)))
            await server.group.triggerGracefulShutdown()
            while try await server.ask(get("/health/ready")).status == 200 {}
            let ready = try await server.ask(get("/health/ready"))
            #expect(ready.status == 503 && ready.headers["connection"] == "close")
            try await late.send(request)
            let lateAnswer = try await late.answer()
            #expect(lateAnswer.status == 200 && lateAnswer.headers["connection"] == "close")
            try await halfSent.send(String(request.suffix(5)))
            let halfAnswer = try await halfSent.answer()
            #expect(halfAnswer.status == 200 && halfAnswer.headers["connection"] == "close")
            for connection in [idle, late, halfSent] { #expect(try await connection.rest() == "") }
            await #expect(throws: (any Error).self) { try await server.ask(get("/health/live")) }
        }
        let drain = lines.all.withLock { $0 }.filter { $0.hasPrefix("info drain") }
        let words = drain.compactMap { $0.split(separator: " ").dropFirst().first }
        #expect(words == ["draining", "drained"], "\(drain)")
    }

    @Test("shutdown under load resets no connection during an answer")
    func drainsUnderLoad() async throws {
        try await withServer(configuration: .testing { $0.serveThreads = 2 }) { server in
            let isStarted = Flag()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<20 {
                    tasks.addTask {
                        let connection = try await server.connect()
                        var count = 0
                        while true {
                            try await connection.send(post("{\"history\":[\"i1\"],\"k\":39}"))
                            let answer = try await connection.answer()
                            #expect(answer.status == 200)
                            count += 1
                            if count == 10 { isStarted.raise() }
                            if answer.headers["connection"] == "close" { break }
                        }
                        #expect(try await connection.rest() == "")
                    }
                }
                while !isStarted.isUp { try await Task.sleep(for: .milliseconds(1)) }
                await server.group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test("the log at level debug has every request, but never the control plane's token")
    func logs() async throws {
        let lines = LogRecorder.Lines()
        let token = "0123456789-secret"
        let logger = Logger(label: "test") { _ in LogRecorder(lines: lines) }
        try await withServer(configuration: .testing { $0.controlToken = token }, logger: logger) { server throws in
            #expect(try await server.ask(post("{\"history\":[\"i1\"]}")).status == 200)
            #expect(try await server.ask(post("{", path: "/retrieve:batch")).status == 400)
        }
        let all = lines.all.withLock { $0 }
        let answers = all.filter { $0.contains("request answered") }
        #expect(answers.count == 2 && answers.allSatisfy { $0.contains("\"request.id\": test") })
        #expect(answers.contains { $0.contains("\"http.route\": retrieve") && $0.contains("\"http.status\": 200") })
        #expect(answers.contains { $0.contains("\"http.route\": batch") && $0.contains("\"http.status\": 400") })
        #expect(answers.contains { $0.contains("\"model.name\": m") && $0.contains("\"model.version\": 1") })
        #expect(!all.contains { $0.contains(token) })
    }

    @Test("only a request that takes SLOW_REQUEST_MS is logged as a warning, with its stages")
    func logsSlowRequests() async throws {
        let lines = LogRecorder.Lines()
        let logger = Logger(label: "test") { _ in LogRecorder(lines: lines) }
        let builder = makeTestBuilder { seed in if seed == 7 { Thread.sleep(forTimeInterval: 1) } }
        let configuration = ServerConfiguration.testing { $0.slowRequest = .milliseconds(1000) }
        try await withServer(builder: builder, configuration: configuration, logger: logger) { server throws in
            for seed in 7...8 {
                #expect(try await server.ask(post("{\"history\":[\"i1\"],\"seed\":\(seed)}")).status == 200)
            }
        }
        let all = lines.all.withLock { $0 }
        let slow = all.filter { $0.contains("request was slow") }
        #expect(slow.count == 1 && all.count { $0.contains("request answered") } == 1)
        #expect(slow.allSatisfy { !$0.contains("\"guidance.us\": 0") && $0.contains("\"model.version\": 1") })
    }

    @Test("the error of a port in use names the port and the next step")
    func namesPortInUse() async throws {
        try await withServer { server in
            let data = ServerError.portInUse(host: "127.0.0.1", port: server.port, key: "HTTP_PORT")
            await #expect(throws: data) {
                try await withServer(configuration: .testing { $0.httpPort = server.port }) { _ in }
            }
            let control = ServerError.portInUse(host: "127.0.0.1", port: server.port, key: "CONTROL_PORT")
            await #expect(throws: control) {
                try await withServer(configuration: .testing { $0.controlPort = server.port }) { _ in }
            }
            #expect(data.description.contains("HTTP_PORT") && data.description.contains("\(server.port)"))
        }
    }
}
