import ClientCalls
import Foundation
import NIOHTTP1
import Testing

@Suite("PlainTransport", .timeLimit(.minutes(2))) struct PlainTransportTests {
    private static func transport(_ change: (inout DimeRecClient.Options) -> Void = { _ in }) -> PlainTransport {
        var options = DimeRecClient.Options()
        // The machine may be busy with other tests.
        options.connectTimeout = .seconds(10)
        change(&options)
        return PlainTransport(options)
    }

    private static func ask(
        _ url: String,
        within time: Duration = .seconds(30),
        _ transport: PlainTransport = transport()
    ) async throws -> TransportAnswer {
        try await transport.send(TransportRequest(method: .GET, url: url), within: time)
    }

    @Test("the request has its path, query, fields and body, and the connection ends with the answer")
    func sends() async throws {
        try await ScriptedServer({ _, _ in .answer(207, "{\"ä\":1}", headers: ["X-A: b"]) }).serving { server, url in
            let body = Data("{\"k\":\"ö\"}".utf8)
            let request = TransportRequest(method: .POST, url: url + "/a%2Fb?c=d", headers: [("X-E", "f")], body: body)
            for _ in 0..<2 {
                let answer = try await Self.transport().send(request, within: .seconds(30))
                #expect(answer.status == 207 && answer.headers.first(name: "x-a") == "b")
                #expect(answer.body == Data("{\"ä\":1}".utf8))
            }
            let received = try #require(server.requests.first)
            #expect(received.line == "POST /a%2Fb?c=d" && received.body == "{\"k\":\"ö\"}")
            #expect(received.header("host") == String(url.dropFirst(7)) && received.header("x-e") == "f")
            #expect(received.header("content-length") == "\(body.count)" && server.connections == 2)
        }
    }

    @Test(
        "bodies of every framing are read",
        arguments: [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", "abcde"), ("HTTP/1.0 200 OK\r\n\r\nabcde", "abcde"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", ""),
        ]
    )
    func reads(bytes: String, body: String) async throws {
        try await ScriptedServer({ _, _ in .bytesAndClose(bytes) }).serving { _, url in
            let answer = try await Self.ask(url)
            #expect(answer.body == Data(body.utf8))
        }
    }

    @Test(
        "an answer that breaks off is lost",
        arguments: ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "HTTP/1.1 200 OK\r\nCont", "", "no HTTP\r\n\r\n"]
    )
    func loses(half: String) async throws {
        try await ScriptedServer({ _, _ in .bytesAndClose(half) }).serving { _, url in
            let error = await #expect(throws: TransportFailure.self) { _ = try await Self.ask(url) }
            guard case .lost = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("without a connection the request was not sent", arguments: ["http://127.0.0.1:1", "https://127.0.0.1/"])
    func doesNotSend(url: String) async throws {
        let error = await #expect(throws: TransportFailure.self) { _ = try await Self.ask(url) }
        guard case .notSent = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("a silent server is a timeout; a cancelled task ends at once")
    func waits() async throws {
        try await ScriptedServer({ _, _ in .silence }).serving { server, url in
            await #expect(throws: TransportFailure.timedOut) {
                _ = try await Self.ask(url, within: .milliseconds(200))
            }
            let task = Task { try await Self.ask(url, within: .seconds(3600)) }
            while server.requests.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
        }
    }

    @Test("the limit of an answer's body is exact")
    func limits() async throws {
        try await ScriptedServer({ _, _ in .answer(200, "12345") }).serving { _, url in
            let whole = try await Self.ask(url, Self.transport { $0.answerLimit = 5 })
            #expect(whole.body.count == 5)
            await #expect(throws: TransportFailure.tooLarge(limit: 4)) {
                _ = try await Self.ask(url, Self.transport { $0.answerLimit = 4 })
            }
        }
    }

    @Test("a client over this transport retries and reads answers")
    func carriesCalls() async throws {
        try await ScriptedServer({ number, _ in
            number == 0 ? .problem(503, "overloaded") : .answer(200, retrieved)
        }).serving { server, url in
            let waits = Waits()
            var options = DimeRecClient.Options()
            options.timeout = .seconds(30)
            let client = try DimeRecClient(
                urls: [url],
                options: options,
                transport: Self.transport(),
                sleep: { waits.note($0) }
            )
            let answer = try await client.retrieve(RetrievalRequest(history: ["i1"]))
            #expect(answer.items.map(\.id) == ["i11", "12"] && server.requests.count == 2 && waits.all.count == 1)
        }
    }
}
