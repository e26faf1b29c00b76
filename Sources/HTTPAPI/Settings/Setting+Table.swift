import Serving

extension Setting {
    /// Settings that belong together.
    package struct Section: Sendable {
        /// What they are about.
        package let title: String
        /// In the order in which they are explained.
        package let settings: [Setting]
    }

    /// Every setting, once.
    package static let all = sections.flatMap(\.settings)

    /// A setting by its name, which must be one.
    package static func named(_ name: String) -> Setting {
        guard let setting = all.first(where: { $0.name == name }) else {
            preconditionFailure("there is no setting \(name)")
        }
        return setting
    }

    /// Every setting, by what it is about.
    package static let sections = [
        Section(title: "Models and versions", settings: models),
        Section(title: "Listeners and connections", settings: listeners),
        Section(title: "Requests and overload", settings: requests),
        Section(title: "The program", settings: program),
    ]

    private static let models: [Setting] = [
        .optionalText("STORE", \.store, flag: "--store", "The store (SQLite) whose versions are served; required."),
        .list(
            "MODEL",
            \.controller.models,
            flag: "--model",
            "The models or aliases to serve, separated by commas; requests that name none get the first. By default every"
                + " model of the store."
        ),
        .duration(
            "POLL_INTERVAL_MS",
            \.controller.pollInterval,
            10...86_400_000,
            in: .milliseconds,
            "How often the store is asked what is to be served."
        ),
        .integer(
            "KEEP_VERSIONS",
            \.controller.keepVersions,
            1...1000,
            "How many versions of a model stay in memory, the active one included, so that a rollback is instant."
        ),
        .optionalText(
            "IMPORT_FOLDER",
            \.controller.importFolder,
            "A folder where exported versions are dropped, by a rename, to be published."
        ),
        .integer(
            "RETAIN_VERSIONS",
            \.controller.retainVersions,
            0...1_000_000,
            "How many versions of a model the store keeps after an import, besides those in use; 0 keeps all."
        ),
        .decimal(
            "MIN_RECALL",
            \.controller.minRecall,
            0...1,
            "The least share of a version's exact answers that its index must find before the version may serve."
        ),
        .integer(
            "RECALL_SAMPLE",
            \.controller.recallSample,
            0...1_000_000_000,
            "One in so many retrievals is answered again exactly, off the event loops, to estimate recall; 0 is none."
        ),
        .integer(
            "WARMUP_REQUESTS",
            \.warmUpRequests,
            1...1_000_000,
            "How many made-up requests a version answers before it serves."
        ),
        .integer(
            "GUIDANCE_KEYS_MB",
            \.guidanceKeysMB,
            0...1 << 20,
            unit: "MiB",
            "Memory for the attention keys of a version, 1 KiB an item; a larger catalogue computes them for each history,"
                + " with the same answers and three times the time of guidance."
        ),
    ]

    private static let listeners: [Setting] = [
        .text("HTTP_HOST", \.server.httpHost, "Where the data plane listens."),
        .integer(
            "HTTP_PORT",
            \.server.httpPort,
            0...65_535,
            flag: "--port",
            "The data plane's port; 0 lets the system choose."
        ),
        .text(
            "CONTROL_HOST",
            \.server.controlHost,
            "Where the control plane listens; an address that other machines reach needs CONTROL_TOKEN_FILE."
        ),
        .integer(
            "CONTROL_PORT",
            \.server.controlPort,
            0...65_535,
            flag: "--control-port",
            "The control plane's port; 0 lets the system choose."
        ),
        .optionalText(
            "CONTROL_TOKEN_FILE",
            \.controlTokenFile,
            "A file that holds the bearer token which changes need, at least 16 bytes; white space around it does not"
                + " count. The token itself is never a setting and is never printed."
        ),
        .integer(
            "MAX_CONNECTIONS",
            \.server.maxConnections,
            1...10_000_000,
            "Connections of the data plane at one time."
        ),
        .integer(
            "CONTROL_MAX_CONNECTIONS",
            \.server.controlMaxConnections,
            1...100_000,
            "Connections of the control plane at one time; beyond them the one that is idle for longest is closed."
        ),
        .integer("MAX_BODY_BYTES", \.server.maxBodyBytes, 1024...1 << 30, unit: "bytes", "The largest request body."),
        .duration(
            "IDLE_TIMEOUT_S",
            \.server.idleTimeout,
            1...86_400,
            in: .seconds,
            "How long a connection may do nothing."
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
            "After SIGTERM, how long to go on answering while saying \"not ready\"."
        ),
        .duration(
            "DRAIN_TIMEOUT_S",
            \.server.drainTimeout,
            0...86_400,
            in: .seconds,
            "After that, how long open connections may take to end."
        ),
    ]

    private static let requests: [Setting] = [
        .integer("MAX_K", \.server.limits.maxK, 1...1_000_000, "The most items that a request may ask for."),
        .integer(
            "MAX_HISTORY",
            \.server.limits.maxHistory,
            1...1_000_000,
            "The longest history; of a longer one the newest ids count."
        ),
        .integer("MAX_BATCH", \.server.limits.maxBatch, 1...10_000, "The most requests in one batch."),
        .integer("SERVE_THREADS", \.server.serveThreads, 1...1024, "Event loops of the data plane."),
        .optionalInteger(
            "WORKER_THREADS",
            \.server.workerThreads,
            1...1024,
            "Threads for what is too heavy for an event loop; by default the cores that SERVE_THREADS leaves, at least one."
        ),
        .integer(
            "MAX_INFLIGHT",
            \.server.maxInflight,
            1...1_000_000,
            "How many requests may be at the worker threads, and how many of those that are readable at once an event loop"
                + " answers before it may refuse others."
        ),
        .duration(
            "QUEUE_DELAY_MS",
            \.server.queueDelay,
            1...3_600_000,
            in: .milliseconds,
            "How long a request may wait for its turn before it may be refused."
        ),
        .duration(
            "DEADLINE_MS",
            \.server.deadline,
            0...3_600_000,
            in: .milliseconds,
            "How long an answer is waited for unless the request's X-Deadline-Ms is shorter; 0 is for ever."
        ),
    ]

    private static let program: [Setting] = [
        .optionalText("CONFIG", \.configFile, flag: "--config", "The settings file; not in the file itself."),
        .choice("LOG_LEVEL", \.logLevel, "The least severe level that is logged."),
        .choice("LOG_FORMAT", \.logFormat, "How a line of the log is written: as a JSON object, or as text."),
        .duration(
            "SLOW_REQUEST_MS",
            \.server.slowRequest,
            0...3_600_000,
            in: .milliseconds,
            "From which time on a request is logged as a warning; 0 is none."
        ),
        .optionalText(
            "TRACE_FILE",
            \.server.traceFile,
            "Where the spans of sampled requests are appended, a JSON object a line; by default nowhere."
        ),
        .integer(
            "TRACE_SAMPLE",
            \.server.traceSample,
            0...1_000_000_000,
            "One in so many requests that continue no trace begins a sampled one; 0 is none."
        ),
    ]
}
