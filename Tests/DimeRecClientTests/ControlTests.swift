import DimeRecClient
import Testing

@Suite("Control plane through the client", .timeLimit(.minutes(2))) struct ControlTests {
    private static let action = "{\"model\":\"m\",\"version\":4,\"state\":\"active\"}"
    private static let token = "0123456789-secret"

    private func client(_ control: String, data: String = "http://127.0.0.1:1", waits: Waits = Waits()) throws
        -> DimeRecClient
    {
        try makeClient([data], waits: waits) {
            $0.controlURL = control
            $0.token = Self.token
        }
    }

    @Test("models are listed with their versions")
    func readsModels() async throws {
        let body = """
            {"models":[{"name":"m","active_version":2,"versions":[{"model":"m","version":2,"state":"rejected",\
            "reason":"NaN","system":"dimerec","created_at":"2026-01-01T00:00:00Z","dimension":64,"items":9,\
            "train_rows":8,"seconds":1.5,"metrics":{"hr@10":0.5},"seed":1,"build":"b","data":{"split":"users"}}]},\
            {"name":"empty","versions":[]}]}
            """
        try await ScriptedServer({ _, _ in .answer(200, body) }).serving { server, url in
            let models = try await client(url).models()
            #expect(models.map(\.name) == ["m", "empty"] && models.map(\.activeVersion) == [2, nil])
            let version = try #require(models[0].versions.first)
            #expect(version.state == "rejected" && version.reason == "NaN" && version.metrics == ["hr@10": 0.5])
            #expect(version.dimension == 64 && version.items == 9 && version.createdAt == "2026-01-01T00:00:00Z")
            #expect(server.requests[0].line == "GET /v1/models")
        }
    }

    @Test("activation, rollback and alias requests have the service's form and the token")
    func writes() async throws {
        let alias = "{\"model\":\"m\",\"split\":[{\"version\":3,\"percent\":95}],\"shadow\":5,\"revision\":8}"
        try await ScriptedServer({ _, request in
            .answer(200, request.line.hasPrefix("PUT") ? alias : Self.action)
        }).serving { server, url in
            let client = try client(url)
            #expect(try await client.activate(version: 4, of: "a b").state == "active")
            #expect(try await client.rollback(model: "m").version == 4)
            let bounds = AliasDescription.Bounds(maxErrorRate: 0.01, maxP99Ms: 2, minRequests: 10)
            let wanted = AliasDescription(
                model: "m",
                split: [.init(version: 3, percent: 95), .init(version: 4, percent: 5)],
                bounds: bounds
            )
            #expect(try await client.setAlias("stable", to: wanted, ifRevision: 7).revision == 8)
            _ = try await client.setAlias("stable", to: wanted, ifRevision: 0)
            _ = try await client.setAlias("stable", to: wanted)
            #expect(
                server.requests.map(\.line) == [
                    "POST /v1/models/a%20b/versions/4:activate?wait=true", "POST /v1/models/m:rollback",
                    "PUT /v1/aliases/stable", "PUT /v1/aliases/stable", "PUT /v1/aliases/stable",
                ]
            )
            #expect(server.requests.allSatisfy { $0.header("authorization") == "Bearer \(Self.token)" })
            #expect(server.requests.map { $0.header("if-match") } == [nil, nil, "\"7\"", nil, nil])
            #expect(server.requests.map { $0.header("if-none-match") } == [nil, nil, nil, "*", nil])
            let body = server.requests[2].body
            for part in [
                "\"guard\":{", "\"max_error_rate\":0.01", "\"max_p99_ms\":2", "\"min_requests\":10", "\"percent\":95",
            ] {
                #expect(body.contains(part))
            }
            #expect(!body.contains("revision") && !body.contains("shadow"))
        }
    }

    @Test("the token goes to the control plane only")
    func keepsToken() async throws {
        try await ScriptedServer({ _, _ in .answer(200, retrieved) }).serving { server, url in
            _ = try await client("http://127.0.0.1:1", data: url).retrieve(RetrievalRequest(history: []))
            #expect(server.requests.count == 1)
            #expect(server.requests.allSatisfy { $0.header("authorization") == nil && !$0.body.contains(Self.token) })
        }
    }

    @Test("a call that may have been executed is retried only if it is idempotent")
    func sendsOnce() async throws {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
        try await ScriptedServer({ _, _ in .bytesAndClose(half) }).serving { server, url in
            let client = try client(url)
            let calls: [(Int, () async throws -> Void)] = [
                (1, { _ = try await client.rollback(model: "m") }),
                (1, { _ = try await client.setAlias("a", to: .init(model: "m"), ifRevision: 2) }),
                (4, { _ = try await client.setAlias("a", to: .init(model: "m")) }),
                (4, { _ = try await client.activate(version: 1, of: "m") }),
                (4, { _ = try await client.models() }),
            ]
            var before = 0
            for (count, call) in calls {
                do {
                    try await call()
                    Issue.record("half an answer was one")
                } catch DimeRecError.connectionLost {
                    #expect(server.requests.count - before == count)
                }
                before = server.requests.count
            }
        }
    }

    @Test("a rollback refused with 503 is retried; a conflict is not")
    func sendsRefusedAgain() async throws {
        try await ScriptedServer({ number, _ in
            switch number {
            case 0: .problem(503, "overloaded", headers: ["Retry-After: 1"])
            case 1: .answer(200, Self.action)
            default: .problem(409, "busy_loading", headers: ["Retry-After: 1"])
            }
        }).serving { server, url in
            let waits = Waits()
            let client = try client(url, waits: waits)
            #expect(try await client.rollback(model: "m").version == 4)
            #expect(waits.all.count == 1 && server.requests.count == 2)
            await expectProblem(409, "busy_loading") { _ = try await client.activate(version: 1, of: "m") }
            #expect(server.requests.count == 3)
        }
    }

    @Test("without the control plane's address nothing is sent")
    func needsAddress() async throws {
        let client = try DimeRecClient(url: "http://127.0.0.1:1")
        await #expect(throws: DimeRecError.noControlPlane) { _ = try await client.models() }
    }
}
