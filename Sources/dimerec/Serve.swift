import ArgumentParser
import CheckpointStore
import Configuration
import Foundation
import HTTPAPI
import Kernels
import Logging
import ServiceLifecycle
import Serving
import SystemPackage
import Training
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer retrievals over HTTP from the store's active version.",
        discussion: """
            Settings come from flags, then from the environment (DIMEREC_HTTP_PORT and so on), then from the file that \
            --config names (JSON, {"httpPort": 8080}).
            """
    )

    @Option(help: "The store (SQLite).") var store: String?
    @Option(help: "Name in the store; its only model by default.") var model: String?
    @Option(help: "Port of the data plane (HTTP_PORT), 8080 by default.") var port: Int?
    @Option(help: "Port of the control plane (CONTROL_PORT), 8081 by default.") var controlPort: Int?
    @Option(help: "Settings file, JSON.", completion: .file()) var config: String?

    func run() async throws {
        let settings = try await Settings(flags: flags, file: config)
        let configuration = try settings.serverConfiguration()
        guard let path = settings.string("store") else {
            throw ValidationError("Name a store with --store or DIMEREC_STORE.")
        }
        LoggingSystem.bootstrap { label in
            if settings.string("logFormat") == "text" { return StreamLogHandler.standardError(label: label) }
            return JSONLogHandler(label: label)
        }
        var logger = Logger(label: "dimerec")
        logger.logLevel = settings.string("logLevel").flatMap(Logger.Level.init(rawValue:)) ?? .info
        // Opened for writing: the control plane records activations.
        guard FileManager.default.fileExists(atPath: path) else { throw CheckpointError.notFound(path: path) }
        let store = try CheckpointStore(path: path)
        let holder = RoutingHolder()
        let controllerConfiguration = settings.controllerConfiguration()
        let sampler = AnswerSampler(
            recallSample: controllerConfiguration.recallSample,
            limits: configuration.limits
        )
        let controller = ServingController(
            source: store,
            configuration: controllerConfiguration,
            holder: holder,
            builder: .standard(
                warmUpRequests: settings.int("warmupRequests") ?? 200,
                minRecall: controllerConfiguration.minRecall,
                keyBytes: try settings.guidanceKeyBytes()
            ),
            sampler: sampler,
            logger: logger
        )
        let server = try RetrievalServer(
            configuration: configuration,
            source: store,
            holder: holder,
            controller: controller,
            sampler: sampler,
            build: BuildDescription(
                name: "dimerec",
                version: Build.version,
                platform: "\(CPU.kernelLevel), \(BLAS.coreName)"
            ),
            logger: logger
        )
        var services = ServiceGroupConfiguration(
            services: [server],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        // Beyond grace and drain nothing is waited for.
        services.maximumGracefulShutdownDuration =
            configuration.drainGrace + configuration.drainTimeout + .seconds(1)
        try await ServiceGroup(configuration: services).run()
    }

    private var flags: [AbsoluteConfigKey: ConfigValue] {
        var flags: [AbsoluteConfigKey: ConfigValue] = [:]
        if let store { flags["store"] = .init(.string(store), isSecret: false) }
        if let model { flags["model"] = .init(.string(model), isSecret: false) }
        if let port { flags["httpPort"] = .init(.int(port), isSecret: false) }
        if let controlPort { flags["controlPort"] = .init(.int(controlPort), isSecret: false) }
        return flags
    }
}

/// Settings by name, from flags, the environment and a file, in that order.
struct Settings {
    private let reader: ConfigReader

    init(flags: [AbsoluteConfigKey: ConfigValue], file: String?) async throws {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "flags", values: flags),
            EnvironmentVariablesProvider().prefixKeys(with: "dimerec"),
        ]
        if let file { providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(file))) }
        reader = ConfigReader(providers: providers)
    }

    func string(_ key: ConfigKey) -> String? { reader.string(forKey: key) }

    func int(_ key: ConfigKey) -> Int? { reader.int(forKey: key) }

    /// GUIDANCE_KEYS_MB in bytes.
    func guidanceKeyBytes() throws -> Int {
        let megabytes = int("guidanceKeysMb") ?? 256
        guard 0...1 << 20 ~= megabytes else {
            throw ValidationError("GUIDANCE_KEYS_MB is \(megabytes); it must be 0 to \(1 << 20).")
        }
        return megabytes << 20
    }

    /// What is served.
    func controllerConfiguration() -> ControllerConfiguration {
        var controller = ControllerConfiguration()
        controller.models = (string("model") ?? "").split(separator: ",").map(String.init)
        if let milliseconds = int("pollIntervalMs") { controller.pollInterval = .milliseconds(milliseconds) }
        controller.keepVersions = int("keepVersions") ?? controller.keepVersions
        controller.retainVersions = int("retainVersions") ?? controller.retainVersions
        controller.importFolder = string("importFolder")
        controller.recallSample = int("recallSample") ?? controller.recallSample
        return controller
    }

    /// The settings of both listeners; what is not given keeps its default.
    func serverConfiguration() throws -> ServerConfiguration {
        var server = ServerConfiguration()
        server.httpHost = string("httpHost") ?? server.httpHost
        server.httpPort = int("httpPort") ?? server.httpPort
        server.controlHost = string("controlHost") ?? server.controlHost
        server.controlPort = int("controlPort") ?? server.controlPort
        server.serveThreads = int("serveThreads") ?? server.serveThreads
        server.workerThreads = int("workerThreads") ?? server.workerThreads
        server.maxInflight = int("maxInflight") ?? server.maxInflight
        server.maxConnections = int("maxConnections") ?? server.maxConnections
        server.maxBodyBytes = int("maxBodyBytes") ?? server.maxBodyBytes
        server.limits.maxK = int("maxK") ?? server.limits.maxK
        server.limits.maxHistory = int("maxHistory") ?? server.limits.maxHistory
        server.limits.maxBatch = int("maxBatch") ?? server.limits.maxBatch
        if let milliseconds = int("queueDelayMs") { server.queueDelay = .milliseconds(milliseconds) }
        if let milliseconds = int("deadlineMs") { server.deadline = .milliseconds(milliseconds) }
        if let seconds = int("idleTimeoutS") { server.idleTimeout = .seconds(seconds) }
        if let milliseconds = int("requestReadTimeoutMs") { server.requestReadTimeout = .milliseconds(milliseconds) }
        if let seconds = int("drainGraceS") { server.drainGrace = .seconds(seconds) }
        if let seconds = int("drainTimeoutS") { server.drainTimeout = .seconds(seconds) }
        if let path = string("controlTokenFile") {
            guard let token = FileManager.default.contents(atPath: path) else {
                throw ValidationError("CONTROL_TOKEN_FILE '\(path)' cannot be read.")
            }
            server.controlToken = String(decoding: token, as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return server
    }
}
