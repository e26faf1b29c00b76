package import Foundation
import NIOCore
package import NIOHTTP1
import NIOPosix

/// Exchanges one HTTP request for its whole answer.
package protocol Transport: Sendable {
    /// The largest accepted body of an answer, in bytes.
    var answerLimit: Int { get }

    /// Sends a request and reads the answer; a cancelled task ends the exchange.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - time: The time that is left, as a bound of opening a connection; ``send(_:within:)`` bounds the rest.
    /// - Returns: The answer, with any status.
    /// - Throws: Any error of the connection.
    func exchange(_ request: TransportRequest, within time: Duration) async throws -> TransportAnswer

    /// The meaning of an error of ``exchange(_:within:)``.
    func failure(of error: any Error) -> TransportFailure
}

/// A request to an absolute address.
package struct TransportRequest: Sendable {
    /// The method.
    package var method: HTTPMethod
    /// The address, with path and query.
    package var url: String
    /// The header fields, without those of the transport itself: Host, Content-Length and Connection.
    package var headers: [(String, String)]
    /// The body, if any.
    package var body: Data?

    /// Creates a request.
    package init(method: HTTPMethod, url: String, headers: [(String, String)] = [], body: Data? = nil) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// An answer with any status.
package struct TransportAnswer: Sendable {
    /// The status code.
    package let status: Int
    /// The header fields.
    package let headers: HTTPHeaders
    /// The whole body.
    package let body: Data

    /// Creates an answer.
    package init(status: Int, headers: HTTPHeaders, body: Data) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Why a transport has no answer.
package enum TransportFailure: Error, Equatable {
    /// There was no connection, so the service has not seen the request.
    case notSent(String)
    /// The service may have seen the request.
    case lost(String)
    /// The time is over; the service may have seen the request.
    case timedOut
    /// The answer is longer than the limit, in bytes.
    case tooLarge(limit: Int)

    /// Converts a connection error: the service may or may not have seen the request.
    package init(_ error: any Error, limit: Int) {
        switch error {
        case let failure as TransportFailure: self = failure
        case is NIOTooManyBytesError: self = .tooLarge(limit: limit)
        case is NIOConnectionError, ChannelError.connectTimeout: self = .notSent("\(error)")
        case let error as IOError
        where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL].contains(error.errnoCode):
            self = .notSent("\(error)")
        default: self = .lost("\(error)")
        }
    }
}

extension Transport {
    /// The upper bound of any exchange's time.
    private var longest: Duration { .seconds(24 * 3600) }

    /// By the error's type.
    package func failure(of error: any Error) -> TransportFailure { TransportFailure(error, limit: answerLimit) }

    /// Sends a request and reads the answer within a time.
    ///
    /// - Throws: ``TransportFailure``, or CancellationError if the task was cancelled.
    package func send(_ request: TransportRequest, within time: Duration) async throws -> TransportAnswer {
        let time = min(time, longest)
        do {
            return try await withThrowingTaskGroup(of: TransportAnswer.self) { group in
                group.addTask { try await self.exchange(request, within: time) }
                group.addTask {
                    try await Task.sleep(for: time)
                    throw TransportFailure.timedOut
                }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { preconditionFailure("a group of two has no result") }
                return first
            }
        } catch {
            try Task.checkCancellation()
            throw failure(of: error)
        }
    }
}
