import HTTPAPI
import Serving
import Synchronization
import TestSupport
import Testing

/// Checks real answers against the OpenAPI document.
@Suite("Contract", .timeLimit(.minutes(2))) struct ContractTests {
    typealias Plane = RunningServer.Plane

    /// A request and the expected status.
    struct Exchange {
        let plane: Plane
        let status: Int
        let method: String
        let target: String
        let body: String?
        let headers: String

        init(
            _ plane: Plane,
            _ status: Int,
            _ method: String,
            _ target: String,
            _ body: String? = nil,
            headers: String = ""
        ) {
            self.plane = plane
            self.status = status
            self.method = method
            self.target = target
            self.body = body
            self.headers = headers
        }
    }

    private static let infer = #"{"id":"q","inputs":[{"name":"history","shape":[1],"datatype":"BYTES","data":["i1"]}]}"#
    private static let text = "Content-Type: text/plain\r\n"

    /// The order matters: an object is created, changed, then removed.
    private static let exchanges: [Exchange] = [
        Exchange(.data, 200, "POST", "/retrieve", #"{"history":["i1",3],"k":3,"explain":true}"#),
        Exchange(.data, 200, "POST", "/v1/retrieve", #"{"history":["nope"],"k":3,"ef":null,"seed":null}"#),
        Exchange(
            .data,
            200,
            "POST",
            "/retrieve",
            #"{"history":["i1"]}"#,
            headers: "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
        ),
        Exchange(
            .data,
            200,
            "POST",
            "/retrieve",
            #"{"history":["i1",3],"k":5,"explain":true,"offset":2,"score_threshold":-1,"pins":[{"id":"i7","position":3}],"#
                + #""boosts":[{"filter":{"any_of":["Even"]},"add":0.1},{"filter":{},"rank_factor":2}],"#
                + #""group_by":{"key":"brand","limit":2},"min_new":{"key":"released","share":0.2,"since":"2024-01-20"},"#
                + #""calibrate":{"key":"categories"}}"#
        ),
        Exchange(
            .data,
            200,
            "POST",
            "/retrieve",
            #"{"history":["i1",{"id":3,"at":"2024-01-31","weight":0.5,"event":"buy"}],"k":2,"explain":true}"#
        ),
        Exchange(.data, 400, "POST", "/retrieve", #"{"history":["i1"],"guidance":{"popular":1}}"#),
        Exchange(
            .data,
            400,
            "POST",
            "/v1/embed",
            #"{"history":["i1"],"guidance":{"history_popular":1,"exploring":2}}"#
        ),
        Exchange(.data, 200, "POST", "/v1/embed", #"{"history":["i1"],"guidance":null}"#),
        Exchange(.data, 400, "POST", "/retrieve", #"{"history":[{"at":1}]}"#),
        Exchange(.data, 400, "POST", "/retrieve", #"{"history":[],"group_by":{"key":"prize","limit":2}}"#),
        Exchange(.data, 400, "POST", "/retrieve", #"{"history":[],"pins":[{"id":7}]}"#),
        Exchange(.data, 400, "POST", "/retrieve", "{"),
        Exchange(.data, 404, "POST", "/retrieve", #"{"history":[],"model":"x"}"#),
        Exchange(.data, 415, "POST", "/retrieve", "{}", headers: text),
        Exchange(.data, 200, "POST", "/retrieve:batch", #"{"requests":[{"history":["i1"]},{"history":7}]}"#),
        Exchange(.data, 200, "POST", "/v1/retrieve:batch", #"{"requests":[{"history":[3],"explain":true}]}"#),
        Exchange(.data, 400, "POST", "/retrieve:batch", #"{"requests":[]}"#),
        Exchange(.data, 200, "POST", "/v1/similar", #"{"item":3,"model":"m"}"#),
        Exchange(.data, 404, "POST", "/v1/similar", #"{"item":"nope"}"#),
        Exchange(.data, 200, "POST", "/v1/filter:count", #"{"filter":{"any_of":["Even"]},"model":"m"}"#),
        Exchange(.data, 400, "POST", "/v1/filter:count", #"{"filter":{"must":[{"key":"prize","match":5}]}}"#),
        Exchange(.data, 404, "POST", "/v1/filter:count", #"{"model":"x"}"#),
        Exchange(.data, 200, "POST", "/v1/facets", #"{"keys":["price","stock","brand","tags","released"]}"#),
        Exchange(.data, 400, "POST", "/v1/facets", #"{"keys":["prize"]}"#),
        Exchange(
            .data,
            200,
            "POST",
            "/retrieve",
            #"{"history":["i1"],"k":5,"sources":[{"model":"m"},{"popular":true,"quota":2}],"fusion":{"method":"score"}}"#
        ),
        Exchange(.data, 404, "POST", "/retrieve", #"{"history":["i1"],"sources":[{"model":"m"},{"model":"x"}]}"#),
        Exchange(.data, 400, "POST", "/retrieve", #"{"history":["i1"],"sources":[]}"#),
        Exchange(.data, 200, "POST", "/v1/embed", #"{"history":["i1",3],"samples":2}"#),
        Exchange(.data, 200, "POST", "/v1/embed", #"{"history":[],"encoding":"base64","model":null}"#),
        Exchange(.data, 400, "POST", "/v1/embed", #"{"history":["i1"],"encoding":"binary"}"#),
        Exchange(.data, 404, "POST", "/v1/embed", #"{"history":["i1"],"model":"x"}"#),
        Exchange(.data, 200, "GET", "/v1/items/i7?model=m"),
        Exchange(.data, 200, "GET", "/v1/items/nope"),
        Exchange(
            .data,
            200,
            "POST",
            "/retrieve",
            #"{"history":[],"filter":{"must":[{"key":"price","range":{"lt":5}}]}}"#
        ),
        Exchange(.data, 400, "POST", "/retrieve", #"{"history":["i1"],"filter":{"must":[{"key":"prize","match":5}]}}"#),
        Exchange(.data, 404, "GET", "/v1/items/i7?model=x"),
        Exchange(.data, 400, "GET", "/v1/items/i7?model=m&model=m"),
        Exchange(.data, 400, "GET", "/v1/items/%zz"),
        Exchange(.data, 200, "GET", "/health/live"),
        Exchange(.data, 200, "GET", "/health/ready"),
        Exchange(.data, 200, "GET", "/v2/health/live"),
        Exchange(.data, 200, "GET", "/v2/health/ready"),
        Exchange(.data, 200, "GET", "/v2/models/m"),
        Exchange(.data, 200, "GET", "/v2/models/m/ready"),
        Exchange(.data, 200, "POST", "/v2/models/m/infer", infer),
        Exchange(.data, 200, "GET", "/v2/models/m/versions/1"),
        Exchange(.data, 200, "GET", "/v2/models/m/versions/1/ready"),
        Exchange(.data, 200, "POST", "/v2/models/m/versions/1/infer", infer),
        Exchange(.data, 404, "GET", "/v2/models/x"),
        Exchange(.data, 404, "GET", "/v2/models/m/versions/9"),
        Exchange(.data, 400, "POST", "/v2/models/m/infer", #"{"inputs":[]}"#),
        Exchange(.control, 200, "GET", "/version"),
        Exchange(.control, 200, "GET", "/metrics"),
        Exchange(.control, 200, "GET", "/openapi.json"),
        Exchange(.control, 200, "GET", "/v1/models"),
        Exchange(.control, 200, "GET", "/v1/models/m"),
        Exchange(.control, 404, "GET", "/v1/models/x"),
        Exchange(.control, 200, "GET", "/v1/models/m/versions/1"),
        Exchange(.control, 404, "GET", "/v1/models/m/versions/9"),
        Exchange(.control, 404, "GET", "/v1/models/m/versions/01"),
        Exchange(.control, 409, "POST", "/v1/models/m:rollback"),
        Exchange(.control, 404, "POST", "/v1/models/x:rollback"),
        Exchange(.control, 200, "POST", "/v1/models/m/versions/2:activate?wait=true"),
        Exchange(.control, 400, "POST", "/v1/models/m/versions/2:activate?wait=maybe"),
        Exchange(.control, 400, "POST", "/v1/models/m/versions/2:activate?wait=true&wait=true"),
        Exchange(.control, 422, "POST", "/v1/models/m/versions/3:activate?wait=true"),
        Exchange(.control, 200, "GET", "/v1/models/m/versions/3"),
        Exchange(.control, 404, "POST", "/v1/models/m/versions/9:activate"),
        Exchange(.control, 200, "POST", "/v1/models/m:rollback"),
        Exchange(.control, 200, "POST", "/v1/models/m/versions/1:verify"),
        Exchange(.control, 422, "POST", "/v1/models/m/versions/3:verify"),
        Exchange(.control, 404, "POST", "/v1/models/m/versions/9:verify"),
        Exchange(.control, 409, "POST", "/v1/models/m/versions/1:unload"),
        Exchange(.control, 200, "POST", "/v1/models/m/versions/2:unload"),
        Exchange(.control, 200, "POST", "/v1/models/m/versions/2:unload"),
        Exchange(.control, 404, "POST", "/v1/models/m/versions/9:unload"),
        Exchange(.control, 200, "PUT", "/v1/aliases/stable", #"{"model":"m","version":1}"#),
        Exchange(.control, 412, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-None-Match: *\r\n"),
        Exchange(.control, 400, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-None-Match: 1\r\n"),
        Exchange(.control, 412, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-Match: \"7\"\r\n"),
        Exchange(.control, 412, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: "If-Match: 1\r\n"),
        Exchange(.control, 412, "PUT", "/v1/aliases/new", #"{"model":"m"}"#, headers: "If-Match: *\r\n"),
        Exchange(
            .control,
            200,
            "PUT",
            "/v1/aliases/stable",
            #"{"model":"m","split":[{"version":1,"percent":90},{"version":2,"percent":10}],"guard":{"max_p99_ms":5}}"#,
            headers: "If-Match: \"1\"\r\n"
        ),
        Exchange(.control, 400, "PUT", "/v1/aliases/stable", #"{"model":"m","version":1,"split":[]}"#),
        Exchange(.control, 422, "PUT", "/v1/aliases/stable", #"{"model":"x"}"#),
        Exchange(
            .control,
            200,
            "PUT",
            "/v1/aliases/home",
            #"{"model":"m","sources":[{"model":"m"},{"popular":true,"quota":1}],"fusion":{"constant":60}}"#
        ),
        Exchange(.data, 200, "POST", "/retrieve", #"{"history":["i1"],"k":5,"model":"home"}"#),
        Exchange(.control, 422, "PUT", "/v1/aliases/home", #"{"model":"m","sources":[{"model":"x"}]}"#),
        Exchange(.control, 400, "PUT", "/v1/aliases/home", #"{"model":"m","fusion":{}}"#),
        Exchange(.control, 422, "PUT", "/v1/aliases/stable", #"{"model":"m","version":9}"#),
        Exchange(.control, 415, "PUT", "/v1/aliases/stable", #"{"model":"m"}"#, headers: text),
        Exchange(
            .control,
            415,
            "PUT",
            "/v1/aliases/stable",
            #"{"model":"m"}"#,
            headers: "Content-Encoding: gzip\r\n"
        ),
        Exchange(.control, 200, "GET", "/v1/aliases"),
        Exchange(.control, 200, "GET", "/v1/aliases/stable"),
        Exchange(.control, 200, "GET", "/v1/models/m"),
        Exchange(.control, 412, "DELETE", "/v1/aliases/stable", headers: "If-Match: \"1\"\r\n"),
        Exchange(.control, 204, "DELETE", "/v1/aliases/stable", headers: "If-Match: *\r\n"),
        Exchange(.control, 404, "DELETE", "/v1/aliases/stable"),
        Exchange(.control, 404, "GET", "/v1/aliases/stable"),
        Exchange(.control, 200, "PUT", "/v1/items/new", #"{"like":["i1",3],"title":"t","categories":["Rare"]}"#),
        Exchange(.control, 404, "PUT", "/v1/items/new?model=x", #"{"like":["i1"]}"#),
        Exchange(.control, 200, "PUT", "/v1/items/new", #"{"vector":[1,0,0,0,0,0,0,0]}"#),
        Exchange(.control, 200, "PUT", "/v1/items/new", #"{"like":["i1"],"attributes":{"price":2.5,"tags":null}}"#),
        Exchange(.control, 400, "PUT", "/v1/items/new", #"{"like":["i1"],"attributes":{"price":"x"}}"#),
        Exchange(
            .control,
            200,
            "PATCH",
            "/v1/items",
            #"{"items":[{"id":"i1","attributes":{"price":9,"stock":false,"tags":["a"]}},{"id":3,"attributes":null},"#
                + #"{"id":"nope","attributes":{}}]}"#
        ),
        Exchange(.control, 400, "PATCH", "/v1/items", #"{"items":[{"id":"i1","attributes":{"prize":1}}]}"#),
        Exchange(.control, 400, "PATCH", "/v1/items", #"{"items":[]}"#),
        Exchange(.control, 404, "PATCH", "/v1/items?model=x", #"{"items":[{"id":"i1","attributes":{}}]}"#),
        Exchange(.control, 415, "PATCH", "/v1/items", "{}", headers: text),
        Exchange(.control, 400, "PUT", "/v1/items/new", "{}"),
        Exchange(.control, 422, "PUT", "/v1/items/new", #"{"vector":[1,0]}"#),
        Exchange(.control, 422, "PUT", "/v1/items/new", #"{"vector":[0,0,0,0,0,0,0,0]}"#),
        Exchange(.control, 422, "PUT", "/v1/items/new", #"{"like":["nope"]}"#),
        Exchange(.data, 200, "GET", "/v1/items/new"),
        Exchange(.data, 200, "POST", "/retrieve", #"{"history":["new"],"k":50}"#),
        Exchange(.control, 200, "GET", "/"),
        Exchange(.control, 200, "GET", "/dashboard.css"),
        Exchange(.control, 200, "GET", "/debug/map"),
        Exchange(.control, 404, "GET", "/debug/map?model=x"),
        Exchange(.control, 404, "GET", "/debug/map?version=9"),
        Exchange(.control, 400, "GET", "/debug/map?version=1&version=2"),
        Exchange(.control, 200, "POST", "/debug/query", #"{"history":["i1",3,"new"]}"#),
        Exchange(.control, 200, "POST", "/debug/query", #"{"history":[],"k":3}"#),
        Exchange(.control, 400, "POST", "/debug/query", #"{"k":3}"#),
        Exchange(.control, 404, "POST", "/debug/query", #"{"history":[],"model":"x"}"#),
        Exchange(.control, 415, "POST", "/debug/query", "{}", headers: text),
        Exchange(.control, 200, "GET", "/debug/requests"),
        Exchange(.control, 200, "GET", "/debug/requests?seconds=60"),
        Exchange(.control, 400, "GET", "/debug/requests?seconds=0"),
        Exchange(.control, 400, "GET", "/debug/requests?seconds=1&seconds=2"),
        Exchange(.control, 200, "DELETE", "/v1/items/i1?model=m"),
        Exchange(.control, 404, "DELETE", "/v1/items/nope"),
        Exchange(.control, 200, "GET", "/v1/items"),
        Exchange(.control, 404, "GET", "/v1/items?model=x"),
    ]

    @Test("every operation answers as documented, on success and on failure")
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

    @Test("activation without wait answers 202, as documented")
    func accepts() async throws {
        try await withServer { server in
            let document = try await OpenAPIDocument(of: server)
            let target = "/v1/models/m/versions/2:activate"
            let answer = try await server.ask(.control, "POST", target)
            let operation = try #require(document.operation(.control, "POST", target))
            #expect(try answer.status == 202 && document.violations(of: operation, in: answer) == [])
        }
    }

    @Test("a service without a model answers not ready, as documented")
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

    @Test("the example bodies are valid and get an answer")
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

    @Test("a field accepts exactly the kinds of values in its schema")
    func takesKinds() async throws {
        try await withServer { server in
            let document = try await OpenAPIDocument(of: server)
            let schema = JSONSchema(document: document.json)
            let values: [JSONNode] = [
                .null, .boolean(true), .number(5), .number(-1), .number(0.5), .string("x"), .array([]), .object([:]),
            ]
            for operation in document.operations {
                guard let body = operation.body, let bodySchema = body["schema"] else { continue }
                let example = try JSONNode((body["example"]?.description.replacing("ml-1m", with: "m") ?? "").utf8)
                let fields = try #require(document.resolve(bodySchema)?["properties"]).members.keys
                for (field, value) in fields.flatMap({ field in values.map { (field, $0) } }) {
                    let changed = JSONNode.object(example.members.merging([field: value]) { $1 })
                    let isValid = schema.violations(of: bodySchema, in: changed).isEmpty
                    let text = changed.description
                    let answer = try await server.ask(operation.plane, operation.method, operation.target(), body: text)
                    let isRefused = answer.status == 400 || !isValid && answer.status == 422
                    #expect(isRefused == !isValid, "\(operation.name) \(text): \(answer.text)")
                }
            }
        }
    }

    @Test("every path refuses unsupported methods and names the supported ones")
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
