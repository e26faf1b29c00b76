import NIOCore
public import Serving

/// Everything about the two listeners that an operator may set; the names in messages are those of the configuration.
public struct ServerConfiguration: Sendable, Equatable {
    /// HTTP_HOST: where the data plane listens.
    public var httpHost = "127.0.0.1"
    /// HTTP_PORT: the data plane's port; 0 lets the system choose.
    public var httpPort = 8080
    /// CONTROL_HOST: where the control plane listens.
    public var controlHost = "127.0.0.1"
    /// CONTROL_PORT: the control plane's port; 0 lets the system choose.
    public var controlPort = 8081
    /// The bearer token that writes need, read from CONTROL_TOKEN_FILE; nil leaves them open to this machine.
    public var controlToken: String?
    /// SERVE_THREADS: event loops of the data plane.
    public var serveThreads = 1
    /// WORKER_THREADS: threads for what is too heavy for an event loop; nil is one for each core that no event loop has, at
    /// least one.
    public var workerThreads: Int?
    /// MAX_INFLIGHT: how many requests may be queued or under way at the worker threads, and how many of those that are
    /// readable at once an event loop answers before it may refuse others.
    public var maxInflight = 512
    /// QUEUE_DELAY_MS: how long a request may wait for its turn before it may be refused.
    public var queueDelay: Duration = .milliseconds(20)
    /// DEADLINE_MS: how long an answer is waited for unless the request's X-Deadline-Ms is shorter; zero is for ever.
    public var deadline: Duration = .zero
    /// MAX_CONNECTIONS: connections of the data plane at one time.
    public var maxConnections = 10_000
    /// CONTROL_MAX_CONNECTIONS: connections of the control plane at one time.
    public var controlMaxConnections = 256
    /// MAX_BODY_BYTES: the largest request body.
    public var maxBodyBytes = 262_144
    /// MAX_K, MAX_HISTORY and MAX_BATCH.
    public var limits = RetrievalLimits()
    /// TRACE_FILE: where the spans of sampled requests are appended; nil is nowhere.
    public var traceFile: String?
    /// TRACE_SAMPLE: one in so many requests that continue no trace begins a sampled one; 0 is none.
    public var traceSample = 0
    /// SLOW_REQUEST_MS: requests that take so long are logged as warnings; zero is none.
    public var slowRequest: Duration = .zero
    /// IDLE_TIMEOUT_S: how long a connection may do nothing.
    public var idleTimeout: Duration = .seconds(60)
    /// REQUEST_READ_TIMEOUT_MS: how long a request may take to arrive.
    public var requestReadTimeout: Duration = .milliseconds(2000)
    /// DRAIN_GRACE_S: how long to answer "not ready" before no connection is accepted any more.
    public var drainGrace: Duration = .zero
    /// DRAIN_TIMEOUT_S: how long open connections may take to end.
    public var drainTimeout: Duration = .seconds(10)

    /// The defaults.
    public init() {}

    /// Checks every value against the range that ``Setting/all`` gives it.
    ///
    /// - Throws: ``ServerError/invalidConfiguration(key:message:)`` or ``ServerError/openControlPlane(host:)``.
    public func validate() throws(ServerError) {
        var service = ServiceConfiguration()
        service.server = self
        for setting in Setting.all where !setting.isValid(service) {
            let message = "is \(setting.text(service)); it must be \(setting.requirement)"
            throw .invalidConfiguration(key: setting.name, message: message)
        }
        if let controlToken {
            guard controlToken.utf8.count >= 16 else {
                throw .invalidConfiguration(key: "CONTROL_TOKEN_FILE", message: "holds a token of less than 16 bytes")
            }
        } else if !Self.isLoopback(controlHost) {
            throw .openControlPlane(host: controlHost)
        }
    }

    /// How many worker threads there are.
    var effectiveWorkerThreads: Int {
        workerThreads ?? max(1, System.coreCount - serveThreads)
    }

    static func isLoopback(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isIPv4Loopback = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return host == "localhost" || host == "::1" || isIPv4Loopback
    }
}

/// Why the server did not start.
public enum ServerError: Error, Equatable, CustomStringConvertible {
    /// A setting is out of its range.
    case invalidConfiguration(key: String, message: String)
    /// Other machines could change what is served.
    case openControlPlane(host: String)
    /// Another process listens there.
    case portInUse(host: String, port: Int, key: String)
    /// The address cannot be listened on.
    case cannotListen(host: String, port: Int, key: String, reason: String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .invalidConfiguration(let key, let message):
            "\(key) \(message)."
        case .openControlPlane(let host):
            "CONTROL_HOST is \(host), which other machines reach, and there is no token; set CONTROL_TOKEN_FILE to a file"
                + " with a secret, or CONTROL_HOST to 127.0.0.1."
        case .portInUse(let host, let port, let key):
            "Port \(port) on \(host) is in use by another process; stop it (`ss -ltnp 'sport = :\(port)'` names it) or"
                + " set \(key) to a free port."
        case .cannotListen(let host, let port, let key, let reason):
            "Cannot listen on \(host) port \(port) (\(reason)); check \(key) and the host setting beside it."
        }
    }
}
