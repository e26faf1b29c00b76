import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("Routes", .timeLimit(.minutes(2))) struct RouteTests {
    private func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: x\r\nX-Request-Id: test\r\n\r\n" }

    // MARK: Batch

    @Test("each result of a batch equals the answer to the single request, in order and to the byte")
    func batches() async throws {
        try await withServer { server in
            let requests = [
                "{\"history\":[\"i1\"],\"k\":3}", "{\"history\":[3,6],\"k\":5,\"explain\":false}", "{\"history\":[]}",
                "{\"history\":[\"nope\",\"i2\"],\"k\":7,\"seed\":5,\"steps\":3}", Body.heavy,
                "{\"history\":[\"i1\"],\"k\":4,\"exact\":true,\"filter\":{\"any_of\":[\"Third\"]}}",
                "{\"history\":[\"i1\"],\"k\":0}", "{\"history\":[\"i1\"],\"steps\":21}",
                "{\"history\":[],\"model\":\"x\"}",
            ]
            var alone: [String] = []
            for request in requests { alone.append(try await server.ask(post(request)).text) }
            for path in ["/retrieve:batch", "/v1/retrieve:batch"] {
                let whole = try await server.ask(post(Body.batch(requests), path: path))
                #expect(whole.status == 200 && whole.headers["content-type"] == "application/json")
                let sound = alone.prefix(6).joined(separator: ",")
                #expect(whole.text.hasPrefix("{\"results\":[\(sound),"))
                let results = try #require(try whole.json()["results"] as? [[String: Any]])
                #expect(results.count == requests.count)
                #expect(results.dropFirst(6).map { $0["status"] as? Int } == [400, 400, 404])
                let pointers = results.dropFirst(6).map { ($0["errors"] as? [[String: String]])?.first?["pointer"] }
                #expect(pointers == ["/requests/6/k", "/requests/7/steps", "/requests/8/model"])
                #expect(results[6]["instance"] as? String == "test")
            }
        }
    }

    @Test("a broken element gets a problem at its place and does not affect the others")
    func batchesAroundBrokenElements() async throws {
        try await withServer { server in
            let whole = try await server.ask(postBatch([Body.light, "{\"history\":7}", Body.light]))
            let results = try #require(try whole.json()["results"] as? [[String: Any]])
            #expect(whole.status == 200 && results.count == 3)
            #expect(results.map { ($0["items"] as? [Any])?.count } == [2, nil, 2])
            #expect((results[1]["errors"] as? [[String: String]])?.first?["pointer"] == "/requests/1/history")
        }
    }

    @Test(
        "a body that is not a batch is refused as a whole",
        arguments: [
            ("{", 400, "invalid_json"), ("[]", 400, "invalid_argument"), ("{}", 400, "invalid_argument"),
            ("{\"requests\":[{\"history\":[]}", 400, "invalid_json"), ("{\"requests\":7}", 400, "invalid_argument"),
            (Body.batch([String](repeating: Body.light, count: 4)), 400, "invalid_argument"),
        ] as [(String, Int, String)]
    )
    func refusesBatches(body: String, status: Int, code: String) async throws {
        try await withServer(configuration: .testing { $0.limits.maxBatch = 3 }) { server in
            let answer = try await server.ask(post(body, path: "/retrieve:batch"))
            #expect(answer.status == status)
            #expect(try answer.json()["code"] as? String == code)
            #expect(try await server.ask(postBatch([String](repeating: Body.light, count: 3))).status == 200)
        }
    }

    // MARK: Items

    @Test("similar items are the nearest by cosine, without the item itself")
    func findsSimilar() async throws {
        try await withServer { server in
            let vectors = try #require(makeCheckpoint(version: 1).parameters["items"])
            let scores = (0..<40).map { item in zip(vectors.row(1), vectors.row(item)).map(*).reduce(0, +) }
            let expected = (0..<40).filter { $0 != 1 }.sorted { scores[$0] > scores[$1] }
            let answer = try await server.ask(post("{\"item\":\"i1\",\"k\":20}", path: "/v1/similar"))
            let json = try answer.json()
            #expect(answer.status == 200 && json["truncated"] as? Bool == false && json["version"] as? Int == 1)
            #expect(json["model"] as? String == "m" && json["request_id"] as? String == "test")
            #expect(try answer.items() == expected.prefix(20).map { $0 % 3 == 0 ? "\($0)" : "i\($0)" })
            let items = try #require(json["items"] as? [[String: Any]])
            for (item, number) in zip(items, expected) {
                #expect(abs((item["score"] as? Double ?? 9) - Double(scores[number])) < 1e-5)
            }
            let all = try await server.ask(post("{\"item\":3,\"k\":40}", path: "/v1/similar"))
            #expect(try all.items().count == 39 && all.json()["truncated"] as? Bool == true)
            #expect(all.text.contains("\"id\":6,") && !all.text.contains("\"id\":3,"))
            #expect(try await server.ask(post("{\"item\":\"i1\"}", path: "/v1/similar")).items().count == 39)
        }
    }

    @Test(
        "an unsupported query is refused by name; health checks accept any query",
        arguments: [
            ("POST", "/retrieve?k=3", 400), ("POST", "/v1/similar?k=3", 400), ("POST", "/retrieve:batch?x", 400),
            ("GET", "/v1/items/i7?x=1", 400), ("GET", "/v1/items/i7?model=m&x=1", 400),
            ("GET", "/v1/items/i7?model=m", 200),
            ("GET", "/health/live?now=1", 200), ("GET", "/health/ready?now=1", 200), ("POST", "/retrieve?", 200),
        ]
    )
    func refusesQueries(method: String, target: String, status: Int) async throws {
        try await withServer { server in
            let request = method == "POST" ? post(Body.light, path: target) : get(target)
            let answer = try await server.ask(request)
            #expect(answer.status == status)
            if status == 400 {
                #expect(answer.text.contains(target.split(separator: "?")[1].split(separator: "&").last ?? ""))
            }
        }
    }

    @Test("an item has its title and categories, also if its id needs percent-encoding")
    func describesItems() async throws {
        let source = MemorySource([1], active: 1)
        source.state.withLock { state in
            state.checkpoints[1]?.catalogue.titles = (0..<40).map { "The \"title\" of \($0)" }
            state.checkpoints[1]?.catalogue.ids[5] = "a/b c%é"
        }
        try await withServer(source: source) { server in
            let plain = try await server.ask(get("/v1/items/i7"))
            let json = try plain.json()
            #expect(plain.status == 200 && json["id"] as? String == "i7" && json["known"] as? Bool == true)
            #expect(json["title"] as? String == "The \"title\" of 7" && json["categories"] as? [String] == ["Rare"])
            #expect(json["model"] as? String == "m" && json["version"] as? Int == 1)
            let both = try await server.ask(get("/v1/items/0")).json()
            #expect(both["categories"] as? [String] == ["Even", "Third"])
            let encoded = try await server.ask(get("/v1/items/a%2Fb%20c%25%C3%a9")).json()
            #expect(encoded["known"] as? Bool == true && encoded["title"] as? String == "The \"title\" of 5")
            let unknown = try await server.ask(get("/v1/items/..%2fretrieve"))
            #expect(try unknown.status == 200 && unknown.json()["known"] as? Bool == false)
            #expect(try unknown.json()["id"] as? String == "../retrieve" && unknown.json()["title"] is NSNull)
        }
    }

    // MARK: Open Inference Protocol

    @Test("a model of the inference protocol has metadata and is ready", arguments: ["", "/versions/1"])
    func describesModel(version: String) async throws {
        try await withServer { server in
            let metadata = try await server.ask(get("/v2/models/m\(version)"))
            let json = try metadata.json()
            #expect(metadata.status == 200 && json["name"] as? String == "m" && json["versions"] as? [String] == ["1"])
            #expect((json["inputs"] as? [[String: Any]])?.map { $0["datatype"] as? String } == ["BYTES", "INT32"])
            #expect((json["outputs"] as? [[String: Any]])?.map { $0["name"] as? String } == ["ids", "scores"])
            let ready = try await server.ask(get("/v2/models/m\(version)/ready"))
            #expect(try ready.status == 200 && ready.json()["ready"] as? Bool == true)
        }
    }

    private static func history(_ rest: String = "", ids: String = "[\"i1\",\"i2\"]", shape: String = "[2]") -> String {
        "{\"inputs\":[{\"name\":\"history\",\"shape\":\(shape),\"datatype\":\"BYTES\",\"data\":\(ids)}\(rest)]}"
    }

    private static let k =
        ",{\"name\":\"k\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[5],\"parameters\":{\"a\":[1]}}"

    @Test("inference gives the ids and scores of a retrieval", arguments: ["", "/versions/1"])
    func infers(version: String) async throws {
        try await withServer { server in
            let expected = try await server.ask(post("{\"history\":[\"i1\",\"i2\"],\"k\":5}")).json()
            let items = try #require(expected["items"] as? [[String: Any]])
            let path = "/v2/models/m\(version)/infer"
            let answer = try await server.ask(post(Self.history(Self.k), path: path))
            let json = try answer.json()
            #expect(
                answer.status == 200 && json["model_name"] as? String == "m" && json["model_version"] as? String == "1"
            )
            #expect(json["id"] == nil)
            let outputs = try #require(json["outputs"] as? [[String: Any]])
            #expect(outputs.map { $0["name"] as? String } == ["ids", "scores"])
            #expect(outputs.map { $0["datatype"] as? String } == ["BYTES", "FP32"])
            #expect(outputs.allSatisfy { $0["shape"] as? [Int] == [5] })
            #expect(outputs[0]["data"] as? [String] == items.map { $0["id"] as? String ?? "" })
            #expect(outputs[1]["data"] as? [Double] == items.map { $0["score"] as? Double ?? 9 })
            let body =
                Self.history().dropLast() + ",\"id\":\"mine\",\"parameters\":{},\"outputs\":[{\"name\":\"scores\"}]}"
            let chosen = try await server.ask(post(String(body), path: path)).json()
            #expect(chosen["id"] as? String == "mine")
            let scores = try #require(chosen["outputs"] as? [[String: Any]])
            #expect(
                scores.count == 1 && scores[0]["name"] as? String == "scores" && scores[0]["shape"] as? [Int] == [38]
            )
        }
    }

    // MARK: Errors

    private static let infer = "/v2/models/m/infer"

    static let errors: [(request: String, status: Int, code: String, pointer: String?)] = [
        (post("{\"item\":\"nope\"}", path: "/v1/similar"), 404, "not_found", "/item"),
        (post("{\"k\":3}", path: "/v1/similar"), 400, "invalid_argument", "/item"),
        (post("{\"item\":\"i1\",\"k\":0}", path: "/v1/similar"), 400, "invalid_argument", "/k"),
        (post("{\"item\":\"i1\",\"k\":1.5}", path: "/v1/similar"), 400, "invalid_argument", "/k"),
        (post("{\"item\":[\"i1\"]}", path: "/v1/similar"), 400, "invalid_argument", "/item"),
        (post("{\"item\":\"i1\",\"item\":\"i2\"}", path: "/v1/similar"), 400, "invalid_argument", "/item"),
        (post("{\"item\":\"i1\",\"x~/\":1}", path: "/v1/similar"), 400, "invalid_argument", "/x~0~1"),
        (post("{\"item\":\"i1\"", path: "/v1/similar"), 400, "invalid_json", ""),
        (
            post("{\"item\":\"i1\"}", path: "/v1/similar", headers: "Content-Type: text/csv\r\n"), 415,
            "unsupported_media_type", nil
        ),
        ("GET /v1/similar HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed", nil),
        ("GET /retrieve:batch HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed", nil),
        (post("{}", path: "/v1/items/i1"), 405, "method_not_allowed", nil),
        (post("{}", path: "/v1/items/"), 404, "not_found", nil),
        (post("{}", path: "/v1/items/a/b"), 404, "not_found", nil),
        ("GET /v1/items/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_argument", nil),
        ("GET /v1/items/%f HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_argument", nil),
        ("GET /v1/items/%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_argument", nil),
        ("GET /v2/models/other HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", nil),
        ("GET /v2/models/other/ready HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", nil),
        ("GET /v2/models/m/versions/2 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "version_not_found", nil),
        ("GET /v2/models/m/versions/2/ready HTTP/1.1\r\nHost: x\r\n\r\n", 404, "version_not_found", nil),
        ("GET /v2/models/m/versions HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", nil),
        ("GET /v2/models/m/ready/x HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", nil),
        ("GET /v2/models/m/infer HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed", nil),
        (post(history(), path: "/v2/models/other/infer"), 404, "not_found", nil),
        (post(history(), path: "/v2/models/m/versions/x/infer"), 404, "version_not_found", nil),
        (post("{\"inputs\":[]}", path: infer), 400, "invalid_argument", "/inputs"),
        (post("{}", path: infer), 400, "invalid_argument", "/inputs"),
        (post("7", path: infer), 400, "invalid_argument", ""),
        (post(history(shape: "[3]"), path: infer), 400, "invalid_argument", "/inputs/0/shape"),
        (post(history(ids: "[\"i1\",2]"), path: infer), 400, "invalid_argument", "/inputs/0/data/1"),
        (post(history().replacing("BYTES", with: "FP32"), path: infer), 400, "invalid_argument", "/inputs/0/datatype"),
        (
            post(history().replacing("\"history\"", with: "\"x\""), path: infer), 400, "invalid_argument",
            "/inputs/0/name"
        ),
        (post(history(k + k), path: infer), 400, "invalid_argument", "/inputs/2/name"),
        (post(history(k.replacing("[5]", with: "[]")), path: infer), 400, "invalid_argument", "/inputs/1/data"),
        (post(history(k.replacing("[5]", with: "[0]")), path: infer), 400, "invalid_argument", "/inputs/1/data/0"),
        (
            post(String(history().dropLast()) + ",\"outputs\":[{\"name\":\"x\"}]}", path: infer), 400,
            "invalid_argument", "/outputs/0/name"
        ),
    ]

    @Test(
        "every error of the other routes is a problem with its pointer, and the connection stays open",
        arguments: errors
    )
    func reportsErrors(request: String, status: Int, code: String, pointer: String?) async throws {
        try await withServer { server in
            let connection = try await server.connect()
            try await connection.send(request)
            let answer = try await connection.answer()
            let json = try answer.json()
            #expect(answer.status == status && json["status"] as? Int == status && json["code"] as? String == code)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect((json["errors"] as? [[String: String]])?.first?["pointer"] == pointer)
            try await connection.send(post(Body.light))
            #expect(try await connection.answer().status == 200)
            try await connection.close()
        }
    }

    @Test("before a model is loaded every route that needs one answers not ready")
    func saysNotReady() async throws {
        try await withServer(source: MemorySource([1], active: nil), isReady: false) { server in
            let requests = [
                postBatch([Body.light]), post("{\"item\":\"i1\"}", path: "/v1/similar"), get("/v1/items/i1"),
                get("/v2/models/m"), get("/v2/models/m/ready"), post(Self.history(), path: Self.infer),
            ]
            for request in requests {
                let answer = try await server.ask(request)
                #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
                #expect(try answer.json()["code"] as? String == "not_ready")
            }
        }
    }
}
