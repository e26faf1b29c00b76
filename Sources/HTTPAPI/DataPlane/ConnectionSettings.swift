import NIOCore

/// The settings that all connections of the data plane share.
struct ConnectionSettings: Sendable {
    let status: ServerStatus
    let maxBodyBytes: Int
    /// The deadline of a request without X-Deadline-Ms; nil is none.
    let deadline: TimeAmount?
    /// Starts a sampled trace for one in this many requests without a trace; 0 starts none.
    let traceSample: Int
    let idleTimeout: TimeAmount
    let requestReadTimeout: TimeAmount
    let drainIdleTime: TimeAmount

    init(_ configuration: ServerConfiguration, status: ServerStatus) {
        self.status = status
        maxBodyBytes = configuration.maxBodyBytes
        deadline = configuration.deadline > .zero ? TimeAmount(configuration.deadline) : nil
        traceSample = configuration.traceFile == nil ? 0 : configuration.traceSample
        idleTimeout = TimeAmount(configuration.idleTimeout)
        requestReadTimeout = TimeAmount(configuration.requestReadTimeout)
        drainIdleTime = min(.seconds(1), TimeAmount(configuration.drainTimeout / 2))
    }
}
