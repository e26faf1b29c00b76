import NIOCore

/// What all connections of the data plane share.
struct ConnectionSettings: Sendable {
    let status: ServerStatus
    let maxBodyBytes: Int
    /// How long an answer is waited for when the request does not say; nil is for ever.
    let deadline: TimeAmount?
    /// One in so many requests that continue no trace begins a sampled one; 0 is none.
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
