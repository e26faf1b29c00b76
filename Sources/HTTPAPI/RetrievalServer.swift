import Hummingbird
import HummingbirdCore
import Kernels
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
public import Serving

/// The whole service: data plane, control plane and serving controller, started and stopped together.
///
/// The data plane listens before any model is loaded and reports "not ready". Graceful shutdown stops the data plane
/// first. It reports "not ready", waits for the grace period, stops accepting connections, and drains open ones with
/// `Connection: close`. Then the control plane and the controller stop.
public struct RetrievalServer: Service, CustomStringConvertible {
    private let configuration: ServerConfiguration
    private let service: RetrievalService
    private let controller: ServingController
    private let controlPlane: ControlPlane
    private let metrics: ServerMetrics
    private let spans: SpanFile?
    private let logger: Logger
    private let onListening: @Sendable (Listener, Int) -> Void

    /// One of the two listeners.
    public enum Listener: Sendable {
        /// Answers retrievals.
        case data
        /// Shows and changes the versions in service.
        case control
    }

    /// Creates a server without starting it.
    ///
    /// - Parameters:
    ///   - configuration: The settings; the initializer checks them.
    ///   - source: The store of versions.
    ///   - holder: Receives the versions that the controller publishes.
    ///   - controller: Loads versions from the same store into the same holder.
    ///   - sampler: Compares a sample of answers with exact search and shadow versions.
    ///   - build: The answer of GET /version.
    ///   - droppedLogLines: How many lines the log has lost, for GET /metrics.
    ///   - logger: Receives all log events of the server.
    ///   - onListening: Called with each listener's port once it accepts connections.
    /// - Throws: ``ServerError``.
    public init(
        configuration: ServerConfiguration,
        source: any CheckpointSource,
        holder: RoutingHolder,
        controller: ServingController,
        sampler: AnswerSampler,
        build: BuildDescription,
        droppedLogLines: @escaping @Sendable () -> Int = { 0 },
        logger: Logger,
        onListening: @escaping @Sendable (Listener, Int) -> Void = { _, _ in }
    ) throws(ServerError) {
        try configuration.validate()
        self.configuration = configuration
        self.controller = controller
        self.logger = logger
        self.onListening = onListening
        service = RetrievalService(holder: holder, limits: configuration.limits, sampler: sampler)
        metrics = ServerMetrics()
        if let path = configuration.traceFile {
            spans = try SpanFile(path: path, build: build)
        } else {
            spans = nil
        }
        controlPlane = ControlPlane(
            source: source,
            controller: controller,
            token: configuration.controlToken,
            build: build,
            metrics: MetricsPage(
                metrics: metrics,
                holder: holder,
                controller: controller,
                sampler: sampler,
                droppedLogLines: droppedLogLines,
                spans: spans
            ),
            dashboard: Dashboard(service: service, maxBodyBytes: configuration.maxBodyBytes),
            logger: logger
        )
    }

    /// Replaces the token of the control plane; requests in progress keep theirs.
    ///
    /// - Precondition: The server was created with a token.
    /// - Throws: ``ServerError/invalidConfiguration(key:message:)`` for a token that is too short; then the old one stays.
    public func replaceControlToken(by token: String) throws(ServerError) {
        precondition(configuration.controlToken != nil, "a token for a server without one")
        var changed = configuration
        changed.controlToken = token
        try changed.validate()
        controlPlane.replaceToken(by: token)
    }

    /// The name in logs.
    ///
    /// The default description would print the configuration, which holds the token.
    public var description: String { "retrieval server" }

    /// Serves until graceful shutdown.
    ///
    /// - Throws: ``ServerError`` if a listener cannot start.
    public func run() async throws {
        let limit = OpenFileLimit.raise()
        guard limit >= DescriptorBudget.least else { throw ServerError.tooFewDescriptors(limit: limit) }
        let budget = DescriptorBudget(configuration, limit: limit)
        if let shortage = budget.shortage(of: configuration, limit: limit) { logger.warning("\(shortage)") }
        let dataPlane = DataPlaneServer(
            configuration: configuration,
            maxConnections: budget.dataConnections,
            service: service,
            status: ServerStatus(),
            metrics: metrics,
            spans: spans,
            logger: logger,
            onListening: { onListening(.data, $0) }
        )
        let control = ControlPlaneServer(
            configuration: configuration,
            connections: ControlConnections(limit: budget.controlConnections),
            controlPlane: controlPlane,
            logger: logger,
            onListening: { onListening(.control, $0) }
        )
        // The group stops services from the last to the first.
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [controller, control, dataPlane], logger: logger)
        )
        try await group.run()
        await spans?.flush()
    }
}

/// The control plane's listener.
private struct ControlPlaneServer: Service, CustomStringConvertible {
    let configuration: ServerConfiguration
    let connections: ControlConnections
    let controlPlane: ControlPlane
    let logger: Logger
    let onListening: @Sendable (Int) -> Void
    let description = "control plane"

    func run() async throws {
        let host = configuration.controlHost
        let port = configuration.controlPort
        let listening = configuration.controlAddress
        let key = listening.key("CONTROL")
        try await listening.removeStaleSocket(host: host, port: port, key: key)
        let address: BindAddress =
            switch listening {
            case .network(let host, let port): .hostname(host, port: port)
            case .socket(let path): .unixDomainSocket(path: path)
            }
        // The framework logs its own cancellation as an error when another listener cannot start.
        var frameworkLogger = logger
        frameworkLogger.logLevel = .critical
        let settings = ControlConnectionSettings(
            maxBodyBytes: max(ControlPlane.maxBodyBytes, configuration.maxBodyBytes),
            idleTimeout: TimeAmount(configuration.idleTimeout),
            requestReadTimeout: TimeAmount(configuration.requestReadTimeout)
        )
        let application = Application(
            router: controlPlane.router(),
            server: HTTPServerBuilder { responder in
                ControlPlaneChannel(responder: responder, settings: settings, connections: connections)
            },
            configuration: ApplicationConfiguration(address: address),
            onServerRunning: { [logger] channel in
                let port = channel.localAddress?.port ?? port
                logger.info("control plane listens", metadata: ["http.host": "\(host)", "http.port": "\(port)"])
                // The framework's own line, which scripts of operators look for.
                logger.info("Server started and listening on \(listening.isNetwork ? "\(host):\(port)" : host)")
                onListening(port)
            },
            logger: frameworkLogger
        )
        do {
            try await application.run()
        } catch let error as IOError {
            throw ServerError(listeningOn: host, port: port, key: key, error)
        } catch let error as UnixDomainSocketPathWrongType {
            throw ServerError(listeningOn: host, port: port, key: key, error)
        }
    }
}
