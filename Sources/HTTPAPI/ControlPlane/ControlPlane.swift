import CheckpointStore
package import Hummingbird
package import Logging
import NIOCore
package import Serving

/// The control plane: which models, versions, aliases and items there are, which of them are served, and how the service
/// does.
///
/// Every operation stands in ``operations``, from which both the routes and the check against the OpenAPI document are made.
package struct ControlPlane: Sendable {
    typealias Handler = @Sendable (Request, BasicRequestContext) async throws -> Response

    /// One method of one path.
    struct Operation: Sendable {
        let method: HTTPRequest.Method
        /// With parameters as `{name}`.
        let path: String
        /// Whether it is free to read without the token.
        let isOpen: Bool
        let handler: Handler
    }

    let source: any CheckpointSource
    let controller: ServingController
    let service: RetrievalService
    let build: BuildDescription
    let metrics: MetricsPage
    let logger: Logger
    private let token: String?

    /// The control plane of a running service.
    ///
    /// - Parameters:
    ///   - source: The store.
    ///   - controller: Changes what is served.
    ///   - service: Answers the dashboard's queries.
    ///   - token: The bearer token of everything but plain reading; nil leaves it open to this machine.
    ///   - build: What GET /version answers.
    ///   - metrics: What GET /metrics answers.
    ///   - logger: Told about failures that are not the caller's.
    package init(
        source: any CheckpointSource,
        controller: ServingController,
        service: RetrievalService,
        token: String?,
        build: BuildDescription,
        metrics: MetricsPage,
        logger: Logger
    ) {
        self.source = source
        self.controller = controller
        self.service = service
        self.token = token
        self.build = build
        self.metrics = metrics
        self.logger = logger
    }

    /// Every operation there is.
    var operations: [Operation] {
        signalOperations + requestOperations + modelOperations + aliasOperations + itemOperations
    }

    /// Every route, with its errors as problems and its writes behind the token.
    package func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: BackgroundMiddleware())
        router.add(middleware: ProblemMiddleware(logger: logger))
        let guarded = router.group().add(middleware: AccessMiddleware(token: token))
        let operations = operations
        var registered: Set<String> = []
        for operation in operations {
            // Paths that differ only in the verb behind a parameter are one route.
            let pattern = Self.pattern(operation.path)
            guard registered.insert("\(operation.method) \(pattern)").inserted else { continue }
            let routes: any RouterMethods<BasicRequestContext> = operation.isOpen ? router : guarded
            routes.on(RouterPath(pattern), method: operation.method, use: operation.handler)
        }
        for (path, methods) in Self.methods(of: operations) {
            let allow = methods.map(\.rawValue).joined(separator: ", ")
            for method in [.get, .post, .put, .delete, .patch] as [HTTPRequest.Method] where !methods.contains(method) {
                router.on(RouterPath(path), method: method) { _, _ -> Response in
                    throw Problem(.methodNotAllowed, "This path answers \(allow) only.", allow: allow)
                }
            }
        }
        return router
    }

    /// Which methods each of the router's paths has; paths that differ only in a verb share one.
    private static func methods(of operations: [Operation]) -> [String: [HTTPRequest.Method]] {
        Dictionary(grouping: operations) { pattern($0.path) }.mapValues { operations in
            operations.map(\.method).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
    }

    /// A path as the router writes it: `/v1/models/{model}` as `/v1/models/:model`.
    private static func pattern(_ path: String) -> String {
        path.split(separator: "/").map { part in
            part.hasPrefix("{") ? "/:" + part.dropFirst().prefix { $0 != "}" } : "/" + part
        }.joined()
    }

    /// What describes the service itself.
    private var signalOperations: [Operation] {
        [
            Operation(method: .get, path: "/version", isOpen: true) { _, _ in try json(build) },
            Operation(method: .get, path: "/metrics", isOpen: true) { _, _ in
                Response(
                    status: .ok,
                    headers: [.contentType: MetricsPage.contentType],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text(build)))
                )
            },
        ]
    }
}

extension ControlPlane {
    /// The largest body of a request.
    private static let maxBodyBytes = 1 << 20

    /// A request's JSON body.
    static func body(of request: Request) async throws -> [UInt8] {
        let type = request.headers[.contentType]?.prefix { $0 != ";" && $0 != " " }
        guard type.map({ equalsIgnoringCase($0, "application/json") }) ?? true else {
            throw Problem(.unsupportedMediaType, "Send the body as 'Content-Type: application/json'.")
        }
        do {
            return Array(buffer: try await request.body.collect(upTo: maxBodyBytes))
        } catch is NIOTooManyBytesError {
            throw Problem(.bodyTooLarge, "The body is larger than \(maxBodyBytes) bytes.")
        }
    }

    /// A query parameter that is true or false; without a value it is true.
    static func flag(_ name: String, of request: Request) throws -> Bool {
        switch request.uri.queryParameters[Substring(name)] {
        case nil, "false": false
        case "", "true": true
        case let value?: throw Problem(.invalidArgument, "'\(name)' is '\(value)'; it must be true or false.")
        }
    }

    /// The revision that `If-Match` or `If-None-Match` asks for: nil is any, 0 is that there is none.
    static func expectedRevision(of request: Request) throws -> Int? {
        if request.headers[.ifNoneMatch] == "*" { return 0 }
        guard let tag = request.headers[.ifMatch], tag != "*" else { return nil }
        guard let revision = Int(tag.trimmingPrefix("\"").prefix { $0 != "\"" }), revision > 0 else {
            throw Problem(.invalidArgument, "If-Match is '\(tag)'; it must be an ETag that this alias had.")
        }
        return revision
    }
}
