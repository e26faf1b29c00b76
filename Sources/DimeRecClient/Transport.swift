import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends one request over a pooled connection and reads the whole answer.
final class Transport: Sendable {
    struct Request {
        var method: HTTPMethod
        var url: String
        var headers: [(String, String)]
        var body: Data?
    }

    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let body: Data
    }

    enum Failure: Error {
        /// No connection: the service has not seen the request.
        case notSent(String)
        /// The service may have seen the request.
        case lost(String)
        case timedOut
        case tooLarge(limit: Int)
    }

    private let client: HTTPClient
    private let answerLimit: Int

    init(connections: Int, connectTimeout: Duration, answerLimit: Int) {
        self.answerLimit = answerLimit
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = TimeAmount(connectTimeout)
        // Below the service's IDLE_TIMEOUT_S, so that the service does not close a connection under a request.
        configuration.connectionPool.idleTimeout = .seconds(45)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        // The client decides about retries itself, because it knows the other addresses.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Connections close with the last reference.
    deinit { client.shutdown { _ in } }

    /// The upper bound of any exchange's time.
    private static let longest = Duration.seconds(24 * 3600)

    /// Sends a request and reads the answer within a time.
    ///
    /// - Throws: ``Failure``, or CancellationError if the task was cancelled.
    func send(_ request: Request, within time: Duration) async throws -> Answer {
        do {
            return try await withThrowingTaskGroup(of: Answer.self) { group in
                group.addTask { try await self.exchange(request) }
                group.addTask {
                    try await Task.sleep(for: min(time, Self.longest))
                    throw Failure.timedOut
                }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { preconditionFailure("a group of two has no result") }
                return first
            }
        } catch {
            try Task.checkCancellation()
            throw Failure(error, limit: answerLimit)
        }
    }

    private func exchange(_ request: Request) async throws -> Answer {
        var message = HTTPClientRequest(url: request.url)
        message.method = request.method
        for (name, value) in request.headers { message.headers.add(name: name, value: value) }
        if let body = request.body { message.body = .bytes(ByteBuffer(bytes: body)) }
        let answer = try await client.execute(message, deadline: .now() + TimeAmount(Self.longest))
        let body = try await answer.body.collect(upTo: answerLimit)
        return Answer(status: Int(answer.status.code), headers: answer.headers, body: Data(body.readableBytesView))
    }
}

extension Transport.Failure {
    /// Converts a connection error: the service may or may not have seen the request.
    fileprivate init(_ error: any Error, limit: Int) {
        switch error {
        case let failure as Transport.Failure: self = failure
        case is NIOTooManyBytesError: self = .tooLarge(limit: limit)
        case is NIOConnectionError, ChannelError.connectTimeout: self = .notSent("\(error)")
        case let error as HTTPClientError where error == .connectTimeout: self = .notSent("\(error)")
        case let error as IOError
        where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL].contains(error.errnoCode):
            self = .notSent("\(error)")
        default: self = .lost("\(error)")
        }
    }
}
