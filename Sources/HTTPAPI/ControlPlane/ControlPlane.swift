import CheckpointStore
import HTTPTypes
package import Hummingbird
package import Logging
package import Serving

/// The control plane's routes: which models and versions there are, and which one is served.
package struct ControlPlane: Sendable {
    private let source: any CheckpointSource
    private let watcher: CheckpointWatcher
    private let token: String?
    private let build: BuildDescription
    private let metrics: MetricsPage
    private let dashboard: Dashboard
    private let logger: Logger

    /// The routes over a store and its watcher.
    ///
    /// - Parameters:
    ///   - source: The store.
    ///   - watcher: Loads versions.
    ///   - token: The bearer token of writes; nil leaves them open.
    ///   - build: What GET /version answers.
    ///   - metrics: What GET /metrics answers.
    ///   - dashboard: The page and what it alone asks for.
    ///   - logger: Told about failures that are not the caller's.
    package init(
        source: any CheckpointSource,
        watcher: CheckpointWatcher,
        token: String?,
        build: BuildDescription,
        metrics: MetricsPage,
        dashboard: Dashboard,
        logger: Logger
    ) {
        self.source = source
        self.watcher = watcher
        self.token = token
        self.build = build
        self.metrics = metrics
        self.dashboard = dashboard
        self.logger = logger
    }

    /// Every route, with its errors as problems and its writes behind the token.
    package func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: BackgroundMiddleware())
        router.add(middleware: SecurityHeadersMiddleware())
        router.add(middleware: ProblemMiddleware(logger: logger))
        router.add(middleware: SameOriginMiddleware())
        if let token { router.add(middleware: BearerTokenMiddleware(token: token)) }
        dashboard.addPage(to: router)
        let debug = router.group("/debug")
        if let token { debug.add(middleware: BearerTokenMiddleware(token: token, guardsReads: true)) }
        dashboard.addRoutes(to: debug)
        router.get("/version") { _, _ in try json(build) }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: MetricsPage.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text()))
            )
        }
        router.get("/v1/models") { _, _ in try json(ModelList(models: try await models())) }
        router.get("/v1/models/:model") { _, context in
            try json(try await model(try context.parameters.require("model")))
        }
        router.get("/v1/models/:model/versions/:version") { _, context in
            let (model, version, verb) = try target(context)
            guard verb == nil else { throw Problem(.methodNotAllowed, "Actions are POST.", allow: "POST") }
            return try json(try await describe(model, version))
        }
        router.post("/v1/models/:model/versions/:version") { request, context in
            let (model, version, verb) = try target(context)
            switch verb {
            case "activate":
                let waits = try flag("wait", of: request)
                return try await activate(model, version, waits: waits)
            case "verify": return try await verify(model, version)
            case nil: throw Problem(.methodNotAllowed, "Versions are immutable.", allow: "GET")
            case let verb?: throw Problem(.notFound, "There is no action ':\(verb)'; there are :activate and :verify.")
            }
        }
        return router
    }

    /// The model, the version and the action of a path such as `/v1/models/m/versions/3:activate`.
    private func target(_ context: BasicRequestContext) throws -> (model: String, version: Int, verb: String?) {
        let parts = try context.parameters.require("version").split(
            separator: ":",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        guard let version = Int(parts[0]), version >= 1 else {
            throw Problem(.versionNotFound, "'\(parts[0])' is no version; versions are 1, 2, 3 and so on.")
        }
        return (try context.parameters.require("model"), version, parts.count == 2 ? String(parts[1]) : nil)
    }

    private func flag(_ name: String, of request: Request) throws -> Bool {
        switch request.uri.queryParameters[Substring(name)] {
        case nil, "false": false
        case "", "true": true
        case let value?: throw Problem(.invalidArgument, "'\(name)' is '\(value)'; it must be true or false.")
        }
    }

    private func models() async throws -> [ModelDescription] {
        try await offThread { [source, watcher] in
            try source.modelNames().map { try ModelDescription(name: $0, source: source, watcher: watcher) }
        }
    }

    private func model(_ name: String) async throws -> ModelDescription {
        try await offThread { [source, watcher] in
            guard try source.modelNames().contains(name) else {
                throw Problem(.notFound, "There is no model '\(name)'; GET /v1/models lists them.")
            }
            return try ModelDescription(name: name, source: source, watcher: watcher)
        }
    }

    private func describe(_ model: String, _ version: Int) async throws -> VersionDescription {
        try await offThread { [source, watcher] in
            guard let manifest = try source.manifests(of: model).first(where: { $0.version == version }) else {
                throw Problem(ActivationError.versionNotFound(model: model, version: version))
            }
            let state = watcher.state(of: version, model: model)
            let digest = try source.digest(model: model, version: version)
            return VersionDescription(manifest, state: state, digest: digest)
        }
    }

    private func activate(_ model: String, _ version: Int, waits: Bool) async throws -> Response {
        do {
            let isActive = try await watcher.activate(model: model, version: version, wait: waits)
            let state = isActive ? VersionState.active : .loading
            let body = ActionResult(model: model, version: version, state: state.name)
            return try json(body, status: isActive ? .ok : .accepted)
        } catch let error as ActivationError {
            if case .storeFailed = error { logger.error("activation failed", metadata: ["error": "\(error)"]) }
            throw Problem(error)
        }
    }

    private func verify(_ model: String, _ version: Int) async throws -> Response {
        _ = try await describe(model, version)
        try await offThread { [source] in
            do {
                try source.verify(model: model, version: version)
            } catch {
                throw Problem(.checkpointRejected, "Version \(version) of model '\(model)' is damaged: \(error)")
            }
        }
        return try json(ActionResult(model: model, version: version, state: "verified"))
    }
}
