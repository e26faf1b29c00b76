import HTTPAPI
import Logging
import Serving
import Synchronization
import TestSupport
import Testing

/// Access rules of the control plane, tested over a socket.
@Suite("Control plane access", .timeLimit(.minutes(2))) struct ControlPlaneAccessTests {
    private static let token = "0123456789abcdef-secret"

    private func authorization(_ token: String) -> String { "Authorization: Bearer \(token)\r\n" }

    // MARK: Token

    @Test("changes need the token and have no effect without it; reads need none")
    func needsToken() async throws {
        try await withServer(configuration: .testing { $0.controlToken = Self.token }) { server in
            let document = try await OpenAPIDocument(of: server)
            let before = try await server.ask(.control, "GET", "/v1/models").text
            for operation in document.operations where operation.plane == .control {
                let body = operation.body.map { _ in "{}" }
                for headers in ["", authorization("wrong"), "Authorization: Basic \(Self.token)\r\n"] {
                    let answer = try await server.ask(
                        .control,
                        operation.method,
                        operation.target(),
                        body: body,
                        headers: headers
                    )
                    #expect((answer.status == 401) == operation.needsToken, "\(operation.name) \(headers)")
                    #expect((answer.headers["www-authenticate"] == "Bearer") == operation.needsToken)
                    #expect(try document.violations(of: operation, in: answer) == [], "\(operation.name)")
                }
            }
            #expect(try await server.ask(.control, "GET", "/v1/models").text == before)
            let target = "/v1/models/m/versions/2:activate?wait=true"
            let answer = try await server.ask(.control, "POST", target, headers: authorization(Self.token))
            #expect(answer.status == 200 && server.holder.snapshot?.version == 2)
        }
    }

    @Test("the token appears in no answer, metric or log line")
    func keepsToken() async throws {
        let lines = LogRecorder.Lines()
        let logger = Logger(label: "test") { _ in LogRecorder(lines: lines) }
        let configuration = ServerConfiguration.testing { $0.controlToken = Self.token }
        try await withServer(configuration: configuration, logger: logger) { server in
            var answers: [String] = []
            for (method, target) in [
                ("GET", "/version"), ("GET", "/v1/models"), ("GET", "/nope"), ("POST", "/v1/models/m:rollback"),
                ("PUT", "/v1/items/x"), ("POST", "/v1/models/m/versions/9:activate"), ("GET", "/metrics"),
            ] {
                for headers in [
                    authorization(Self.token), authorization(Self.token + "x"), "Cookie: \(Self.token)\r\n",
                ] {
                    let answer = try await server.ask(.control, method, target, headers: headers)
                    answers.append("\(answer.headers) \(answer.text)")
                }
            }
            answers.append(try await server.ask(.data, "GET", "/nope", headers: authorization(Self.token)).text)
            #expect(answers.allSatisfy { !$0.contains(Self.token) })
        }
        let logged = lines.all.withLock { $0 }
        #expect(!logged.isEmpty && logged.allSatisfy { !$0.contains(Self.token) })
    }

    @Test("a replaced token is valid at once, the old one is not; a short one changes nothing")
    func rotatesToken() async throws {
        try await withServer(configuration: .testing { $0.controlToken = Self.token }) { server in
            func verify(_ token: String) async throws -> Int {
                let target = "/v1/models/m/versions/1:verify"
                return try await server.ask(.control, "POST", target, headers: authorization(token)).status
            }
            let other = "another-token-of-this-test"
            #expect(try await verify(Self.token) == 200)
            try server.server.replaceControlToken(by: other)
            #expect(try await verify(Self.token) == 401)
            #expect(try await verify(other) == 200)
            #expect(throws: ServerError.self) { try server.server.replaceControlToken(by: "short") }
            #expect(try await verify(other) == 200)
        }
    }

    // MARK: Origin

    @Test(
        "without a token, a change needs a local host name and no page of another site",
        arguments: [
            ("localhost", nil, 200), ("127.0.0.1:8081", nil, 200), ("127.9.9.9", nil, 200), ("[::1]:8081", nil, 200),
            ("[::1]", nil, 200), ("evil.example", nil, 401), ("127.0.0.1.evil.example", nil, 401),
            ("localhost.evil.example:80", nil, 401), ("[::2]", nil, 401), ("10.0.0.1", nil, 401), ("", nil, 401),
            ("localhost:8081", "http://localhost:8081", 200), ("[::1]:8081", "http://[::1]:8081", 200),
            ("localhost:8081", "http://evil.example", 401), ("localhost:8081", "http://localhost:9999", 401),
            ("localhost:8081", "null", 401), ("evil.example", "http://evil.example", 401),
        ] as [(String, String?, Int)]
    )
    func checksOrigin(host: String, origin: String?, status: Int) async throws {
        try await withServer { server in
            let headers = "Host: \(host)\r\n" + (origin.map { "Origin: \($0)\r\n" } ?? "")
            let target = "/v1/models/m/versions/1:verify"
            let answer = try await server.ask(.control, "POST", target, headers: headers)
            #expect(answer.status == status, "\(answer.text)")
            if status == 401 {
                // No token would help here.
                let title = try #require(answer.json()["title"] as? String)
                #expect(title == "The caller is not authorised")
            }
            #expect(try await server.ask(.control, "GET", "/v1/models", headers: headers).status == 200)
        }
    }

    // MARK: Paths and bodies

    @Test(
        "path parameters are percent-decoded",
        arguments: [
            ("a%2Fb", "a/b"), ("a:b", "a:b"), ("a%3Ab", "a:b"), ("%E2%98%83", "\u{2603}"), ("a%20b", "a b"),
            ("100%25", "100%"), ("..%2f..", "../.."), ("a+b", "a+b"), ("x?", "x"),
        ]
    )
    func decodesPaths(encoded: String, decoded: String) async throws {
        try await withServer { server in
            let item = try await server.ask(.control, "PUT", "/v1/items/\(encoded)", body: #"{"like":["i1"]}"#)
            #expect(try item.status == 200 && item.json()["item"] as? String == decoded, "\(item.text)")
            guard !decoded.contains("/") else { return }
            let alias = try await server.ask(.control, "PUT", "/v1/aliases/\(encoded)", body: #"{"model":"m"}"#)
            #expect(try alias.status == 200 && alias.json()["name"] as? String == decoded, "\(alias.text)")
            #expect(try await server.ask(.control, "DELETE", "/v1/aliases/\(encoded)").status == 204)
            #expect(server.source.aliases().isEmpty)
        }
    }

    @Test("no new alias has a name that is a path", arguments: ["..", "%2e%2e", ".", "a%2Fb", "%2F", "..%2f..", "%1C"])
    func refusesAliases(encoded: String) async throws {
        try await withServer { server in
            let answer = try await server.ask(.control, "PUT", "/v1/aliases/\(encoded)", body: #"{"model":"m"}"#)
            #expect(try answer.status == 422 && answer.json()["code"] as? String == "unprocessable")
            #expect(answer.text.contains("cannot be the name of an alias"))
            #expect(server.source.aliases().isEmpty)
        }
    }

    @Test("a path that is not percent-encoded UTF-8 is refused", arguments: ["%", "%4", "%zz", "%ff", "%c3"])
    func refusesPaths(encoded: String) async throws {
        try await withServer { server in
            for target in ["/v1/items/\(encoded)", "/v1/aliases/\(encoded)"] {
                let answer = try await server.ask(.control, "DELETE", target)
                #expect(try answer.status == 400 && answer.json()["code"] as? String == "invalid_argument")
            }
        }
    }

    @Test("an encoded colon is part of the name, a plain one starts an action")
    func tellsActions() async throws {
        try await withServer { server in
            let named = try await server.ask(.control, "GET", "/v1/models/m%3Arollback")
            #expect(named.status == 404 && named.text.contains("'m:rollback'"))
            let action = try await server.ask(.control, "GET", "/v1/models/m:rollback")
            #expect(action.status == 405 && action.headers["allow"] == "POST")
        }
    }

    @Test(
        "a body that breaks the contract is refused with the pointer of the place",
        arguments: [
            ("items", #"{"vector":[1,NaN]}"#, "invalid_json", ""),
            ("items", #"{"vector":[1,Infinity]}"#, "invalid_json", ""),
            ("items", #"{"vector":[1,1e400]}"#, "invalid_json", ""),
            ("items", #"{"vector":[1,1e39]}"#, "invalid_argument", "/vector/1"),
            ("items", #"{"vector":[1,-1e39]}"#, "invalid_argument", "/vector/1"),
            ("items", #"{"vector":[1,null]}"#, "invalid_argument", "/vector/1"),
            ("items", #"{"vector":null}"#, "invalid_argument", "/vector"),
            ("items", #"{"vector":[1],"like":["i1"]}"#, "invalid_argument", "/vector"),
            ("items", #"{"vector":[1],"like":[]}"#, "invalid_argument", "/like"),
            ("items", #"{"like":["i1"],"like":["i2"]}"#, "invalid_argument", "/like"),
            ("items", #"{"like":["i1"],"a/b":1}"#, "invalid_argument", "/a~1b"),
            ("items", #"{"like":["i1"],"title":7}"#, "invalid_argument", "/title"),
            ("items", "", "invalid_json", ""), ("items", "[]", "invalid_argument", ""),
            ("aliases", #"{"version":1}"#, "invalid_argument", "/model"),
            ("aliases", #"{"model":"m","version":1.5}"#, "invalid_argument", "/version"),
            ("aliases", #"{"model":"m","version":1,"split":[]}"#, "invalid_argument", "/version"),
            ("aliases", #"{"model":"m","split":[{"version":1}]}"#, "invalid_argument", "/split/0/percent"),
            ("aliases", #"{"model":"m","guard":{"max_p99_ms":"5"}}"#, "invalid_argument", "/guard/max_p99_ms"),
            ("aliases", String(repeating: "[", count: 100_000), "invalid_json", ""),
        ]
    )
    func refusesBodies(kind: String, body: String, code: String, pointer: String) async throws {
        try await withServer { server in
            let answer = try await server.ask(.control, "PUT", "/v1/\(kind)/x", body: body)
            let json = try answer.json()
            #expect(answer.status == 400 && json["code"] as? String == code, "\(answer.text)")
            #expect((json["errors"] as? [[String: String]])?.first?["pointer"] == pointer, "\(answer.text)")
            #expect(server.source.aliases().isEmpty && server.source.itemChanges(of: "m").isEmpty)
        }
    }

    @Test("a body above the limit is refused")
    func refusesLargeBodies() async throws {
        try await withServer { server in
            let body = #"{"like":[""# + String(repeating: "x", count: 1 << 20) + #""]}"#
            let answer = try await server.ask(.control, "PUT", "/v1/items/x", body: body)
            #expect(try answer.status == 413 && answer.json()["code"] as? String == "body_too_large")
        }
    }

    @Test(
        "HEAD answers with the head of GET and no body, for errors too",
        arguments: [("/v1/models", 200), ("/no", 404)]
    )
    func answersHead(target: String, status: Int) async throws {
        try await withServer { server in
            let length = try await server.ask(.control, "GET", target).headers["content-length"]
            let connection = try await TestConnection(port: server.controlPort)
            try await connection.send("HEAD \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let head = try await connection.answer(hasBody: false)
            #expect(head.status == status && head.headers["content-length"] == length)
            try await connection.send("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try await connection.answer().json()["version"] as? String == "test")
            try await connection.close()
        }
    }
}
