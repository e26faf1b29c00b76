import ArgumentParser
import CheckpointStore
import Fleet
import Foundation
import HTTPAPI
import Kernels
import Logging
import ServiceLifecycle
import Serving
import ShardedSearch
import SystemPackage
import Training

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer retrievals over HTTP from the store's active version.",
        discussion: """
            Settings come from the command line, then from the environment (DIMEREC_HTTP_PORT and so on), then from the \
            file of --config (JSON, {"httpPort": 8080}). `dimerec settings` lists all settings. SIGTERM stops gracefully, \
            a second one at once. SIGHUP makes the service check the store for changes and read the token file \
            again.
            """
    )

    @Option(help: ArgumentHelp(setting: "STORE")) var store: String?
    @Option(help: ArgumentHelp(setting: "MODEL")) var model: String?
    @Option(help: ArgumentHelp(setting: "HTTP_PORT")) var port: String?
    @Option(help: ArgumentHelp(setting: "CONTROL_PORT")) var controlPort: String?
    @Option(help: ArgumentHelp(setting: "CONFIG"), completion: .file()) var config: String?
    @Option(help: ArgumentHelp("Any setting; may be repeated.", valueName: "name=value")) var set: [String] = []

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let configuration = try ServiceConfiguration(commandLine: flags, assignments: set, environment: environment)
        let log = LogSink(descriptor: .standardError)
        defer { log.flush(within: 1000) }
        LoggingSystem.bootstrap { LineLogHandler(label: $0, format: configuration.logFormat, sink: log) }
        var logger = Logger(label: "dimerec")
        logger.logLevel = configuration.logLevel
        for variable in SettingSource.unknownVariables(in: environment) {
            logger.warning("the environment has a variable that is no setting", metadata: ["variable": "\(variable)"])
        }
        let (members, store, reload) = try Self.services(configuration, log: log, logger: logger)
        var services = ServiceGroupConfiguration(services: members, logger: logger)
        // After the grace and drain periods the process does not wait any longer.
        services.maximumGracefulShutdownDuration =
            configuration.server.drainGrace + configuration.server.drainTimeout + .seconds(1)
        let group = ServiceGroup(configuration: services)
        let signals = ServeSignals(
            stop: {
                store.stopWaitingForLocks()
                Task { await group.triggerGracefulShutdown() }
            },
            reload: reload,
            abandon: { log.flush(within: 100) }
        )
        try await group.run()
        withExtendedLifetime(signals) {}
    }

    /// The services over the store, and a function that makes them check the store for changes.
    private static func services(
        _ configuration: ServiceConfiguration,
        log: LogSink,
        logger: Logger
    ) throws -> (members: [any Service], store: CheckpointStore, reload: @Sendable () -> Void) {
        guard let path = configuration.store else { throw SettingError.missing(.named("STORE")) }
        // The store is opened for writing because the control plane records activations.
        // A replica that pulls its versions may begin without any.
        guard configuration.checkpointURL != nil || FileManager.default.fileExists(atPath: path) else {
            throw CheckpointError.notFound(path: path)
        }
        let store = try CheckpointStore(path: path)
        let holder = RoutingHolder()
        let sampler = AnswerSampler(
            recallSample: configuration.controller.recallSample,
            limits: configuration.server.limits
        )
        let controller = ServingController(
            source: store,
            configuration: configuration.controller,
            holder: holder,
            builder: .standard(
                warmUpRequests: configuration.warmUpRequests,
                minRecall: configuration.controller.minRecall,
                search: try search(configuration.search, logger: logger),
                keyBytes: configuration.guidanceKeysMB << 20
            ),
            sampler: sampler,
            logger: logger
        )
        var listeners = configuration.server
        // A worker thread waits while it searches outside of the process.
        if !configuration.search.servers.isEmpty, listeners.workerThreads == nil {
            listeners.workerThreads = configuration.search.connections
        }
        let server = try RetrievalServer(
            configuration: listeners,
            source: store,
            holder: holder,
            controller: controller,
            sampler: sampler,
            build: BuildDescription(
                name: "dimerec",
                version: Build.version,
                platform: "\(CPU.kernelLevel), \(BLAS.coreName)"
            ),
            droppedLogLines: { log.dropped },
            logger: logger
        )
        let reload: @Sendable () -> Void = {
            controller.reload()
            guard let file = configuration.controlTokenFile else { return }
            do {
                try server.replaceControlToken(by: ServiceConfiguration.token(in: file))
                logger.info("control token read again")
            } catch {
                logger.error("control token not read; the old one stays", metadata: ["error": "\(error)"])
            }
        }
        // Services stop from the last to the first.
        let puller = puller(configuration, store: path, controller: controller, logger: logger)
        return ((puller.map { [$0] } ?? []) + [server], store, reload)
    }

    /// Searches in PostgreSQL if SEARCH is set.
    private static func search(_ configuration: SearchConfiguration, logger: Logger) throws -> ShardedSearch? {
        guard !configuration.servers.isEmpty else { return nil }
        var options = ShardedSearch.Options()
        options.timeout = configuration.timeout
        options.allowsPartial = configuration.partial == .allow
        options.effort = configuration.effort
        return try ShardedSearch(in: configuration.servers, options: options, logger: logger)
    }

    /// Pulls versions if CHECKPOINT_URL is set.
    private static func puller(
        _ configuration: ServiceConfiguration,
        store: String,
        controller: ServingController,
        logger: Logger
    ) -> CheckpointPuller? {
        guard let index = configuration.checkpointURL.flatMap({ URLComponents(string: $0) }) else { return nil }
        let process = ProcessInfo.processInfo
        return CheckpointPuller(
            configuration: CheckpointPuller.Configuration(
                index: index,
                store: store,
                models: configuration.controller.models,
                replica: Replica(
                    name: configuration.replicaName ?? "\(process.hostName):\(configuration.server.httpPort)"
                ),
                poll: configuration.checkpointPoll,
                spread: configuration.checkpointSpread
            ),
            controller: controller,
            client: StoreClient(signature: RequestSignature(environment: process.environment)),
            logger: logger
        )
    }

    private var flags: [String: String] {
        let given = ["STORE": store, "MODEL": model, "HTTP_PORT": port, "CONTROL_PORT": controlPort, "CONFIG": config]
        return given.compactMapValues { $0 }
    }
}
