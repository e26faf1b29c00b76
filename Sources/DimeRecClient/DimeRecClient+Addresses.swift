@_exported public import ClientCalls

extension DimeRecClient {
    /// Creates a client of one address.
    ///
    /// - Parameters:
    ///   - url: The data plane's address, such as http://127.0.0.1:8080.
    ///   - options: Timeouts, attempts and the control plane's address.
    /// - Throws: ``DimeRecError/invalidURL(_:)``.
    public convenience init(url: String, options: Options = Options()) throws(DimeRecError) {
        try self.init(urls: [url], options: options)
    }

    /// Creates a client of several replicas; it uses an address until it fails, then the next one.
    ///
    /// - Parameters:
    ///   - urls: The addresses of the data planes, at least one.
    ///   - options: Timeouts, attempts and the control plane's address.
    /// - Throws: ``DimeRecError/invalidURL(_:)``.
    public convenience init(urls: [String], options: Options = Options()) throws(DimeRecError) {
        try self.init(urls: urls, options: options, transport: PooledTransport(options))
    }

    /// Creates a client whose waits a test can replace.
    package convenience init(
        urls: [String],
        options: Options,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) throws(DimeRecError) {
        try self.init(urls: urls, options: options, transport: PooledTransport(options), sleep: sleep)
    }
}
