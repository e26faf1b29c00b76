import NIOCore

/// What all connections of the data plane share.
struct ConnectionSettings: Sendable {
    let status: ServerStatus
    let maxBodyBytes: Int
    /// How long an answer is waited for when the request does not say; nil is for ever.
    let deadline: TimeAmount?
    let idleTimeout: TimeAmount
    let requestReadTimeout: TimeAmount
    let drainIdleTime: TimeAmount

    init(_ configuration: ServerConfiguration, status: ServerStatus) {
        self.status = status
        maxBodyBytes = configuration.maxBodyBytes
        deadline = configuration.deadline > .zero ? TimeAmount(configuration.deadline) : nil
        idleTimeout = TimeAmount(configuration.idleTimeout)
        requestReadTimeout = TimeAmount(configuration.requestReadTimeout)
        drainIdleTime = min(.seconds(1), TimeAmount(configuration.drainTimeout / 2))
    }
}
