import NIOCore
public import Serving

/// The settings of the two listeners.
///
/// Messages use the setting names of the configuration.
public struct ServerConfiguration: Sendable, Equatable {
    /// HTTP_HOST: the data plane's address, or `unix:` and the path of a socket.
    public var httpHost = "127.0.0.1"
    /// HTTP_PORT: the data plane's port; 0 lets the system choose.
    public var httpPort = 8080
    /// CONTROL_HOST: the control plane's address, or `unix:` and the path of a socket.
    public var controlHost = "127.0.0.1"
    /// CONTROL_PORT: the control plane's port; 0 lets the system choose.
    public var controlPort = 8081
    /// The bearer token for writes, read from CONTROL_TOKEN_FILE.
    ///
    /// With nil, any program on this machine may write.
    public var controlToken: String?
    /// SERVE_THREADS: event loops of the data plane.
    public var serveThreads = 1
    /// WORKER_THREADS: threads for requests that are too heavy for an event loop.
    ///
    /// Nil is one thread for each core without an event loop, at least one.
    public var workerThreads: Int?
    /// MAX_INFLIGHT: the most requests that may be queued or in progress at the worker threads.
    ///
    /// It is also how many requests of one batch of events an event loop answers before it may refuse the rest.
    public var maxInflight = 512
    /// QUEUE_DELAY_MS: how long a request may wait before the service may refuse it.
    public var queueDelay: Duration = .milliseconds(20)
    /// DEADLINE_MS: the deadline of a request, unless its X-Deadline-Ms is shorter; zero is none.
    public var deadline: Duration = .zero
    /// MAX_CONNECTIONS: the most open connections of the data plane.
    public var maxConnections = 10_000
    /// CONTROL_MAX_CONNECTIONS: the most open connections of the control plane.
    public var controlMaxConnections = 256
    /// MAX_BODY_BYTES: the largest request body.
    public var maxBodyBytes = 262_144
    /// MAX_K, MAX_HISTORY and MAX_BATCH.
    public var limits = RetrievalLimits()
    /// TRACE_FILE: the file to which spans of sampled requests are appended; nil writes none.
    public var traceFile: String?
    /// TRACE_SAMPLE: starts a sampled trace for one in this many requests without a trace; 0 starts none.
    public var traceSample = 0
    /// SLOW_REQUEST_MS: requests that take at least this long are logged as warnings; zero logs none.
    public var slowRequest: Duration = .zero
    /// IDLE_TIMEOUT_S: how long a connection may be idle.
    public var idleTimeout: Duration = .seconds(60)
    /// REQUEST_READ_TIMEOUT_MS: how long a request may take to arrive.
    public var requestReadTimeout: Duration = .milliseconds(2000)
    /// DRAIN_GRACE_S: how long the server reports "not ready" before it stops accepting connections.
    public var drainGrace: Duration = .zero
    /// DRAIN_TIMEOUT_S: how long open connections then have to finish.
    public var drainTimeout: Duration = .seconds(10)

    /// The defaults.
    public init() {}

    /// Checks every value against its range in ``Setting/all``.
    ///
    /// - Throws: ``ServerError/invalidConfiguration(key:message:)`` or ``ServerError/openControlPlane(host:)``.
    public func validate() throws(ServerError) {
        var service = ServiceConfiguration()
        service.server = self
        for setting in Setting.all where !setting.isValid(service) {
            let message = "is \(setting.shown(setting.text(service))); it must be \(setting.requirement)"
            throw .invalidConfiguration(key: setting.name, message: message)
        }
        for (key, host, address) in [
            ("HTTP_HOST", httpHost, httpAddress), ("CONTROL_HOST", controlHost, controlAddress),
        ] {
            if let fault = address.fault { throw .invalidConfiguration(key: key, message: "is \(host); \(fault)") }
        }
        if let controlToken {
            guard controlToken.utf8.count >= 16 else {
                throw .invalidConfiguration(key: "CONTROL_TOKEN_FILE", message: "holds a token of less than 16 bytes")
            }
        } else if case .network(let host, _) = controlAddress, !Self.isLoopback(host) {
            throw .openControlPlane(host: controlHost)
        }
    }

    var httpAddress: ListeningAddress { ListeningAddress(host: httpHost, port: httpPort) }
    var controlAddress: ListeningAddress { ListeningAddress(host: controlHost, port: controlPort) }

    /// The number of worker threads.
    var effectiveWorkerThreads: Int {
        workerThreads ?? max(1, System.coreCount - serveThreads)
    }

    static func isLoopback(_ name: String) -> Bool {
        // A name may end with the dot of the root.
        let host = (name.count > 1 && name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased()
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isIPv4Loopback = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return host == "localhost" || host == "::1" || isIPv4Loopback
    }
}

/// Why the server did not start.
public enum ServerError: Error, Equatable, CustomStringConvertible {
    /// A setting is out of its range.
    case invalidConfiguration(key: String, message: String)
    /// The control plane is open to other machines without a token.
    case openControlPlane(host: String)
    /// Another process listens on the port.
    case portInUse(host: String, port: Int, key: String)
    /// The server cannot listen on the address.
    case cannotListen(host: String, port: Int, key: String, reason: String)
    /// The process may open too few files for a service.
    case tooFewDescriptors(limit: Int)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .invalidConfiguration(let key, let message):
            "\(key) \(message)."
        case .openControlPlane(let host):
            "CONTROL_HOST is \(host), which other machines can reach, and there is no token; set CONTROL_TOKEN_FILE to a file"
                + " with a secret, or CONTROL_HOST to 127.0.0.1."
        case .portInUse(let host, _, let key) where host.hasPrefix("unix:"):
            "Another process listens on \(host); stop it (`ss -xlp` names it) or set \(key) to another path."
        case .portInUse(let host, let port, let key):
            "Port \(port) on \(host) is in use by another process; stop it (`ss -ltnp 'sport = :\(port)'` names it) or"
                + " set \(key) to a free port."
        case .tooFewDescriptors(let limit):
            "The process may open \(limit) files; a service needs at least \(DescriptorBudget.least). Raise the limit"
                + " (`ulimit -n`)."
        case .cannotListen(let host, _, let key, let reason) where host.hasPrefix("unix:"):
            "Cannot listen on \(host) (\(reason)); check \(key), and that the folder exists and may be written."
        case .cannotListen(let host, let port, let key, let reason):
            "Cannot listen on \(host) port \(port) (\(reason)); check \(key) and the host setting beside it."
        }
    }
}
