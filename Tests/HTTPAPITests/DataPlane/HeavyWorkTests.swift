import Foundation
import HTTPAPI
import ServiceLifecycle
import Serving
import Synchronization
import TestSupport
import Testing

/// Request bodies for the test doubles.
enum Body {
    static let light = "{\"history\":[\"i1\"],\"k\":2}"
    /// A large re-ranking.
    static let heavy = "{\"history\":[\"i1\"],\"k\":200,\"diversity\":0.5}"
    /// The same, blocked by an ``EncodingGate``.
    static let heavyHeld = "{\"history\":[\"i1\"],\"k\":200,\"diversity\":0.5,\"seed\":666}"

    static func batch(_ requests: [String]) -> String { "{\"requests\":[\(requests.joined(separator: ","))]}" }
}

func postBatch(_ requests: [String], headers: String = "") -> String {
    post(Body.batch(requests), path: "/retrieve:batch", headers: headers)
}

@Suite("Heavy work", .timeLimit(.minutes(2))) struct HeavyWorkTests {
    static let oneWorker = ServerConfiguration.testing { $0.workerThreads = 1 }

    @Test("light, heavy, batched and broken requests of one connection are answered in order", arguments: [1, 3])
    func keepsOrder(workers: Int) async throws {
        try await withServer(configuration: .testing { $0.workerThreads = workers }) { server in
            let requests = (0..<60).map { number in
                switch number % 6 {
                case 0, 3: post("{\"history\":[\"i\(1 + number % 5)\"],\"k\":\(2 + number % 30)}")
                case 1: post("{\"history\":[\"i1\"],\"k\":\(200 + number),\"diversity\":0.5}")
                case 2: postBatch([Body.light, Body.heavy])
                case 4: post("{\"history\":\(number)}")
                default: post("{\"history\":[\"i2\"],\"k\":\(300 + number),\"diversity\":1}")
                }
            }
            var expected: [[UInt8]] = []
            for request in requests { expected.append(try await server.ask(request).body) }
            #expect(Set(expected).count > 10)
            let connection = try await server.connect()
            try await connection.send(requests.joined())
            for body in expected { #expect(try await connection.answer().body == body) }
            try await connection.close()
        }
    }

    @Test(
        "numbers out of bounds are refused before any computation",
        arguments: ["-9223372036854775808", "-759250126", "9223372036854775807"],
        ["\"diversity\":0.5", "\"category_penalty\":0.5", "\"exact\":true", "\"samples\":16"]
    )
    func refusesExtremes(k: String, beside: String) async throws {
        try await withServer { server in
            let question = "{\"history\":[],\"k\":\(k),\(beside)}"
            let answer = try await server.ask(post(question))
            #expect(answer.status == 400 && answer.text.contains("from 1 to 1000"), "\(answer.text)")
            let batch = try await server.ask(postBatch([question, Body.light]))
            let results = try #require(try batch.json()["results"] as? [[String: Any]])
            #expect(results[0]["status"] as? Int == 400 && results[1]["items"] != nil)
            #expect(try await server.ask(post(Body.light)).status == 200)
        }
    }

    @Test("a request behind a slow one gets its 100 Continue in its turn", arguments: [0, 3])
    func continuesLater(lightCount: Int) async throws {
        let gate = EncodingGate()
        try await withServer(builder: gate.builder, configuration: Self.oneWorker) { server in
            let connection = try await server.connect()
            let count = Body.light.utf8.count
            let head = "POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: \(count)\r\nExpect: 100-continue\r\n\r\n"
            let lights = String(repeating: post(Body.light), count: lightCount)
            try await connection.send(post(Body.heavyHeld) + lights + head)
            try await gate.waitForHeld()
            gate.open()
            for _ in 0...lightCount { #expect(try await connection.answer().status == 200) }
            #expect(try await connection.answer().status == 100)
            try await connection.send(Body.light)
            #expect(try await connection.answer().items().count == 2)
            try await connection.close()
        }
    }

    @Test("a heavy request delays only the later requests of its own connection", arguments: [true, false])
    func delaysNobodyElse(isBatch: Bool) async throws {
        let gate = EncodingGate()
        try await withServer(builder: gate.builder, configuration: Self.oneWorker) { server in
            let busy = try await server.connect()
            let held = isBatch ? postBatch([Body.light, Body.heavyHeld]) : post(Body.heavyHeld)
            try await busy.send(held + post(Body.light))
            try await gate.waitForHeld()
            for _ in 0..<20 { #expect(try await server.ask(post(Body.light)).items().count == 2) }
            gate.open()
            let first = try await busy.answer()
            #expect(first.status == 200)
            if isBatch {
                #expect(try first.json()["results"] is [Any])
            } else {
                #expect(try first.items().count == 39)
            }
            #expect(try await busy.answer().items().count == 2)
            try await busy.close()
        }
    }

    @Test("a worker answers a long body with the same answer")
    func leavesLongBodies() async throws {
        let gate = EncodingGate()
        try await withServer(builder: gate.builder, configuration: Self.oneWorker) { server in
            let ids = [String](repeating: "\"i1\"", count: 20_000).joined(separator: ",")
            let busy = try await server.connect()
            try await busy.send(post("{\"history\":[\(ids)],\"seed\":666}"))
            try await gate.waitForHeld()
            #expect(try await server.ask(post(Body.light)).status == 200)
            gate.open()
            #expect(try await busy.answer().status == 200)
            try await busy.close()
        }
    }

    @Test("above MAX_INFLIGHT heavy requests get 503 at once; light ones, and later heavy ones, do not")
    func boundsInflight() async throws {
        let gate = EncodingGate()
        let configuration = ServerConfiguration.testing {
            $0.workerThreads = 1
            $0.maxInflight = 2
        }
        try await withServer(builder: gate.builder, configuration: configuration) { server in
            let first = try await server.connect()
            try await first.send(post(Body.heavyHeld))
            try await gate.waitForHeld()
            // One of these requests waits; the others are refused.
            try await withThrowingTaskGroup(of: Answer.self) { tasks in
                for _ in 0..<5 { tasks.addTask { try await server.ask(post(Body.heavy)) } }
                for _ in 0..<4 {
                    let answer = try #require(try await tasks.next())
                    #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
                    #expect(try answer.json()["code"] as? String == "overloaded")
                    #expect(answer.headers["connection"] == nil)
                }
                let encodings = gate.encodings
                #expect(try await server.ask(postBatch([Body.light])).status == 503)
                #expect(gate.encodings == encodings)
                #expect(try await server.ask(post(Body.light)).status == 200)
                gate.open()
                #expect(try await tasks.next()?.status == 200)
            }
            #expect(try await first.answer().status == 200)
            for _ in 0..<10 { #expect(try await server.ask(post(Body.heavy)).status == 200) }
            try await first.close()
        }
    }

    @Test("a request that waits longer than ten times QUEUE_DELAY_MS for a worker is refused")
    func refusesLateWork() async throws {
        let gate = EncodingGate()
        let configuration = ServerConfiguration.testing {
            $0.workerThreads = 1
            $0.queueDelay = .milliseconds(150)
        }
        try await withServer(builder: gate.builder, configuration: configuration) { server in
            let first = try await server.connect()
            try await first.send(post(Body.heavyHeld))
            try await gate.waitForHeld()
            let second = try await server.connect()
            // The second request is queued before the first is answered, because both arrive in one read.
            try await second.send(post("{") + post(Body.heavy))
            #expect(try await second.answer().status == 400)
            let encodings = gate.encodings
            try await Task.sleep(for: .milliseconds(1700))
            gate.open()
            #expect(try await first.answer().status == 200)
            #expect(try await second.answer().status == 503)
            #expect(gate.encodings == encodings)
            try await first.close()
            try await second.close()
        }
    }

    @Test("a client that disconnects during the computation leaks nothing")
    func dropsAnswers() async throws {
        let gate = EncodingGate()
        let configuration = ServerConfiguration.testing {
            $0.workerThreads = 1
            $0.maxInflight = 1
        }
        try await withServer(builder: gate.builder, configuration: configuration) { server in
            let gone = try await server.connect()
            try await gone.send(post(Body.heavyHeld) + post(Body.light))
            try await gate.waitForHeld()
            try await gone.close()
            #expect(try await server.ask(post(Body.heavy)).status == 503)
            gate.open()
            while try await server.ask(post(Body.heavy)).status != 200 { try await Task.sleep(for: .milliseconds(1)) }
            #expect(try await server.ask(post(Body.light)).status == 200)
        }
    }

    @Test("a client that closes its write side still gets its answers")
    func answersHalfClosed() async throws {
        let gate = EncodingGate()
        try await withServer(builder: gate.builder, configuration: Self.oneWorker) { server in
            let client = try await server.connect()
            try await client.send(post(Body.heavyHeld) + post(Body.light))
            try await gate.waitForHeld()
            try await client.finishSending()
            try await Task.sleep(for: .milliseconds(5))
            gate.open()
            #expect(try await client.answer().items().count == 39)
            #expect(try await client.answer().items().count == 2)
            #expect(try await client.rest() == "")
        }
    }

    @Test("shutdown waits for running computations")
    func drains() async throws {
        let gate = EncodingGate()
        try await withServer(builder: gate.builder, configuration: Self.oneWorker) { server in
            let (running, queued) = (try await server.connect(), try await server.connect())
            try await running.send(post(Body.heavyHeld))
            try await gate.waitForHeld()
            try await queued.send(post("{") + post(Body.heavy))
            #expect(try await queued.answer().status == 400)
            await server.group.triggerGracefulShutdown()
            while (try? await server.ask(post(Body.light))) != nil { try await Task.sleep(for: .milliseconds(1)) }
            gate.open()
            for connection in [running, queued] {
                let answer = try await connection.answer()
                #expect(answer.status == 200 && answer.headers["connection"] == "close")
                #expect(try await connection.rest() == "")
            }
        }
    }

    @Test("connections with many requests at once take turns with others", arguments: zip([1, 20], [1000, 16]))
    func takesTurns(connections: Int, requests: Int) async throws {
        let gate = EncodingGate()
        let seeds = Mutex<[UInt64]>([])
        let builder = makeTestBuilder { seed in
            seeds.withLock { $0.append(seed) }
            gate.pass(seed)
        }
        try await withServer(builder: builder) { server in
            func request(_ seed: UInt64) -> String { post("{\"history\":[\"i1\"],\"k\":2,\"seed\":\(seed)}") }
            let other = try await server.connect()
            var greedy: [TestConnection] = []
            for _ in 0..<connections { greedy.append(try await server.connect()) }
            for connection in greedy + [other] {
                try await connection.send(request(5))
                #expect(try await connection.answer().status == 200)
            }
            // The first request blocks the loop until all others have arrived.
            let many = String(repeating: request(7), count: requests)
            try await greedy[0].send(request(EncodingGate.seed) + many)
            try await gate.waitForHeld()
            for connection in greedy.dropFirst() { try await connection.send(many) }
            try await other.send(request(8))
            gate.open()
            #expect(try await other.answer().status == 200)
            for (number, connection) in greedy.enumerated() {
                for _ in 0..<(number == 0 ? requests + 1 : requests) {
                    #expect(try await connection.answer().status == 200)
                }
            }
            let order = seeds.withLock { $0 }
            let start = try #require(order.firstIndex(of: EncodingGate.seed))
            let turn = try #require(order.firstIndex(of: 8))
            #expect(turn - start <= 64)
            for connection in greedy + [other] { try await connection.close() }
        }
    }

    @Test("a slow reader of a large answer delays no other connection and gets all of it", arguments: [false, true])
    func waitsForSlowReader(isHalfClosed: Bool) async throws {
        let configuration = ServerConfiguration.testing {
            $0.workerThreads = 1
            $0.limits.maxBatch = 10_000
        }
        try await withServer(configuration: configuration) { server in
            let slow = try await TestConnection(port: server.port, receiveBuffer: 8192)
            try await slow.setReading(false)
            // Nine megabytes: more than the sockets' buffers hold.
            let requests = [String](repeating: "{\"history\":[],\"k\":40}", count: 7000)
            try await slow.send(postBatch(requests))
            if isHalfClosed { try await slow.finishSending() }
            for _ in 0..<20 {
                #expect(try await server.ask(post(Body.light)).status == 200)
                #expect(try await server.ask(postBatch([Body.light])).status == 200)
            }
            // Longer than the linger time of a closed connection.
            if isHalfClosed { try await Task.sleep(for: .milliseconds(1500)) }
            try await slow.setReading(true)
            let results = try #require(try await slow.answer().json()["results"] as? [[String: Any]])
            #expect(results.count == 7000 && results.allSatisfy { ($0["items"] as? [Any])?.count == 40 })
            try await slow.close()
        }
    }
}
