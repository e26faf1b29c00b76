import CheckpointStore
import HTTPAPI
import Serving
import TestSupport
import Testing

@Suite("OpenAPI document", .timeLimit(.minutes(2))) struct OpenAPITests {
    private let document: OpenAPIDocument
    private let plane: ControlPlane

    init() async throws {
        let source = MemorySource([1], active: 1)
        let holder = RoutingHolder()
        let controller = ServingController(source: source, holder: holder, builder: testBuilder, logger: quietLogger)
        plane = ControlPlane(
            source: source,
            controller: controller,
            token: nil,
            build: BuildDescription(name: "dimerec", version: "test", platform: "test"),
            metrics: MetricsPage(
                metrics: ServerMetrics(),
                holder: holder,
                controller: controller,
                sampler: AnswerSampler(recallSample: 0)
            ),
            dashboard: Dashboard(service: RetrievalService(holder: holder)),
            logger: quietLogger
        )
        document = try OpenAPIDocument(try JSONNode(try await answerBody(of: plane, "/openapi.json")))
    }

    // MARK: What there is

    @Test("the document has exactly the control plane's operations")
    func hasControlOperations() {
        let documented = document.operations.filter { $0.plane == .control }
        #expect(Set(documented.map(\.name)) == Set(plane.operations.map { "\($0.method) \($0.path)" }))
        for operation in plane.operations {
            let documented = documented.first { $0.name == "\(operation.method) \(operation.path)" }
            #expect(documented?.needsToken == !operation.isOpen, "\(operation.path)")
            #expect((documented?.json["responses"]?["401"] != nil) == !operation.isOpen, "\(operation.path)")
        }
    }

    @Test("the document has exactly the data plane's routes and methods")
    func hasRoutes() throws {
        var found: Set<String> = []
        for (path, operations) in Dictionary(
            grouping: document.operations.filter { $0.plane == .data },
            by: \.path
        ) {
            let route = try Route(target: operations[0].target())
            found.insert(name(of: route))
            #expect(Set(operations.map(\.method)) == [route.methods == "POST" ? "POST" : "GET"], "\(path)")
        }
        let paths = Set(document.operations.filter { $0.plane == .data }.map(\.path))
        #expect(paths.isSuperset(of: ["/retrieve", "/v1/retrieve", "/retrieve:batch", "/v1/retrieve:batch"]))
        #expect(paths.isSuperset(of: ["", "/ready", "/infer"].map { "/v2/models/{model}/versions/{version}\($0)" }))
        #expect(
            found == [
                "retrieve", "batch", "similar", "filterCount", "facets", "embed", "item", "live", "ready",
                "inferenceLive",
                "inferenceReady", "model",
                "modelReady", "infer",
            ]
        )
    }

    /// The name of each case; a new case does not compile until it is added here.
    private func name(of route: Route) -> String {
        switch route {
        case .retrieve: "retrieve"
        case .batch: "batch"
        case .similar: "similar"
        case .filterCount: "filterCount"
        case .facets: "facets"
        case .embed: "embed"
        case .item: "item"
        case .live: "live"
        case .ready: "ready"
        case .inferenceLive: "inferenceLive"
        case .inferenceReady: "inferenceReady"
        case .model: "model"
        case .modelReady: "modelReady"
        case .infer: "infer"
        }
    }

    @Test("the document has every problem code with its status")
    func hasCodes() throws {
        let problem = try #require(document.json[pointer: "/components/schemas/Problem/properties/code/enum"])
        #expect(Set(problem.texts) == Set(Problem.Code.allCases.map(\.rawValue)))
        var found: [String] = []
        for (name, response) in document.json[pointer: "/components/responses"]?.members ?? [:] {
            let content = try #require(response[pointer: "/content/application~1problem+json/schema/properties"])
            for text in content[pointer: "/code/enum"]?.texts ?? [] {
                let code = try #require(Problem.Code(rawValue: text))
                #expect(content[pointer: "/status/const"]?.double == Double(code.status), "\(name)")
                found.append(text)
            }
        }
        #expect(found.sorted() == problem.texts.sorted())
    }

    @Test("document and service both refuse a diversity above 0 with a category penalty above 0")
    func namesExclusion() throws {
        let excluded = document.json[pointer: "/components/schemas/RetrieveRequest/not/anyOf"]
        let refused = try #require(excluded?.elements.first)
        let fields = refused["required"]?.texts ?? []
        #expect(Set(fields) == ["diversity", "category_penalty"])
        for field in fields {
            #expect(refused[pointer: "/properties/\(field)/exclusiveMinimum"]?.double == 0)
        }
    }

    @Test("the bounds in the document are the default settings")
    func namesDefaults() throws {
        let configuration = ServerConfiguration()
        let request = RetrievalRequest()
        func number(_ pointer: String) -> Double? { document.json[pointer: "/components/schemas/\(pointer)"]?.double }
        #expect(number("RetrieveRequest/properties/k/maximum") == Double(configuration.limits.maxK))
        #expect(number("SimilarRequest/properties/k/maximum") == Double(configuration.limits.maxK))
        #expect(number("CountTensor/properties/data/items/maximum") == Double(configuration.limits.maxK))
        #expect(number("RetrieveRequest/properties/k/default") == Double(request.k))
        #expect(number("RetrieveRequest/properties/samples/maximum") == Double(configuration.limits.maxSamples))
        #expect(number("BatchRequest/properties/requests/maxItems") == Double(configuration.limits.maxBatch))
        #expect(number("Sources/maxItems") == Double(SourceBlend.mostSources))
        #expect(number("Source/properties/weight/maximum") == SourceBlend.mostWeight)
        #expect(number("Fusion/properties/constant/default") == SourceBlend.standardConstant)
        #expect(number("Fusion/properties/constant/maximum") == SourceBlend.constants.upperBound)
        #expect(number("Fusion/properties/window/default") == Double(SourceBlend.standardWindow))
        #expect(number("Fusion/properties/window/maximum") == Double(configuration.limits.maxK))
        #expect(number("EmbedRequest/properties/samples/maximum") == Double(configuration.limits.maxSamples))
        let history = document.json[pointer: "/components/schemas/RetrieveRequest/properties/history/description"]
        #expect(history?.text?.contains(" \(configuration.limits.maxHistory) (MAX_HISTORY)") == true)
        let tooLarge = document.json[pointer: "/components/responses/BodyTooLarge/description"]
        #expect(tooLarge?.text?.contains(" \(configuration.maxBodyBytes) bytes (MAX_BODY_BYTES)") == true)
        let servers = document.operations.compactMap { $0.json["servers"]?.elements.first?["url"]?.text }
        #expect(Set(servers) == ["http://\(configuration.httpHost):\(configuration.httpPort)"])
        #expect(servers.count == document.operations.count { $0.plane == .data })
        let url = document.json["servers"]?.elements.first?["url"]?.text
        #expect(url == "http://\(configuration.controlHost):\(configuration.controlPort)")
    }

    @Test("every reference resolves, and every component is used")
    func isClosed() {
        var found: Set<String> = []
        func visit(_ value: JSONNode) {
            if let reference = value["$ref"]?.text { found.insert(reference) }
            value.members.values.forEach(visit)
            value.elements.forEach(visit)
        }
        visit(document.json)
        let kinds = ["parameters", "headers", "responses", "schemas"]
        let there = kinds.flatMap { kind in
            (document.json[pointer: "/components/\(kind)"]?.members.keys.map { "#/components/\(kind)/\($0)" }) ?? []
        }
        #expect(found == Set(there))
    }

    // MARK: The validator

    @Test(
        "the validator refuses values that break a schema",
        arguments: [
            (#"{"type":"integer"}"#, "1.5"), (#"{"type":["string","null"]}"#, "true"), (#"{"minimum":1}"#, "0"),
            (#"{"maximum":1}"#, "1.5"), (#"{"exclusiveMinimum":0}"#, "0"), (#"{"const":1}"#, "true"),
            (#"{"enum":["a",null]}"#, #""b""#), (#"{"minLength":1}"#, #""""#), (#"{"pattern":"^a$"}"#, #""ab""#),
            (#"{"minItems":1}"#, "[]"), (#"{"maxItems":0}"#, "[1]"), (#"{"uniqueItems":true}"#, "[1,2,1]"),
            (#"{"items":{"type":"string"}}"#, "[1]"),
            (#"{"contains":{"const":1}}"#, "[2]"), (#"{"required":["a"]}"#, #"{"b":1}"#),
            (#"{"additionalProperties":false,"properties":{"a":{}}}"#, #"{"b":1}"#),
            (#"{"additionalProperties":{"type":"number"}}"#, #"{"b":"c"}"#),
            (#"{"properties":{"a":{"type":"number"}}}"#, #"{"a":"b"}"#),
            (#"{"anyOf":[{"const":1},{"const":2}]}"#, "3"), (#"{"oneOf":[{"minimum":1},{"minimum":2}]}"#, "3"),
            (#"{"not":{"const":3}}"#, "3"), (##"{"$ref":"#/none"}"##, "3"), (#"{"format":"uuid"}"#, "3"),
        ]
    )
    func validates(schema: String, value: String) throws {
        let schema = try JSONNode(schema.utf8)
        #expect(!JSONSchema(document: .null).violations(of: schema, in: try JSONNode(value.utf8)).isEmpty)
    }
}
