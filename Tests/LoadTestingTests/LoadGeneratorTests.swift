import LoadTesting
import Synchronization
import Testing

@Suite("LoadGenerator", .serialized) struct LoadGeneratorTests {
    /// Measures one run against a scripted server.
    private func measure(
        _ pacing: Pacing,
        seconds: Double,
        warmUp: Double = 0,
        connections: Int = 8,
        timeout: Double = 20,
        observer: RunObserver = RunObserver(),
        script: @escaping @Sendable (Int) -> ScriptedServer.Reaction
    ) async throws -> (measurement: LoadMeasurement, server: ScriptedServer) {
        let server = ScriptedServer(script)
        let target = try LoadTarget(url: "http://127.0.0.1:\(try await server.start())")
        let generator = try await LoadGenerator.connect(
            to: target,
            requests: RequestPool(
                target: target,
                source: .synthetic(items: 9),
                lengths: 1...4,
                k: 5,
                count: 50,
                seed: 1
            ),
            connections: connections,
            timeout: .seconds(timeout)
        )
        let result: Result<LoadMeasurement, any Error>
        do {
            result = .success(
                try await generator.measure(
                    pacing,
                    duration: .seconds(seconds),
                    warmUp: .seconds(warmUp),
                    observer: observer
                )
            )
        } catch {
            result = .failure(error)
        }
        try await generator.close()
        try await server.stop()
        return (try result.get(), server)
    }

    @Test("every due request is counted by the server's reaction")
    func accounts() async throws {
        let (run, server) = try await measure(.constant(rate: 1000), seconds: 0.5) { number in
            switch number % 10 {
            case 2: .close
            case 3: .answer(503)
            case 5: .answer(404)
            case 6: .slowly(pieceSize: 7)
            case 8: .answerAndClose
            default: .answer(200)
            }
        }
        #expect(run.due == 500 && run.unsent == 0)
        #expect(run.sent == run.ok + run.errors)
        #expect(server.requests == run.sent)
        #expect(run.disconnects == server.count(of: .close))
        #expect(run.shed == server.count(of: .answer(503)))
        #expect(run.statuses[404] == server.count(of: .answer(404)))
        #expect(run.ok == 350 && run.timeouts == 0)
        #expect(run.latency.count == run.ok && run.serviceTime.count == run.ok && run.shedLatency.count == run.shed)
    }

    @Test("the warm-up is sent but not counted")
    func warmUp() async throws {
        let (run, server) = try await measure(.constant(rate: 1000), seconds: 0.3, warmUp: 0.2) { number in
            number < 100 ? .answer(500) : .answer(200)
        }
        #expect(server.requests == 500)
        #expect(run.sent == 300 && run.ok == 300 && run.errors == 0)
    }

    @Test("a stall of the server shows in every delayed request, not only in those in flight")
    func coordinatedOmission() async throws {
        let (run, _) = try await measure(.constant(rate: 500), seconds: 1, connections: 2) { number in
            number == 200 ? .stall(seconds: 0.2) : .answer(200)
        }
        #expect(run.sent == 500 && run.ok == 500)
        // 100 requests are due during the stall. The 90 requests of its first 180 ms wait for 20 ms or longer.
        #expect(run.latency.count(from: 20_000) >= 85)
        #expect(run.latency.count(from: 100_000) >= 45)
        #expect(run.latency.maximum >= 199_000)
        #expect(run.late >= 85)
        // With two connections only two requests were in flight.
        #expect(run.serviceTime.count(from: 100_000) <= 2)
    }

    @Test("slow answers are timed to their last byte")
    func slowAnswers() async throws {
        let (run, _) = try await measure(.constant(rate: 100), seconds: 0.3) { _ in .slowly(pieceSize: 4) }
        // 82 bytes in pieces of 4: the last of 21 pieces comes 2.1 ms after the request.
        #expect(run.ok == 30 && run.serviceTime.count(from: 2050) == 30)
    }

    @Test("requests without an answer time out, and the generator replaces their connections")
    func timeouts() async throws {
        let (run, server) = try await measure(.constant(rate: 400), seconds: 0.5, timeout: 0.5) { number in
            number % 20 == 7 ? .ignore : .answer(200)
        }
        #expect(run.due == 200 && run.sent == run.ok + run.errors && server.requests == run.sent)
        #expect(run.timeouts == server.count(of: .ignore) && run.timeouts >= 5)
        #expect(run.errors == run.timeouts)
    }

    @Test("requests that never get a connection are counted as unsent")
    func unsent() async throws {
        let (run, server) = try await measure(.constant(rate: 20_000), seconds: 0.2, connections: 1, timeout: 0.05) {
            _ in
            .ignore
        }
        #expect(run.due == 4000 && run.ok == 0 && run.timeouts == run.sent && server.requests <= run.sent)
        // Every sent request occupies the only connection for the time-out.
        #expect(run.unsent >= 3900)
        #expect(run.achievedRate == 0)
    }

    @Test("overload still measures capacity: requests that wait too long are given up unsent")
    func overload() async throws {
        let (run, server) = try await measure(.constant(rate: 5000), seconds: 0.5, connections: 1, timeout: 0.1) { _ in
            .stall(seconds: 0.005)
        }
        // At most 200 a second are answered; the last ones wait for the time-out and their turn.
        #expect(run.due == 2500 && run.ok == run.sent && run.timeouts == 0 && server.requests == run.sent)
        #expect(5...125 ~= run.ok && run.latency.maximum >= 90_000)
    }

    @Test("a closed loop keeps every connection busy until the end")
    func closedLoop() async throws {
        let (run, server) = try await measure(.closedLoop, seconds: 0.3, connections: 3) { _ in .answer(200) }
        #expect(run.sent == server.requests && run.ok == run.sent && run.errors == 0 && run.unsent == 0)
        #expect(run.ok > 3 && run.rate == nil)
    }

    @Test("a stop request ends the run with the measurement so far")
    func stop() async throws {
        let questions = Mutex(0)
        let observer = RunObserver(shouldStop: {
            questions.withLock {
                $0 += 1
                return $0 > 50
            }
        })
        let (run, server) = try await measure(.constant(rate: 1000), seconds: 3600, observer: observer) { _ in
            .answer(200)
        }
        #expect(run.sent == run.ok && run.ok == server.requests && run.ok >= 49 && run.seconds < 3600)
    }

    @Test("progress comes once a second and sums to at most the answers")
    func progress() async throws {
        let reports = Mutex<[LoadProgress]>([])
        let observer = RunObserver(onProgress: { progress in reports.withLock { $0.append(progress) } })
        let (run, _) = try await measure(.constant(rate: 100), seconds: 2.2, observer: observer) { number in
            .answer(number % 10 == 0 ? 500 : 200)
        }
        let seen = reports.withLock { $0 }
        #expect(1...2 ~= seen.count && seen.allSatisfy { $0.seconds >= 1 && $0.latency.count == $0.ok })
        #expect(seen.map(\.ok).reduce(0, +) <= run.ok && seen.map(\.errors).reduce(0, +) <= run.errors)
        #expect(seen[0].ok > 0 && seen[0].errors > 0)
    }

    @Test("an answer without Content-Length ends the run with an error")
    func chunked() async throws {
        let error = LoadError.badAnswer(.transferEncoding("chunked"))
        await #expect(throws: error) {
            _ = try await measure(.constant(rate: 100), seconds: 30) { _ in
                .raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            }
        }
    }

    @Test("the end waits for connections that are being opened")
    func endsWhileOpening() async throws {
        // The server closes every connection at its first request, so most connections are being opened at the end. A
        // generator that did not wait for them would leave them to a thread that has ended: LeakSanitizer reports it.
        for _ in 0..<5 {
            let (run, server) = try await measure(.closedLoop, seconds: 0.05) { _ in .close }
            #expect(run.sent > 0 && run.sent == run.disconnects && run.sent == server.requests)
        }
    }

    @Test("an unreachable server is an error at once")
    func refused() async throws {
        let server = ScriptedServer { _ in .ignore }
        let port = try await server.start()
        try await server.stop()
        let target = try LoadTarget(url: "http://127.0.0.1:\(port)")
        let pool = RequestPool(target: target, source: .synthetic(items: 9), lengths: 1...1, k: 1, count: 1, seed: 1)
        do {
            _ = try await LoadGenerator.connect(to: target, requests: pool, connections: 2, timeout: .seconds(1))
            Issue.record("a connection to nobody")
        } catch let error as LoadError {
            guard case .unreachable("127.0.0.1", port, let reason) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(reason.contains("refused"))
        }
    }
}
