import HTTPAPI
import Serving
import TestSupport
import Testing

@Suite("Connections of the data plane", .timeLimit(.minutes(2))) struct ConnectionTests {
    static let broken: [String] = [
        "nonsense\r\n\r\n", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{    }",
        "POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /retrieve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /retrieve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "GET /health/live HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /health/live HTTP/1.1\nHost: x\n\n", "GET /health\u{0}/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /retrieve HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /" + String(repeating: "a", count: 65_536) + " HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "a", count: 65_536) + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: 200) + "\r\n",
    ]

    @Test("a request that is ambiguous or not HTTP gets one 400, and the connection closes", arguments: broken)
    func refusesBrokenFraming(request: String) async throws {
        try await withServer { server in
            let connection = try await server.connect()
            try await connection.send(request + post("{\"history\":[]}"))
            let answer = try await connection.answer()
            #expect(answer.status == 400 && answer.headers["connection"] == "close")
            #expect(try await connection.rest() == "")
        }
    }

    @Test("pipelined requests, including errors, are answered in order")
    func pipelines() async throws {
        try await withServer { server in
            let connection = try await server.connect()
            let requests = (1...50).map {
                $0 % 7 == 0 ? post("{\"k\":\($0)}") : post("{\"history\":[],\"k\":\($0 % 40)}")
            }
            try await connection.send(requests.joined())
            for number in 1...50 {
                let answer = try await connection.answer()
                if number % 7 == 0 || number == 40 {
                    #expect(answer.status == 400)
                } else {
                    #expect(try answer.items().count == number % 40)
                }
            }
            try await connection.close()
        }
    }

    @Test("while a peer does not read, its requests wait; other connections do not")
    func waitsForSlowReader() async throws {
        try await withServer { server in
            let slow = try await TestConnection(port: server.port, receiveBuffer: 8192)
            try await slow.setReading(false)
            // Nine megabytes of answers: more than the sockets' buffers hold.
            let count = 7000
            let requests = String(repeating: post("{\"history\":[\"i1\"],\"k\":39}"), count: count)
            async let isSent: Void = slow.send(requests)
            try await Task.sleep(for: .milliseconds(500))
            #expect(try await server.ask(post("{\"history\":[\"i1\"]}")).text.contains("\"version\":1,"))
            // Requests that had to wait are answered from here on and name the new version.
            #expect(try await server.controller.activate(model: "m", version: 2, wait: true))
            try await slow.setReading(true)
            var versions: [Bool] = []
            var bytesAhead = 0
            for _ in 0..<count {
                let answer = try await slow.answer()
                versions.append(answer.text.contains("\"version\":2,"))
                if versions.last == false { bytesAhead += answer.body.count }
            }
            #expect(versions.first == false && versions.last == true)
            #expect(versions.firstIndex(of: true) == versions.lastIndex(of: false).map { $0 + 1 })
            // The peer's buffer, what waits in the kernel and in the channel, and one turn of answers.
            #expect(bytesAhead <= 131_072)
            try await isSent
            try await slow.close()
        }
    }

    @Test("a chunked body in pieces is read")
    func readsChunks() async throws {
        try await withServer { server in
            let connection = try await server.connect()
            let head = "POST /retrieve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            for piece in [head, "5\r\n{\"his\r\n", "e\r\ntory\":", "[],\"k\":3\r\n1\r\n}\r\n0\r", "\n\r\n"] {
                try await connection.send(piece)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try await connection.answer().items().count == 3)
            try await connection.close()
        }
    }

    @Test(
        "a body above the limit is refused before it has arrived",
        arguments: [
            "Content-Length: 2000\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + String(repeating: " ", count: 1500),
            "Transfer-Encoding: chunked\r\n\r\n7d0\r\n", "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n3ff",
            "Transfer-Encoding: Chunked\r\n\r\nffffffffffffffff\r\n{",
            "Content-Length: 99999999999999999999999\r\n\r\n",
        ]
    )
    func refusesLargeBodies(rest: String) async throws {
        try await withServer(configuration: .testing { $0.maxBodyBytes = 1024 }) { server in
            let connection = try await server.connect()
            try await connection.send("POST /retrieve HTTP/1.1\r\nHost: x\r\n\(rest)")
            let answer = try await connection.answer()
            #expect(answer.status == (rest.contains("99999") ? 400 : 413) && answer.headers["connection"] == "close")
            #expect(try await connection.rest() == "")
        }
    }

    @Test("the line with the size of a chunk has an end", arguments: ["1;", "0"])
    func refusesEndlessSizes(start: String) async throws {
        try await withServer { server in
            let connection = try await server.connect()
            let head = "POST /retrieve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            try await connection.send(head + start)
            for _ in 0..<9 { try? await connection.send(String(repeating: "0", count: 2000)) }
            let answer = try await connection.answer()
            #expect(answer.status == 400 && answer.headers["connection"] == "close")
            #expect(try await connection.rest() == "")
        }
    }

    @Test("100-continue is answered before the body; a request with a problem is refused at once")
    func continues() async throws {
        try await withServer { server in
            let head = "Host: x\r\nContent-Length: 14\r\nExpect: 100-continue\r\n\r\n"
            let good = try await server.connect()
            try await good.send("POST /retrieve HTTP/1.1\r\n\(head)")
            #expect(try await good.answer().status == 100)
            try await good.send("{\"history\":[]}")
            #expect(try await good.answer().status == 200)
            try await good.close()
            let bad = try await server.connect()
            try await bad.send("POST /nope HTTP/1.1\r\n\(head)")
            let answer = try await bad.answer()
            #expect(answer.status == 404 && answer.headers["connection"] == "close")
            #expect(try await bad.rest() == "")
        }
    }

    @Test("connections stay open or close as the client requests")
    func keepsAlive() async throws {
        try await withServer { server in
            let closing = try await server.connect()
            try await closing.send("GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(try await closing.answer().headers["connection"] == "close")
            #expect(try await closing.rest() == "")
            let old = try await server.connect()
            try await old.send("GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try await old.answer().headers["connection"] == "keep-alive")
            try await old.send("GET /health/live HTTP/1.0\r\n\r\n")
            #expect(try await old.answer().headers["connection"] == "close")
            #expect(try await old.rest() == "")
            let half = try await server.connect()
            try await half.send(post("{\"history\":[],\"k\":2}"))
            try await half.finishSending()
            #expect(try await half.answer().status == 200)
            #expect(try await half.rest() == "")
        }
    }

    @Test("HEAD answers without a body")
    func answersHead() async throws {
        try await withServer { server in
            let connection = try await server.connect()
            try await connection.send(
                "HEAD /health/ready HTTP/1.1\r\nHost: x\r\n\r\nHEAD /nope HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            let ready = try await connection.answer(hasBody: false)
            #expect(ready.status == 200 && ready.headers["content-length"] != "0")
            #expect(try await connection.answer(hasBody: false).status == 404)
            try await connection.send(post("{\"history\":[]}"))
            #expect(try await connection.answer().status == 200)
            try await connection.close()
        }
    }

    @Test(
        "requests that arrive too slowly and idle connections are cut off",
        arguments: [
            "POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{", "POST /retr", "",
        ]
    )
    func cutsSlowClients(start: String) async throws {
        try await withServer(
            configuration: .testing {
                $0.requestReadTimeout = .milliseconds(50)
                $0.idleTimeout = .milliseconds(1500)
            }
        ) { server in
            let connection = try await server.connect()
            if !start.isEmpty {
                try await connection.send(start)
                #expect(try await connection.answer().status == 408)
            }
            #expect(try await connection.rest() == "")
        }
    }

    @Test("a connection whose requests wait for a slow service is not idle")
    func keepsWaitingConnections() async throws {
        let gate = EncodingGate()
        let configuration = ServerConfiguration.testing { $0.idleTimeout = .seconds(2) }
        try await withServer(builder: gate.builder, configuration: configuration) { server in
            let connection = try await server.connect()
            // The held request is in the connection's second turn, so others wait for the third.
            let held = post("{\"history\":[\"i1\"],\"k\":2,\"seed\":\(EncodingGate.seed)}")
            let requests = (0..<60).map { $0 == 20 ? held : post(Body.light) }
            try await connection.send(requests.joined())
            try await gate.waitForHeld()
            try await Task.sleep(for: .seconds(3))
            gate.open()
            for _ in requests { #expect(try await connection.answer().status == 200) }
            #expect(try await connection.rest() == "")
        }
    }

    @Test("connections above the limit are refused with 503; later ones are accepted again")
    func limitsConnections() async throws {
        try await withServer(configuration: .testing { $0.maxConnections = 2 }) { server in
            let open = [try await server.connect(), try await server.connect()]
            for connection in open {
                try await connection.send(post("{\"history\":[]}"))
                #expect(try await connection.answer().status == 200)
            }
            let refused = try await server.connect()
            let answer = try await refused.answer()
            #expect(answer.status == 503 && answer.headers["retry-after"] != nil)
            #expect(try await refused.rest() == "")
            try await open[0].close()
            for _ in 0..<500 {
                // A refused connection may be closed before the request is written.
                if let answer = try? await server.ask(post("{\"history\":[]}")), answer.status == 200 { return }
                try await Task.sleep(for: .milliseconds(10))
            }
            Issue.record("no connection was accepted after one had ended")
        }
    }
}
