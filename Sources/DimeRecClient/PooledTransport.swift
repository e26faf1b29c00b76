import AsyncHTTPClient
import ClientCalls
import Foundation
import NIOCore
import NIOHTTP1

/// Sends requests over pooled connections, with or without TLS.
final class PooledTransport: Transport {
    let answerLimit: Int
    private let client: HTTPClient

    init(_ options: DimeRecClient.Options) {
        answerLimit = options.answerLimit
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = TimeAmount(options.connectTimeout)
        // Below the service's IDLE_TIMEOUT_S, so that the service does not close a connection under a request.
        configuration.connectionPool.idleTimeout = .seconds(45)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = options.connections
        // The client decides about retries itself, because it knows the other addresses.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Connections close with the last reference.
    deinit { client.shutdown { _ in } }

    func exchange(_ request: TransportRequest, within time: Duration) async throws -> TransportAnswer {
        var message = HTTPClientRequest(url: request.url)
        message.method = request.method
        for (name, value) in request.headers { message.headers.add(name: name, value: value) }
        if let body = request.body { message.body = .bytes(ByteBuffer(bytes: body)) }
        // `send` cancels this task at the end of the time, so the deadline must only be later.
        let answer = try await client.execute(message, deadline: .now() + TimeAmount(time) + .hours(1))
        let body = try await answer.body.collect(upTo: answerLimit)
        return TransportAnswer(
            status: Int(answer.status.code),
            headers: answer.headers,
            body: Data(body.readableBytesView)
        )
    }

    func failure(of error: any Error) -> TransportFailure {
        if let error = error as? HTTPClientError, error == .connectTimeout { return .notSent("\(error)") }
        return TransportFailure(error, limit: answerLimit)
    }
}
