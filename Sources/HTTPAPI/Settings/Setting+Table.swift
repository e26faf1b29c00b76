import Serving

extension Setting {
    /// A group of related settings.
    package struct Section: Sendable {
        /// The heading of the group.
        package let title: String
        /// The settings, in the order of the reference.
        package let settings: [Setting]
    }

    /// Every setting, each once.
    package static let all = sections.flatMap(\.settings)

    /// The setting of a name, which must exist.
    package static func named(_ name: String) -> Setting {
        guard let setting = all.first(where: { $0.name == name }) else {
            preconditionFailure("there is no setting \(name)")
        }
        return setting
    }

    /// All settings, by group.
    package static let sections = [
        Section(title: "Models and versions", settings: models),
        Section(title: "Listeners and connections", settings: listeners),
        Section(title: "Requests and overload", settings: requests),
        Section(title: "Search in PostgreSQL", settings: search),
        Section(title: "The program", settings: program),
    ]

    private static let models: [Setting] = [
        .optionalText("STORE", \.store, flag: "--store", "The store (SQLite) of the versions to serve. Required."),
        .list(
            "MODEL",
            \.controller.models,
            flag: "--model",
            "The models or aliases to serve, separated by commas; a request that names none gets the first. By"
                + " default every model of the store; if there are several, a request must then name one."
        ),
        .duration(
            "POLL_INTERVAL_MS",
            \.controller.pollInterval,
            10...86_400_000,
            in: .milliseconds,
            "How often the service checks the store for changes."
        ),
        .integer(
            "KEEP_VERSIONS",
            \.controller.keepVersions,
            1...1000,
            "How many versions of a model stay in memory, including the active one. A rollback to one of them is"
                + " immediate."
        ),
        .optionalText(
            "IMPORT_FOLDER",
            \.controller.importFolder,
            "A folder of exported versions to publish. Move files into it by a rename."
        ),
        .optionalAddress(
            "CHECKPOINT_URL",
            \.checkpointURL,
            "The index document of a store of checkpoints, which `dimerec models publish` writes. The service downloads"
                + " and activates the versions that it names."
        ),
        .duration(
            "CHECKPOINT_POLL_S",
            \.checkpointPoll,
            1...86_400,
            in: .seconds,
            "How often the service asks for the index document of CHECKPOINT_URL."
        ),
        .duration(
            "CHECKPOINT_SPREAD_S",
            \.checkpointSpread,
            0...86_400,
            in: .seconds,
            "Replicas download a new version at different times within this time; the time of a replica follows from"
                + " its name."
        ),
        .optionalText(
            "REPLICA_NAME",
            \.replicaName,
            "This replica's name among all that use CHECKPOINT_URL. By default the host's name and HTTP_PORT, such as"
                + " shop-1:8080."
        ),
        .integer(
            "RETAIN_VERSIONS",
            \.controller.retainVersions,
            0...1_000_000,
            "How many versions of a model the store keeps after an import, besides those in use. 0 keeps all."
        ),
        .decimal(
            "MIN_RECALL",
            \.controller.minRecall,
            0...1,
            "The lowest recall of a version's index, against exact search, at which the version may serve."
        ),
        .integer(
            "RECALL_SAMPLE",
            \.controller.recallSample,
            0...1_000_000_000,
            "Samples one in this many retrievals for the recall estimate: exact search answers it again, off the"
                + " event loops. 0 samples none."
        ),
        .integer(
            "WARMUP_REQUESTS",
            \.warmUpRequests,
            1...1_000_000,
            "How many synthetic requests a version answers before it goes into service."
        ),
        .integer(
            "GUIDANCE_KEYS_MB",
            \.guidanceKeysMB,
            0...1 << 20,
            unit: "MiB",
            "Memory for a version's attention keys; they take 1 KiB an item. For a larger catalogue the service"
                + " computes the keys for each history. The answers stay the same, but guidance takes three times as"
                + " long."
        ),
    ]

    private static let listeners: [Setting] = [
        .text(
            "HTTP_HOST",
            \.server.httpHost,
            "The address on which the data plane listens: IPv4, IPv6, a name, or `unix:` and the absolute path of a"
                + " Unix socket, which needs no port."
        ),
        .integer(
            "HTTP_PORT",
            \.server.httpPort,
            0...65_535,
            flag: "--port",
            "The data plane's port. 0 lets the system choose."
        ),
        .text(
            "CONTROL_HOST",
            \.server.controlHost,
            "The address on which the control plane listens, in the same forms. An address that other machines can reach requires"
                + " CONTROL_TOKEN_FILE."
        ),
        .integer(
            "CONTROL_PORT",
            \.server.controlPort,
            0...65_535,
            flag: "--control-port",
            "The control plane's port. 0 lets the system choose."
        ),
        .optionalText(
            "CONTROL_TOKEN_FILE",
            \.controlTokenFile,
            "A file with the bearer token for changes, at least 16 bytes. Surrounding white space does not count."
                + " The token itself is never a setting and is never printed."
        ),
        .integer(
            "MAX_CONNECTIONS",
            \.server.maxConnections,
            1...10_000_000,
            "The most open connections of the data plane."
        ),
        .integer(
            "CONTROL_MAX_CONNECTIONS",
            \.server.controlMaxConnections,
            1...100_000,
            "The most open connections of the control plane. A further connection closes the one that has been"
                + " idle longest."
        ),
        .integer("MAX_BODY_BYTES", \.server.maxBodyBytes, 1024...1 << 30, unit: "bytes", "The largest request body."),
        .duration(
            "IDLE_TIMEOUT_S",
            \.server.idleTimeout,
            1...86_400,
            in: .seconds,
            "How long a connection may be idle."
        ),
        .duration(
            "REQUEST_READ_TIMEOUT_MS",
            \.server.requestReadTimeout,
            1...3_600_000,
            in: .milliseconds,
            "How long a request may take to arrive."
        ),
        .duration(
            "DRAIN_GRACE_S",
            \.server.drainGrace,
            0...86_400,
            in: .seconds,
            "After SIGTERM, how long the service keeps answering while it reports \"not ready\"."
        ),
        .duration(
            "DRAIN_TIMEOUT_S",
            \.server.drainTimeout,
            0...86_400,
            in: .seconds,
            "After the grace period, how long open connections may take to finish."
        ),
    ]

    private static let requests: [Setting] = [
        .integer("MAX_K", \.server.limits.maxK, 1...1_000_000, "The most items that a request may ask for."),
        .integer(
            "MAX_HISTORY",
            \.server.limits.maxHistory,
            1...1_000_000,
            "The longest history. Of a longer one the service uses the newest ids."
        ),
        .integer("MAX_BATCH", \.server.limits.maxBatch, 1...10_000, "The most requests in one batch."),
        .integer("SERVE_THREADS", \.server.serveThreads, 1...1024, "Event loops of the data plane."),
        .optionalInteger(
            "WORKER_THREADS",
            \.server.workerThreads,
            1...1024,
            "Threads for requests that are too heavy for an event loop. By default the cores that SERVE_THREADS"
                + " leaves, at least one."
        ),
        .integer(
            "MAX_INFLIGHT",
            \.server.maxInflight,
            1...1_000_000,
            "The most requests that may be queued or in progress at the worker threads. Also how many requests of"
                + " one batch of socket events an event loop answers before it may refuse the rest."
        ),
        .duration(
            "QUEUE_DELAY_MS",
            \.server.queueDelay,
            1...3_600_000,
            in: .milliseconds,
            "How long a request may wait before the service may refuse it."
        ),
        .duration(
            "DEADLINE_MS",
            \.server.deadline,
            0...3_600_000,
            in: .milliseconds,
            "The deadline of a request, unless its X-Deadline-Ms is shorter. 0 is none."
        ),
    ]

    private static let search: [Setting] = [
        .servers(
            "SEARCH",
            \.search.servers,
            "The PostgreSQL servers that find items instead of the index in the process, in the order in which"
                + " `dimerec models publish-search` got them. Each holds a share of the items. By default none."
        ),
        .choice(
            "SEARCH_PARTIAL",
            \.search.partial,
            "The answer while a server of SEARCH is missing: 503, or the items of the others with `partial`."
        ),
        .duration(
            "SEARCH_TIMEOUT_MS",
            \.search.timeout,
            1...3_600_000,
            in: .milliseconds,
            "How long the searches of one answer may take together. A server that is later counts as missing."
        ),
        .integer(
            "SEARCH_CONNECTIONS",
            \.search.connections,
            1...1024,
            "How many answers search at once, each with a connection to every server. With SEARCH this is the default"
                + " of WORKER_THREADS."
        ),
        .optionalInteger(
            "SEARCH_EF",
            \.search.effort,
            1...32_768,
            "The effort of a search without `ef`: `hnsw.ef_search` or `ivfflat.probes`, as the version was published."
                + " By default the effort of the publication."
        ),
    ]

    private static let program: [Setting] = [
        .optionalText(
            "CONFIG",
            \.configFile,
            flag: "--config",
            "The settings file. The file itself cannot contain this setting."
        ),
        .choice("LOG_LEVEL", \.logLevel, "The lowest level that is logged."),
        .choice("LOG_FORMAT", \.logFormat, "The format of a log line: a JSON object or text."),
        .duration(
            "SLOW_REQUEST_MS",
            \.server.slowRequest,
            0...3_600_000,
            in: .milliseconds,
            "Requests that take at least this long are logged as warnings. 0 logs none."
        ),
        .optionalText(
            "TRACE_FILE",
            \.server.traceFile,
            "The file to which spans of sampled requests are appended, one JSON object a line. By default none."
        ),
        .integer(
            "TRACE_SAMPLE",
            \.server.traceSample,
            0...1_000_000_000,
            "Starts a sampled trace for one in this many requests without a trace. 0 starts none."
        ),
    ]
}
