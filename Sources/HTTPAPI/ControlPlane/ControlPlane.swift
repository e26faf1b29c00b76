import CheckpointStore
package import Hummingbird
package import Logging
import NIOCore
package import Serving

/// The control plane: shows and changes models, versions, aliases and items, and reports the service's state.
///
/// ``operations`` lists every operation. The routes and the test against the OpenAPI document use this list.
package struct ControlPlane: Sendable {
    typealias Handler = @Sendable (Request, BasicRequestContext) async throws -> Response

    /// One method of one path.
    package struct Operation: Sendable {
        package let method: HTTPRequest.Method
        /// The path, with parameters as `{name}`.
        package let path: String
        /// Whether it needs no token.
        package let isOpen: Bool
        /// The parameters of its query.
        var parameters: [String] = []
        let handler: Handler

        /// The handler behind a check of the query: a misspelt `model` or `wait` must not act on the default.
        ///
        /// Open operations without parameters ignore their query, which some monitors and browsers add.
        var checkedHandler: Handler {
            guard !isOpen || !parameters.isEmpty else { return handler }
            return { [parameters, handler] request, context in
                for (name, _) in request.uri.queryParameters where !parameters.contains(String(name)) {
                    let known = parameters.map { "'\($0)'" }.joined(separator: " and ")
                    throw Problem(
                        .invalidArgument,
                        "'\(name)' is no query parameter of this path; it takes \(known.isEmpty ? "none" : known)."
                    )
                }
                return try await handler(request, context)
            }
        }
    }

    let source: any CheckpointSource
    let controller: ServingController
    let dashboard: Dashboard
    let build: BuildDescription
    let metrics: MetricsPage
    let logger: Logger
    private let token: ControlToken?

    /// The control plane of a running service.
    ///
    /// - Parameters:
    ///   - source: The store of versions.
    ///   - controller: Changes the versions in service.
    ///   - token: The bearer token for all operations that are not open. With nil, programs on this machine may use
    ///     them.
    ///   - build: The answer of GET /version.
    ///   - metrics: The answer of GET /metrics.
    ///   - dashboard: The dashboard's page and data.
    ///   - logger: Receives the server's own failures.
    package init(
        source: any CheckpointSource,
        controller: ServingController,
        token: String?,
        build: BuildDescription,
        metrics: MetricsPage,
        dashboard: Dashboard,
        logger: Logger
    ) {
        self.source = source
        self.controller = controller
        self.token = token.map(ControlToken.init)
        self.build = build
        self.metrics = metrics
        self.dashboard = dashboard
        self.logger = logger
    }

    /// All operations.
    package var operations: [Operation] {
        signalOperations + requestOperations + modelOperations + aliasOperations + itemOperations
            + dashboard.operations
    }

    /// Makes another token the only valid one; has no effect without a token.
    func replaceToken(by token: String) { self.token?.replace(by: token) }

    /// All routes; errors become problems, and guarded operations require the token.
    package func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: BackgroundMiddleware())
        router.add(middleware: SecurityHeadersMiddleware())
        router.add(middleware: ProblemMiddleware(logger: logger))
        router.add(middleware: SameOriginMiddleware())
        let guarded = router.group().add(middleware: AccessMiddleware(token: token))
        for (path, operations) in Dictionary(grouping: operations, by: \.path) {
            var methods = operations.map(\.method)
            for operation in operations {
                let routes: any RouterMethods<BasicRequestContext> = operation.isOpen ? router : guarded
                routes.on(RouterPath(path), method: operation.method, use: operation.checkedHandler)
            }
            if let get = methods.firstIndex(of: .get) { methods.insert(.head, at: get + 1) }
            let allow = methods.map(\.rawValue).joined(separator: ", ")
            for method in Self.knownMethods where !methods.contains(method) {
                router.on(RouterPath(path), method: method) { _, _ -> Response in
                    throw Problem(.methodNotAllowed, "This path answers \(allow) only.", allow: allow)
                }
            }
        }
        return router
    }

    private static let knownMethods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"]
        .compactMap(HTTPRequest.Method.init(rawValue:))

    /// Operations about the service itself.
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
            Operation(method: .get, path: "/openapi.json", isOpen: true) { _, _ in
                Response(
                    status: .ok,
                    headers: [.contentType: "application/json"],
                    body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json))
                )
            },
        ]
    }
}

extension ControlPlane {
    /// The largest body of a request.
    static let maxBodyBytes = 1 << 20

    /// Reads a request's JSON body.
    static func body(of request: Request) async throws -> [UInt8] {
        let type = request.headers[.contentType]?.prefix { $0 != ";" && $0 != " " }
        guard type.map({ equalsIgnoringCase($0, "application/json") }) ?? true else {
            throw Problem(.unsupportedMediaType, "Send the body as 'Content-Type: application/json'.")
        }
        guard request.headers[.contentEncoding].map({ equalsIgnoringCase($0, "identity") }) ?? true else {
            throw Problem(.unsupportedMediaType, "Send the body without Content-Encoding.")
        }
        do {
            return Array(buffer: try await request.body.collect(upTo: maxBodyBytes))
        } catch is NIOTooManyBytesError {
            throw Problem.bodyTooLarge(maxBodyBytes)
        }
    }

    /// A path parameter, percent-decoded.
    static func parameter(_ name: String, _ context: BasicRequestContext) throws -> String {
        try percentDecoded(try context.parameters.require(name)[...])
    }

    /// A query parameter; nil if the request does not have it.
    static func query(_ name: String, of request: Request) throws -> String? {
        let values = request.uri.queryParameters[values: Substring(name)]
        guard values.count <= 1 else { throw Problem(.invalidArgument, "'\(name)' is given twice.") }
        return values.first.map(String.init)
    }

    /// A query parameter that is true or false; by default false.
    static func flag(_ name: String, of request: Request) throws -> Bool {
        switch try query(name, of: request) {
        case nil, "false": false
        case "true": true
        case let value?: throw Problem(.invalidArgument, "'\(name)' is '\(value)'; it must be true or false.")
        }
    }
}
