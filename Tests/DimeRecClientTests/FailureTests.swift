import DimeRecClient
import Testing

@Suite("Failures in the client", .timeLimit(.minutes(2))) struct FailureTests {
    private let question = RetrievalRequest(history: ["i1"])

    @Test("after 503 the client retries, not before Retry-After, with the remaining time as the deadline")
    func waitsForRetryAfter() async throws {
        try await ScriptedServer({ number, _ in
            number == 0 ? .problem(503, "overloaded", headers: ["Retry-After: 7"]) : .answer(200, retrieved)
        }).serving { server, url in
            let waits = Waits()
            _ = try await makeClient([url], waits: waits).retrieve(question)
            let deadlines = server.requests.compactMap { $0.header("x-deadline-ms").flatMap { Int($0) } }
            #expect(deadlines.count == 2 && deadlines[0] <= 30_000 && deadlines[1] <= deadlines[0] && deadlines[1] > 0)
            #expect(waits.all.count == 1 && waits.all.allSatisfy { .seconds(6) < $0 && $0 <= .seconds(7) })
            #expect(server.connections == 1)
        }
    }

    @Test("an unlimited timeout is sent to the service as an hour")
    func endlessTime() async throws {
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
            let client = try makeClient([url]) { $0.timeout = .seconds(Int64.max) }
            _ = try await client.retrieve(question)
            #expect(server.requests.compactMap { $0.header("x-deadline-ms") } == ["3600000"])
        }
    }

    @Test("the client does not wait for a Retry-After beyond the deadline")
    func givesUp() async throws {
        try await ScriptedServer({ _, _ in .problem(503, "overloaded", headers: ["Retry-After: 31"]) }).serving {
            server,
            url in
            let waits = Waits()
            await expectProblem(503, "overloaded") { _ = try await makeClient([url], waits: waits).retrieve(question) }
            #expect(waits.all.isEmpty && server.requests.count == 1)
        }
    }

    @Test("without Retry-After the waits grow with jitter, and the attempts are limited")
    func backsOff() async throws {
        try await ScriptedServer({ _, _ in .problem(503, "overloaded") }).serving { server, url in
            let waits = Waits()
            let client = try makeClient([url], waits: waits) {
                $0.attempts = 7
                $0.backoff = .milliseconds(100)
                $0.longestBackoff = .seconds(1)
            }
            await expectProblem(503, "overloaded") { _ = try await client.retrieve(question) }
            #expect(server.requests.count == 7 && waits.all.count == 6)
            for (wait, full) in zip(waits.all, [100, 200, 400, 800, 1000, 1000]) {
                #expect(.milliseconds(full) / 2 <= wait && wait <= .milliseconds(full))
            }
        }
    }

    @Test("a dead replica costs one attempt and no wait; the next call starts with the live one")
    func failsOver() async throws {
        var dead = ""
        try await ScriptedServer({ _, _ in .silence }).serving { _, url in dead = url }
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
            let waits = Waits()
            let both = try makeClient([dead, url], waits: waits)
            for _ in 0..<5 { _ = try await both.retrieve(question) }
            #expect(waits.all.isEmpty && server.requests.count == 5 && server.connections == 1)
            let alone = try makeClient([dead], waits: waits) { $0.attempts = 3 }
            do {
                _ = try await alone.retrieve(question)
                Issue.record("somebody answered")
            } catch DimeRecError.unreachable(let address, _) {
                #expect(address == dead && waits.all.count == 2)
            }
        }
    }

    @Test("a replica that answers 503 is skipped; a working one is used from then on")
    func prefersTheOneThatWorks() async throws {
        try await ScriptedServer({ _, _ in .problem(503, "not_ready", headers: ["Retry-After: 1"]) }).serving {
            busy,
            busyURL in
            try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
                let waits = Waits()
                let client = try makeClient([busyURL + "/", url], waits: waits)
                for _ in 0..<5 { _ = try await client.retrieve(question) }
                #expect(busy.requests.count == 1 && server.requests.count == 5 && waits.all.isEmpty)
            }
        }
    }

    @Test("a passed deadline is an error, and the service received the deadline")
    func keepsDeadline() async throws {
        try await ScriptedServer({ _, _ in .silence }).serving { server, url in
            let error = DimeRecError.deadlineExceeded(after: .milliseconds(500), last: nil)
            await #expect(throws: error) {
                _ = try await makeClient([url]).retrieve(question, timeout: .milliseconds(500))
            }
            let told = try #require(server.requests.first?.header("x-deadline-ms").flatMap { Int($0) })
            #expect(1...500 ~= told)
        }
    }

    @Test("the deadline includes the body")
    func keepsDeadlineInBody() async throws {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"items\":"
        try await ScriptedServer({ _, _ in .bytes(half) }).serving { _, url in
            let error = DimeRecError.deadlineExceeded(after: .milliseconds(500), last: nil)
            await #expect(throws: error) {
                _ = try await makeClient([url]).retrieve(question, timeout: .milliseconds(500))
            }
        }
    }

    @Test("a replica that is silent for the attempt's timeout is skipped")
    func limitsAttempts() async throws {
        try await ScriptedServer({ _, _ in .silence }).serving { silent, silentURL in
            try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
                let client = try makeClient([silentURL, url]) { $0.attemptTimeout = .seconds(1) }
                for _ in 0..<2 { _ = try await client.retrieve(question) }
                #expect(silent.requests.count == 1 && server.requests.count == 2)
            }
        }
    }

    @Test(
        "the client retries after an incomplete answer",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"items\":", "HTTP/1.1 200 OK\r\nContent-Le", "",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ite", "no HTTP at all\r\n\r\n",
        ]
    )
    func asksAgain(half: String) async throws {
        try await ScriptedServer({ number, _ in
            number == 0 ? .bytesAndClose(half) : .answer(200, retrieved)
        }).serving { server, url in
            let waits = Waits()
            let answer = try await makeClient([url], waits: waits).retrieve(question)
            #expect(answer.version == 3 && server.requests.count == 2 && waits.all.count == 1)
        }
    }

    @Test(
        "a problem is thrown at once and unchanged",
        arguments: [(400, "invalid_argument"), (404, "not_found"), (504, "x")]
    )
    func throwsProblem(status: Int, code: String) async throws {
        try await ScriptedServer({ _, _ in .problem(status, code) }).serving { server, url in
            await expectProblem(status, code) { _ = try await makeClient([url]).retrieve(question) }
            #expect(server.requests.count == 1)
        }
    }

    @Test(
        "an answer that breaks the contract is invalidAnswer",
        arguments: [(200, "{}"), (200, "<html>"), (200, ""), (502, "<html>"), (301, "{}")]
    )
    func namesStrangers(status: Int, body: String) async throws {
        try await ScriptedServer({ _, _ in .answer(status, body) }).serving { server, url in
            do {
                _ = try await makeClient([url]).retrieve(question)
                Issue.record("\(status) was an answer")
            } catch DimeRecError.invalidAnswer(_, let found, _) {
                #expect(found == status && server.requests.count == 1)
            }
        }
    }

    @Test("an answer longer than the limit is refused")
    func limitsAnswers() async throws {
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { _, url in
            let client = try makeClient([url]) { $0.answerLimit = retrieved.utf8.count - 1 }
            await #expect(throws: DimeRecError.self) { _ = try await client.retrieve(question) }
        }
    }

    @Test("a cancelled task throws CancellationError and sends no more requests")
    func cancels() async throws {
        try await ScriptedServer({ _, _ in .silence }).serving { server, url in
            let task = Task { [question] in try await makeClient([url]).retrieve(question) }
            while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            #expect(server.requests.count == 1)
        }
    }

    @Test("concurrent calls share the connections")
    func sharesConnections() async throws {
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
            let client = try makeClient([url]) { $0.connections = 3 }
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<100 { group.addTask { [question] in try await client.retrieve(question).version } }
                for try await version in group { #expect(version == 3) }
            }
            #expect(server.requests.count == 100 && server.connections <= 3)
        }
    }

    @Test(
        "an invalid base address is refused",
        arguments: ["", "localhost", "127.0.0.1:8080", "ftp://a", "http://", "http://a?b", "http://u@a"]
    )
    func refusesAddresses(url: String) {
        #expect(throws: DimeRecError.invalidURL(url)) { try DimeRecClient(url: url) }
    }
}

/// Expects a problem of the service with a status and a code.
func expectProblem(_ status: Int, _ code: String, _ call: () async throws -> Void) async {
    do {
        try await call()
        Issue.record("there was an answer")
    } catch DimeRecError.problem(let problem) {
        #expect(problem.status == status && problem.code == code && problem.instance == "r1" && problem.detail == "D")
        #expect(problem.errors.map(\.pointer) == ["/k"])
    } catch {
        Issue.record("\(error)")
    }
}
