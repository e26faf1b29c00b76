import HTTPAPI
import Serving
import Testing

@Suite("Data plane", .timeLimit(.minutes(2))) struct DataPlaneTests {
    @Test(
        "a valid request is answered on both paths, with ids in the request's form",
        arguments: ["/retrieve", "/v1/retrieve"]
    )
    func answers(path: String) async throws {
        try await withServer { server in
            let body = "{\"history\":[\"i1\",\"nope\",\"i2\"],\"k\":12,\"exclude\":[\"i4\",5]}"
            let answer = try await server.ask(post(body, path: path))
            let json = try answer.json()
            #expect(answer.status == 200 && answer.headers["content-type"] == "application/json")
            #expect(answer.headers["x-request-id"] == "test" && answer.headers["date"]?.hasSuffix("GMT") == true)
            #expect(json["model"] as? String == "m" && json["version"] as? Int == 1)
            #expect(json["request_id"] as? String == "test" && json["unknown_ids"] as? Int == 1)
            #expect(json["truncated"] as? Bool == false && json["fallback"] is String == false)
            #expect(json["explain"] == nil && answer.headers["server-timing"] == nil)
            #expect(
                try answer.text.contains(expectedItems(["i1", "i2"], k: 12, exclude: ["i4"], holder: server.holder))
            )
        }
    }

    @Test("the answer has integer ids if the request has integer ids")
    func answersIntegers() async throws {
        try await withServer { server in
            let integers = try await server.ask(post("{\"history\":[3],\"k\":39}"))
            let strings = try await server.ask(post("{\"history\":[\"3\"],\"k\":39}"))
            #expect(integers.text.contains("\"id\":6,") && integers.text.contains("\"id\":\"i1\""))
            #expect(!strings.text.contains("\"id\":6,") && strings.text.contains("\"id\":\"6\""))
            #expect(try integers.items() == strings.items())
        }
    }

    @Test("the same body gives the same bytes on every connection and event loop")
    func isDeterministic() async throws {
        try await withServer(configuration: .testing { $0.serveThreads = 3 }) { server in
            let request = post("{\"history\":[\"i1\",\"i7\"],\"k\":20}")
            let first = try await server.ask(request)
            for _ in 0..<6 { #expect(try await server.ask(request).body == first.body) }
            let seeded = try await server.ask(post("{\"history\":[\"i1\",\"i7\"],\"k\":20,\"seed\":5}"))
            #expect(seeded.status == 200 && seeded.body != first.body)
        }
    }

    @Test("explain adds the stages to the body and the header")
    func explains() async throws {
        try await withServer { server in
            let answer = try await server.ask(post("{\"history\":[\"i1\"],\"explain\":true,\"seed\":9,\"steps\":3}"))
            let explanation = try #require(try answer.json()["explain"] as? [String: Any])
            // The test's index scores every item exactly.
            #expect(explanation["candidates"] as? [String: Int] == ["scanned": 0, "rescored": 0])
            let stages = try #require(explanation["microseconds"] as? [String: Double])
            #expect(Set(stages.keys) == ["parse", "guidance", "diffusion", "search", "encode"])
            #expect(stages.values.allSatisfy { $0 >= 0 && $0 < 1e9 })
            #expect(explanation["seed"] as? Int == 9 && explanation["steps"] as? Int == 3)
            #expect(answer.headers["server-timing"]?.contains(", diffusion;dur=0.") == true)
        }
    }

    @Test("without a known history id the answer is the popularity list", arguments: ["[]", "[\"nope\"]"])
    func fallsBack(history: String) async throws {
        try await withServer { server in
            let answer = try await server.ask(post("{\"history\":\(history),\"k\":2}"))
            #expect(answer.text.hasPrefix("{\"items\":[{\"id\":\"39\",\"score\":0.0},{\"id\":\"i38\",\"score\":0.0}]"))
            #expect(try answer.json()["fallback"] as? String == "popular")
        }
    }

    @Test("filters restrict the answer, independent of earlier requests", arguments: ["[\"i1\"]", "[]"])
    func filters(history: String) async throws {
        try await withServer { server in
            let all = "{\"history\":\(history),\"exclude_history\":false,\"k\":40}"
            let filtered =
                all.dropLast() + ",\"filter\":{\"any_of\":[\"Rare\",\"nope\",\"Third\"],\"none_of\":[\"Even\"]}}"
            let connection = try await server.connect()
            for _ in 0..<2 {
                try await connection.send(post(String(filtered)) + post(all))
                let few = try await connection.answer()
                #expect(few.status == 200)
                #expect(try Set(few.items()) == ["3", "i7", "9", "15", "21", "27", "33", "39"])
                #expect(try few.json()["truncated"] as? Bool == true)
                #expect(try await connection.answer().items().count == 40)
            }
            try await connection.close()
        }
    }

    @Test("filters by attributes restrict the answer, and a wrong one is refused with its place")
    func attributes() async throws {
        try await withServer { server in
            let item = try await server.ask("GET /v1/items/i1 HTTP/1.1\r\nHost: x\r\n\r\n")
            let values =
                #""attributes":{"brand":"b1","price":0.5,"released":"2024-01-02T00:00:00Z","stock":true,"tags":["new"]}"#
            #expect(item.text.contains(values), "\(item.text)")
            func ask(_ filter: String) async throws -> Answer {
                try await server.ask(
                    post("{\"history\":[\"i1\"],\"exclude_history\":false,\"k\":40,\"filter\":\(filter)}")
                )
            }
            for _ in 0..<2 {
                let few = try await ask(
                    #"{"must":[{"key":"price","range":{"lt":5}},{"key":"stock","match":true}],"none_of":["Even"]}"#
                )
                #expect(try Set(few.items()) == ["i1", "3", "i7", "9"])
                let wrong = try await ask(#"{"should":[{"ids":["i1"]},{"key":"prize","match":1}]}"#)
                #expect(
                    wrong.status == 400 && wrong.text.contains(#""pointer":"/filter/should/1/key""#),
                    "\(wrong.text)"
                )
                #expect(wrong.text.contains("price (number)"))
            }
            let wrong = #"{"history":[],"filter":{"must":[{"key":"x","match":1}]}}"#
            let batch = try await server.ask(postBatch([#"{"history":[]}"#, wrong]))
            #expect(batch.status == 200 && batch.text.contains(#""pointer":"/requests/1/filter/must/0/key""#))
        }
    }

    @Test("diversity reorders the answer and keeps the scores; diversity 0 gives the same bytes as none")
    func diversifies() async throws {
        try await withServer { server in
            func ask(_ rest: String) async throws -> Answer {
                try await server.ask(post("{\"history\":[\"i1\",\"i2\"],\"k\":10\(rest)}"))
            }
            let plain = try await ask("")
            #expect(try await ask(",\"diversity\":0").body == plain.body)
            let diverse = try await ask(",\"diversity\":1")
            #expect(try diverse.items().count == 10 && diverse.items().first == plain.items().first)
            #expect(try diverse.items() != plain.items())
            #expect(try await ask(",\"diversity\":1.0").body == diverse.body)
            let penalised = try await ask(",\"category_penalty\":0.5")
            #expect(try penalised.items().count == 10 && penalised.items() != plain.items())
            #expect(try await ask(",\"category_penalty\":0,\"diversity\":1").body == diverse.body)
        }
    }

    @Test("a history of 100,000 ids is answered")
    func takesLongHistory() async throws {
        try await withServer(configuration: .testing { $0.maxBodyBytes = 1 << 20 }) { server in
            let ids = [String](repeating: "\"i1\"", count: 100_000).joined(separator: ",")
            let answer = try await server.ask(post("{\"history\":[\(ids)]}"))
            #expect(answer.status == 200)
        }
    }

    static let errors: [(request: String, status: Int, code: String)] = [
        (post("{"), 400, "invalid_json"), (post("{\"history\":[],\"k\":0}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"k\":1001}"), 400, "invalid_argument"), (post(""), 400, "invalid_json"),
        (post("{\"history\":[],\"steps\":21}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"diversity\":1.5}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"diversity\":-0.1}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"category_penalty\":-0.1}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"category_penalty\":1000000.1}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"category_penalty\":1,\"diversity\":0.1}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"filter\":{\"anyof\":[]}}"), 400, "invalid_argument"),
        (post("{\"history\":[],\"model\":\"other\"}"), 404, "not_found"),
        (post("{\"history\":[]}", headers: "Content-Type: text/plain\r\n"), 415, "unsupported_media_type"),
        (post("{\"history\":[]}", headers: "Content-Encoding: gzip\r\n"), 415, "unsupported_media_type"),
        (post("{}", path: "/nope"), 404, "not_found"), (post("{}", path: "/..%2fretrieve"), 404, "not_found"),
        ("GET /retrieve HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        ("OPTIONS /retrieve HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        ("POST /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, "method_not_allowed"),
    ]

    @Test("an error is a problem, and the connection stays open", arguments: errors)
    func reportsErrors(request: String, status: Int, code: String) async throws {
        try await withServer { server in
            let connection = try await server.connect()
            try await connection.send(request)
            let answer = try await connection.answer()
            let json = try answer.json()
            #expect(answer.status == status && json["status"] as? Int == status && json["code"] as? String == code)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(json["instance"] as? String == answer.headers["x-request-id"])
            #expect(json["title"] is String && json["detail"] is String && json["type"] is String)
            if status == 405 { #expect(answer.headers["allow"]?.isEmpty == false) }
            try await connection.send(post("{\"history\":[\"i1\"]}"))
            #expect(try await connection.answer().status == 200)
            try await connection.close()
        }
    }

    private func expectedItems(_ history: [String], k: Int, exclude: [String], holder: RoutingHolder) throws -> String {
        var request = RetrievalRequest(history: history, k: k)
        request.history = IdentifierList(["i1", "nope", "i2"])
        request.exclude = IdentifierList(exclude)
        let response = try RetrievalService(holder: holder).retrieve(request, workspace: RetrievalWorkspace())
        return response.itemsJSON
    }
}
