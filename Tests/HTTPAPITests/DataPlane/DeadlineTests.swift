import Foundation
import HTTPAPI
import Serving
import TestSupport
import Testing

@Suite("Deadlines", .timeLimit(.minutes(2))) struct DeadlineTests {
    static let hasty = "X-Deadline-Ms: 1\r\n"
    static let patient = "X-Deadline-Ms: 60000\r\n"

    static let cases: [(request: String, configuredMilliseconds: Int)] = [
        (post(Body.heavy, headers: hasty), 0), (post(Body.heavy, headers: hasty), 60_000),
        (post(Body.heavy), 500), (post(Body.heavy, headers: patient), 500),
        (postBatch([Body.light, Body.heavy], headers: hasty), 0), (postBatch([Body.light]), 500),
    ]

    @Test("a request whose deadline passes in the queue gets 504 and never reaches the model", arguments: cases)
    func dropsExpiredWork(request: String, milliseconds: Int) async throws {
        let gate = EncodingGate()
        let configuration = ServerConfiguration.testing {
            $0.workerThreads = 1
            $0.deadline = .milliseconds(milliseconds)
        }
        try await withServer(builder: gate.builder, configuration: configuration) { server in
            let (busy, late) = (try await server.connect(), try await server.connect())
            try await busy.send(post(Body.heavyHeld))
            try await gate.waitForHeld()
            // The second request is queued before the first is answered, because both arrive in one read.
            try await late.send(post("{") + request)
            #expect(try await late.answer().status == 400)
            let encodings = gate.encodings
            try await Task.sleep(for: .milliseconds(milliseconds == 500 ? 600 : 5))
            gate.open()
            let answer = try await late.answer()
            #expect(answer.status == 504)
            #expect(try answer.json()["code"] as? String == "deadline_exceeded")
            #expect(gate.encodings == encodings)
            // The request that waits at the gate began in time.
            #expect(try await busy.answer().status == 200)
            try await late.send(request.replacing(Self.hasty, with: Self.patient))
            #expect(try await late.answer().status == 200)
            try await busy.close()
            try await late.close()
        }
    }

    @Test("a request behind a slow answer on its own connection expires too")
    func dropsExpiredPipeline() async throws {
        let gate = EncodingGate()
        try await withServer(builder: gate.builder) { server in
            let connection = try await server.connect()
            let light = post(Body.light, headers: Self.hasty)
            try await connection.send(post(Body.heavyHeld) + light + post("{\"item\":\"i1\"}", path: "/v1/similar"))
            try await gate.waitForHeld()
            let encodings = gate.encodings
            try await Task.sleep(for: .milliseconds(5))
            gate.open()
            for status in [200, 504, 200] { #expect(try await connection.answer().status == status) }
            #expect(gate.encodings == encodings)
            try await connection.close()
        }
    }

    @Test(
        "a deadline that is not a number of milliseconds is refused",
        arguments: ["0", "-1", "1.5", "", "soon", "3600001", "99999999999999999999"]
    )
    func refusesBadDeadlines(value: String) async throws {
        try await withServer { server in
            let answer = try await server.ask(post(Body.light, headers: "X-Deadline-Ms: \(value)\r\n"))
            #expect(answer.status == 400)
            #expect(try answer.json()["code"] as? String == "invalid_argument")
            #expect(answer.headers["connection"] == nil)
        }
    }
}

@Suite("Overload of an event loop", .timeLimit(.minutes(2))) struct OverloadTests {
    /// Sends a light request on each of several connections while the loop is blocked, so that it finds all of them at
    /// once.
    ///
    /// Each encoding takes `milliseconds`.
    private func answers(
        _ count: Int,
        milliseconds: Double,
        configuration: ServerConfiguration,
        afterwards: @Sendable @escaping (RunningServer, [Answer]) async throws -> Void
    ) async throws {
        let gate = EncodingGate()
        let builder = makeTestBuilder { seed in
            gate.pass(seed)
            if seed == 7 { Thread.sleep(forTimeInterval: milliseconds / 1000) }
        }
        try await withServer(builder: builder, configuration: configuration) { server in
            let holder = try await server.connect()
            var connections: [TestConnection] = []
            for _ in 0..<count {
                let connection = try await server.connect()
                try await connection.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await connection.answer().status == 200)
                connections.append(connection)
            }
            try await holder.send(post("{\"history\":[\"i1\"],\"seed\":666}"))
            try await gate.waitForHeld()
            for connection in connections {
                try await connection.send(post("{\"history\":[\"i1\"],\"k\":2,\"seed\":7}"))
            }
            gate.open()
            var answers: [Answer] = []
            for connection in connections { answers.append(try await connection.answer()) }
            try await afterwards(server, answers)
            for connection in connections {
                try await connection.send(post(Body.light))
                #expect(try await connection.answer().status == 200)
            }
            for connection in connections + [holder] { try await connection.close() }
        }
    }

    @Test("some of the requests that waited too long for the loop are refused, and the loop recovers")
    func refusesLateRequests() async throws {
        try await answers(30, milliseconds: 20, configuration: .testing { $0.queueDelay = .milliseconds(50) }) {
            _,
            answers throws in
            #expect(Set(answers.map(\.status)) == [200, 503])
            for answer in answers where answer.status == 503 {
                #expect(answer.headers["retry-after"] == "1" && answer.headers["connection"] == nil)
                #expect(try answer.json()["code"] as? String == "overloaded")
            }
        }
    }

    @Test("at most MAX_INFLIGHT requests of a batch are answered before others are refused")
    func refusesManyRequests() async throws {
        try await answers(30, milliseconds: 2, configuration: .testing { $0.maxInflight = 5 }) { _, answers in
            let count = answers.count { $0.status == 200 }
            #expect(count >= 5 && answers.contains { $0.status == 503 })
        }
    }

    @Test("within the limits no request is refused")
    func answersBurst() async throws {
        try await answers(60, milliseconds: 0, configuration: .testing { _ in }) { _, answers in
            #expect(answers.allSatisfy { $0.status == 200 })
        }
    }
}
