import Foundation
import HTTPAPI
import ServiceLifecycle
import Serving
import TestSupport
import Testing

@Suite("Framing on both planes", .timeLimit(.minutes(2))) struct FramingTests {
    /// Requests that are ambiguous for different readers, or incomplete.
    static let doubtful = [
        "Transfer-Encoding: x\r\nHost: 127.0.0.1\r\n\r\n",
        "Transfer-Encoding: chunked\r\nHost: 127.0.0.1\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\nHost: 127.0.0.1\r\n\r\n0\r\n\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\nHost: 127.0.0.1\r\n\r\n{}",
        "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", "Content-Length: 0\r\n\r\n",
        "Host: 127.0.0.1:8081.evil.com\r\nContent-Length: 0\r\n\r\n",
        "Host: 127.0.0.1@evil.com\r\nContent-Length: 0\r\n\r\n", "Host: a b\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 99999999\r\nHost: 127.0.0.1\r\n\r\n",
        "Transfer-Encoding: chunked\r\nHost: 127.0.0.1\r\n\r\nffffffffffffffff\r\n{",
    ]

    @Test("an ambiguous request gets one refusal, changes nothing, and closes its connection", arguments: doubtful)
    func refuses(request: String) async throws {
        try await withServer { server in
            for (port, line) in [
                (server.port, "POST /retrieve HTTP/1.1"),
                (server.controlPort, "POST /v1/models/m/versions/2:activate HTTP/1.1"),
            ] {
                let connection = try await TestConnection(port: port)
                try await connection.send("\(line)\r\nContent-Type: application/json\r\n\(request)")
                let answer = try await connection.answer()
                #expect(
                    [400, 413].contains(answer.status),
                    "\(port == server.port ? "data" : "control"): \(answer.status)"
                )
                #expect(answer.headers["content-type"] == "application/problem+json")
                #expect(try await connection.rest() == "")
            }
            #expect(server.source.activeVersion(of: "m") == 1)
        }
    }

    @Test("pipelined requests of the control plane are answered in order")
    func pipelines() async throws {
        try await withServer { server in
            let connection = try await TestConnection(port: server.controlPort)
            let targets = ["/version", "/v1/models", "/nothing", "/v1/aliases", "/version"]
            try await connection.send(targets.map { "GET \($0) HTTP/1.1\r\nHost: localhost\r\n\r\n" }.joined())
            var statuses: [Int] = []
            for _ in targets { statuses.append(try await connection.answer().status) }
            #expect(statuses == [200, 200, 404, 200, 200])
            try await connection.close()
        }
    }

    @Test("requests whose sender sends no more are all answered before the connection ends")
    func answersHalfClosed() async throws {
        try await withServer { server in
            for port in [server.port, server.controlPort] {
                let connection = try await TestConnection(port: port)
                let target = port == server.port ? "/health/live" : "/version"
                try await connection.send(
                    String(repeating: "GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 5)
                )
                try await connection.finishSending()
                for _ in 0..<5 { #expect(try await connection.answer().status == 200) }
                #expect(try await connection.rest() == "")
            }
        }
    }

    @Test("the control plane asks for a body that is held back, and ends connections that cannot go on")
    func continuesAndEnds() async throws {
        try await withServer { server in
            let waiting = try await TestConnection(port: server.controlPort)
            let body = "{\"model\":\"m\"}"
            let head = "PUT /v1/aliases/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
            try await waiting.send(head + "Expect: 100-continue\r\n\r\n")
            #expect(try await waiting.answer().status == 100)
            try await waiting.send(body)
            #expect(try await waiting.answer().status == 200)
            // After the answer to a request before it, too.
            try await waiting.send(
                "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n" + head + "Expect: 100-continue\r\n\r\n"
            )
            for status in [200, 100] { #expect(try await waiting.answer().status == status) }
            try await waiting.send(body)
            #expect(try await waiting.answer().status == 200)
            try await waiting.close()
            for last in [
                "GET /version HTTP/1.0\r\n\r\n", "GET /version HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n\r\n",
            ] {
                let connection = try await TestConnection(port: server.controlPort)
                try await connection.send(last)
                #expect(try await connection.answer().status == 200)
                #expect(try await connection.rest() == "")
            }
        }
    }

    @Test("the control plane cuts off slow requests")
    func timesOut() async throws {
        // Connections that wait for the test may be idle longer than any time limit of a busy machine.
        let configuration = ServerConfiguration.testing { $0.requestReadTimeout = .milliseconds(100) }
        try await withServer(configuration: configuration) { server in
            for part in [
                "GET /vers", "POST /v1/models/m:rollback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{",
            ] {
                let connection = try await TestConnection(port: server.controlPort)
                try await connection.send(part)
                #expect(try await connection.answer().status == 408)
                #expect(try await connection.rest() == "")
            }
        }
    }

    @Test("the control plane closes idle connections")
    func closesIdle() async throws {
        try await withServer(configuration: .testing { $0.idleTimeout = .seconds(1) }) { server in
            let idle = try await TestConnection(port: server.controlPort)
            #expect(try await idle.rest() == "")
        }
    }

    @Test(
        "the control plane bounds its connections: new ones close idle ones, and the data plane answers"
    )
    func boundsControlConnections() async throws {
        try await withServer(configuration: .testing { $0.controlMaxConnections = 4 }) { server in
            var idle: [TestConnection] = []
            for _ in 0..<60 { idle.append(try await TestConnection(port: server.controlPort)) }
            let caller = try await TestConnection(port: server.controlPort)
            try await caller.send("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try await caller.answer().status == 200)
            #expect(try await server.ask(post(Body.light)).status == 200)
            // The oldest connections were closed.
            for connection in idle.dropLast(8) { #expect(try await connection.rest() == "") }
            try await caller.close()
        }
    }

    @Test(
        "the data plane refuses pages of other sites, but not programs or pages of its own site",
        arguments: [
            ("Origin: http://evil.example\r\n", 401), ("Origin: null\r\n", 401),
            ("Sec-Fetch-Site: cross-site\r\n", 401),
            ("Sec-Fetch-Site: same-site\r\nOrigin: http://x\r\n", 401), ("Origin: http://x\r\n", 200),
            ("Sec-Fetch-Site: same-origin\r\nOrigin: http://other\r\n", 200), ("Sec-Fetch-Site: none\r\n", 200),
            ("", 200), ("Origin: http://x:80\r\n", 200), ("Origin: https://x:443\r\n", 200),
            ("Origin: HTTP://X\r\n", 200),
            ("Origin: http://x:81\r\n", 401), ("Sec-Fetch-Site: Same-Origin\r\n", 200), ("Sec-Fetch-Site: \r\n", 200),
            ("Origin: http://evil\r\nOrigin: http://x\r\n", 401),
            ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: none\r\n", 401),
        ]
    )
    func refusesForeignPages(headers: String, status: Int) async throws {
        try await withServer { server in
            let answer = try await server.ask(post(Body.light, headers: headers))
            #expect(answer.status == status)
            let probe = try await server.ask("GET /health/live HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
            #expect(probe.status == 200)
        }
    }

    @Test("connections in the kernel's backlog are answered when the listener closes")
    func answersBacklog() async throws {
        let gate = EncodingGate()
        try await withServer(builder: gate.builder) { server in
            // Blocks the event loop, so that it accepts no connection meanwhile.
            let busy = try await server.connect()
            try await busy.send(post("{\"history\":[\"i1\"],\"k\":2,\"seed\":666}"))
            try await gate.waitForHeld()
            var waiting: [TestConnection] = []
            for _ in 0..<60 {
                waiting.append(try await server.connect())
                try await waiting[waiting.count - 1].send(post(Body.light))
            }
            await server.group.triggerGracefulShutdown()
            try await Task.sleep(for: .milliseconds(50))
            gate.open()
            for connection in [busy] + waiting { #expect(try await connection.answer().status == 200) }
        }
    }
}
