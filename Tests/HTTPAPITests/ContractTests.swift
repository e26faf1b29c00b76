import HTTPAPI
import Serving
import TestSupport
import Testing

/// Real answers, held against the OpenAPI document.
@Suite("Contract", .timeLimit(.minutes(2))) struct ContractTests {
    typealias Plane = RunningServer.Plane

    /// A request, and the status of its answer.
    struct Exchange {
        let plane: Plane
        let method: String
        let target: String
        var body: String?
        var headers = ""
        let status: Int

        init(
            _ plane: Plane,
            _ method: String,
            _ target: String,
            _ body: String? = nil,
            headers: String = "",
            _ status: Int
        ) {
            self.plane = plane
            self.method = method
            self.target = target
            self.body = body
            self.headers = headers
            self.status = status
        }
    }

    private static let infer = #"{"id":"q","inputs":[{"name":"history","shape":[1],"datatype":"BYTES","data":["i1"]}]}"#
    private static let text = "Content-Type: text/plain\r\n"

    /// In this order: what is made is changed, then removed.
    private static let exchanges: [Exchange] = [
        Exchange(.data, "POST", "/retrieve", #"{"history":["i1",3],"k":3,"explain":true}"#, 200),
        Exchange(.data, "POST", "/v1/retrieve", #"{"history":["nope"],"k":3,"ef":null,"seed":null}"#, 200),
        Exchange(.data, "POST", "/retrieve", "{", 400),
        Exchange(.data, "POST", "/retrieve", #"{"history":[],"model":"x"}"#, 404),
        Exchange(.data, "POST", "/retrieve", "{}", headers: text, 415),
        Exchange(.data, "POST", "/retrieve:batch", #"{"requests":[{"history":["i1"]},{"history":7}]}"#, 200),
        Exchange(.data, "POST", "/v1/retrieve:batch", #"{"requests":[{"history":[3],"explain":true}]}"#, 200),
        Exchange(.data, "POST", "/retrieve:batch", #"{"requests":[]}"#, 400),
        Exchange(.data, "POST", "/v1/similar", #"{"item":3,"model":"m"}"#, 200),
        Exchange(.data, "POST", "/v1/similar", #"{"item":"nope"}"#, 404),
        Exchange(.data, "GET", "/v1/items/i7?model=m", 200),
        Exchange(.data, "GET", "/v1/items/nope", 200),
        Exchange(.data, "GET", "/v1/items/i7?model=x", 404),
        Exchange(.data, "GET", "/v1/items/i7?model=m&model=m", 400),
        Exchange(.data, "GET", "/v1/items/%zz", 400),
        Exchange(.data, "GET", "/health/live", 200),
        Exchange(.data, "GET", "/health/ready", 200),
        Exchange(.data, "GET", "/v2/health/live", 200),
        Exchange(.data, "GET", "/v2/health/ready", 200),
        Exchange(.data, "GET", "/v2/models/m", 200),
        Exchange(.data, "GET", "/v2/models/m/ready", 200),
        Exchange(.data, "POST", "/v2/models/m/infer", infer, 200),
        Exchange(.data, "GET", "/v2/models/m/versions/1", 200),
        Exchange(.data, "GET", "/v2/models/m/versions/1/ready", 200),
        Exchange(.data, "POST", "/v2/models/m/versions/1/infer", infer, 200),
        Exchange(.data, "GET", "/v2/models/x", 404),
        Exchange(.data, "GET", "/v2/models/m/versions/9", 404),
        Exchange(.data, "POST", "/v2/models/m/infer", #"{"inputs":[]}"#, 400),
        Exchange(.control, "GET", "/version", 200),
        Exchange(.control, "GET", "/metrics", 200),
        Exchange(.control, "GET", "/openapi.json", 200),
        Exchange(.control, "GET", "/v1/models", 200),
        Exchange(.control, "GET", "/v1/models/m", 200),
        Exchange(.control, "GET", "/v1/models/x", 404),
        Exchange(.control, "GET", "/v1/models/m/versions/1", 200),
        Exchange(.control, "GET", "/v1/models/m/versions/9", 404),
        Exchange(.control, "GET", "/v1/models/m/versions/01", 404),
        Exchange(.control, "POST", "/v1/models/m:rollback", 409),
        Exchange(.control, "POST", "/v1/models/x:rollback", 404),
        Exchange(.control, "POST", "/v1/models/m/versions/2:activate?wait=true", 200),
        Exchange(.control, "POST", "/v1/models/m/versions/2:activate?wait=maybe", 400),
        Exchange(.control, "POST", "/v1/models/m/versions/2:activate?wait=true&wait=true", 400),
        Exchange(.control, "POST", "/v1/models/m/versions/3:activate?wait=true", 422),
        Exchange(.control, "GET", "/v1/models/m/versions/3", 200),
        Exchange(.control, "POST", "/v1/models/m/versions/9:activate", 404),
        Exchange(.control, "POST", "/v1/models/m:rollback", 200),
        Exchange(.control, "POST", "/v1/models/m/versions/1:verify", 200),
        Exchange(.control, "POST", "/v1/models/m/versions/3:verify", 422),
        Exchange(.control, "POST", "/v1/models/m/versions/9:verify", 404),
        Exchange(.control, "POST", "/v1/models/m/versions/1:unload", 409),
        Exchange(.control, "POST", "/v1/models/m/versions/2:unload", 200),
        Exchange(.control, "POST", "/v1/models/m/versions/2:unload", 200),
        Exchange(.control, "POST", "/v1/models/m/versions/9:unload", 404),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m","version":1}"#, 200),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-None-Match: *\r\n", 412),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-None-Match: 1\r\n", 400),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-Match: \"7\"\r\n", 412),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-Match: 1\r\n", 412),
        Exchange(.control, "PUT", "/v1/aliases/new", #"{"model":"m"}"#, headers: "If-Match: *\r\n", 412),
        Exchange(
            .control,
            "PUT",
            "/v1/aliases/stable",
            #"{"model":"m","split":[{"version":1,"percent":90},{"version":2,"percent":10}],"guard":{"max_p99_ms":5}}"#,
            headers: "If-Match: \"1\"\r\n",
            200
        ),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m","version":1,"split":[]}"#, 400),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"x"}"#, 404),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m","version":9}"#, 404),
        Exchange(.control, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: text, 415),
        Exchange(
            .control,
            "PUT",
            "/v1/aliases/stable",
            #"{"model":"m"}"#,
            headers: "Content-Encoding: gzip\r\n",
            415
        ),
        Exchange(.control, "GET", "/v1/aliases", 200),
        Exchange(.control, "GET", "/v1/aliases/stable", 200),
        Exchange(.control, "GET", "/v1/models/m", 200),
        Exchange(.control, "DELETE", "/v1/aliases/stable", headers: "If-Match: \"1\"\r\n", 412),
        Exchange(.control, "DELETE", "/v1/aliases/stable", headers: "If-Match: *\r\n", 204),
        Exchange(.control, "DELETE", "/v1/aliases/stable", 404),
        Exchange(.control, "GET", "/v1/aliases/stable", 404),
        Exchange(.control, "PUT", "/v1/items/new", #"{"like":["i1",3],"title":"t","categories":["Rare"]}"#, 200),
        Exchange(.control, "PUT", "/v1/items/new?model=x", #"{"like":["i1"]}"#, 404),
        Exchange(.control, "PUT", "/v1/items/new", #"{"vector":[1,0,0,0,0,0,0,0]}"#, 200),
        Exchange(.control, "PUT", "/v1/items/new", "{}", 400),
        Exchange(.control, "PUT", "/v1/items/new", #"{"vector":[1,0]}"#, 422),
        Exchange(.control, "PUT", "/v1/items/new", #"{"vector":[0,0,0,0,0,0,0,0]}"#, 422),
        Exchange(.control, "PUT", "/v1/items/new", #"{"like":["nope"]}"#, 422),
        Exchange(.data, "GET", "/v1/items/new", 200),
        Exchange(.data, "POST", "/retrieve", #"{"history":["new"],"k":50}"#, 200),
        Exchange(.control, "GET", "/", 200),
        Exchange(.control, "GET", "/dashboard.css", 200),
        Exchange(.control, "GET", "/debug/map", 200),
        Exchange(.control, "GET", "/debug/map?model=x", 404),
        Exchange(.control, "GET", "/debug/map?version=9", 404),
        Exchange(.control, "GET", "/debug/map?version=1&version=2", 400),
        Exchange(.control, "POST", "/debug/query", #"{"history":["i1",3,"new"]}"#, 200),
        Exchange(.control, "POST", "/debug/query", #"{"history":[],"k":3}"#, 200),
        Exchange(.control, "POST", "/debug/query", #"{"k":3}"#, 400),
        Exchange(.control, "POST", "/debug/query", #"{"history":[],"model":"x"}"#, 404),
        Exchange(.control, "POST", "/debug/query", "{}", headers: text, 415),
        Exchange(.control, "DELETE", "/v1/items/i1?model=m", 200),
        Exchange(.control, "DELETE", "/v1/items/nope", 404),
        Exchange(.control, "GET", "/v1/items", 200),
        Exchange(.control, "GET", "/v1/items?model=x", 404),
    ]

    @Test("every operation answers as documented, in success and in failure")
    func answersAsDocumented() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        source.state.withLock { $0.damaged = [3] }
        try await withServer(source: source) { server in
            let document = try await OpenAPIDocument(of: server)
            var answered: Set<String> = []
            for exchange in Self.exchanges {
                let answer = try await server.ask(
                    exchange.plane,
                    exchange.method,
                    exchange.target,
                    body: exchange.body,
                    headers: exchange.headers
                )
                let name = "\(exchange.method) \(exchange.target) \(exchange.body ?? "") \(exchange.headers)"
                #expect(answer.status == exchange.status, "\(name): \(answer.text)")
                let operation = document.operation(exchange.plane, exchange.method, exchange.target)
                let found = try #require(operation, "\(name) is not documented")
                #expect(try document.violations(of: found, in: answer) == [], "\(name)")
                if answer.status < 300 { answered.insert("\(found.plane) \(found.name)") }
            }
            let scripts = document.operations.filter { $0.path.hasSuffix(".js") }
            for script in scripts {
                let answer = try await server.ask(.control, script.method, script.path)
                #expect(try answer.status == 200 && document.violations(of: script, in: answer) == [])
            }
            let others = Set(document.operations.map { "\($0.plane) \($0.name)" }).subtracting(answered)
            #expect(others == Set(scripts.map { "\($0.plane) \($0.name)" }))
        }
    }

    @Test("activation without wait is accepted, as documented")
    func accepts() async throws {
        try await withServer { server in
            let document = try await OpenAPIDocument(of: server)
            let target = "/v1/models/m/versions/2:activate"
            let answer = try await server.ask(.control, "POST", target)
            let operation = try #require(document.operation(.control, "POST", target))
            #expect(try answer.status == 202 && document.violations(of: operation, in: answer) == [])
        }
    }

    @Test("a service without a model says so as documented")
    func answersNotReady() async throws {
        try await withServer(source: MemorySource([1], active: nil), isReady: false) { server in
            let document = try await OpenAPIDocument(of: server)
            for operation in document.operations where operation.plane == .data {
                let body = operation.body?["example"]?.description
                let answer = try await server.ask(.data, operation.method, operation.target(), body: body)
                #expect(answer.status == (operation.path.hasSuffix("/live") ? 200 : 503), "\(operation.name)")
                #expect(try document.violations(of: operation, in: answer) == [], "\(operation.name)")
            }
        }
    }

    @Test("the examples of bodies are valid, and are answered")
    func answersExamples() async throws {
        try await withServer { server in
            let document = try await OpenAPIDocument(of: server)
            for operation in document.operations {
                guard let body = operation.body else { continue }
                let example = try #require(body["example"], "\(operation.name) has no example")
                let schema = try #require(body["schema"])
                #expect(JSONSchema(document: document.json).violations(of: schema, in: example) == [])
                let text = example.description.replacing("ml-1m", with: "m")
                let answer = try await server.ask(operation.plane, operation.method, operation.target(), body: text)
                #expect(answer.status == 200, "\(operation.name): \(answer.text)")
            }
        }
    }

    @Test("every path refuses the methods that it does not have, and names those that it has")
    func refusesMethods() async throws {
        try await withServer { server in
            let document = try await OpenAPIDocument(of: server)
            for (key, operations) in Dictionary(
                grouping: document.operations,
                by: { "\($0.plane) \($0.path)" }
            ) {
                let operation = operations[0]
                var methods = Set(operations.map(\.method))
                if methods.contains("GET") { methods.insert("HEAD") }
                for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"]
                where !methods.contains(method) {
                    let answer = try await server.ask(operation.plane, method, operation.target())
                    #expect(answer.status == 405, "\(method) \(key)")
                    let allow = (answer.headers["allow"] ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
                    #expect(Set(allow) == methods && allow.count == methods.count, "\(method) \(key)")
                    guard method != "HEAD" else { continue }
                    #expect(try document.violations(of: operation, in: answer) == [], "\(method) \(key)")
                }
            }
        }
    }
}
