import Foundation
import NIOCore
import NIOPosix

/// An observer of a run.
public struct RunObserver: Sendable {
    /// Receives the progress once a second, on the generator's thread; it must return at once.
    public let onProgress: (@Sendable (LoadProgress) -> Void)?
    /// Called a thousand times a second; true ends the run as if its time were over.
    public let shouldStop: @Sendable () -> Bool

    /// Creates an observer; by default it ignores the progress and never ends the run early.
    public init(
        onProgress: (@Sendable (LoadProgress) -> Void)? = nil,
        shouldStop: @escaping @Sendable () -> Bool = { false }
    ) {
        self.onProgress = onProgress
        self.shouldStop = shouldStop
    }
}

/// Sends requests to one server over a fixed number of connections, from one thread, and measures the answers.
///
/// Latency counts from the due time of a request, including its wait for a free connection. So a stall of the server
/// shows in every request that it delayed (no coordinated omission). A connection has one request in flight; the
/// generator reopens a connection that the server closes. A request that waits for a connection longer than the
/// time-out is given up unsent. A sent request has the full time-out for its answer, however long it waited, so that
/// overload does not produce only time-outs. Give the thread its own core.
public struct LoadGenerator: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loop: NIOLoopBound<LoadLoop>

    /// Opens the connections.
    ///
    /// - Parameters:
    ///   - target: The server.
    ///   - requests: The requests to send.
    ///   - connections: The number of connections, at least one.
    ///   - timeout: How long a request waits for a connection, and then for its answer.
    /// - Returns: A generator; the caller must close it.
    /// - Throws: `LoadError.unreachable` if the server accepts no connection.
    public static func connect(
        to target: LoadTarget,
        requests: RequestPool,
        connections: Int,
        timeout: Duration
    ) async throws -> LoadGenerator {
        precondition(connections >= 1, "\(connections) connections")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let timeout = TimeAmount(timeout)
        let loop = try await eventLoop.submit {
            let loop = LoadLoop(eventLoop: eventLoop, target: target, requests: requests, timeout: timeout)
            return NIOLoopBound(loop, eventLoop: eventLoop)
        }.get()
        let generator = LoadGenerator(group: group, loop: loop)
        do {
            for _ in 0..<connections { try await eventLoop.flatSubmit { loop.value.open() }.get() }
            return generator
        } catch {
            try? await generator.close()
            throw LoadError.unreachable(host: target.host, port: target.port, reason: reason(of: error))
        }
    }

    /// The reason of a failed connection; NIO wraps one error for each address that it tried.
    private static func reason(of error: any Error) -> String {
        guard let attempt = (error as? NIOConnectionError)?.connectionErrors.first?.error else { return "\(error)" }
        return (attempt as? IOError)?.errnoCode == ECONNREFUSED ? "connection refused" : "\(attempt)"
    }

    /// Runs for a warm-up, which does not count, and a measured time.
    ///
    /// Only one run at a time. The run waits for late answers, up to twice the time-out longer.
    ///
    /// - Throws: `LoadError.badAnswer` if the server sends anything other than answers with Content-Length.
    public func measure(
        _ pacing: Pacing,
        duration: Duration,
        warmUp: Duration = .zero,
        observer: RunObserver = RunObserver()
    ) async throws -> LoadMeasurement {
        try await loop.eventLoop.flatSubmit {
            loop.value.start(pacing, duration: TimeAmount(duration), warmUp: TimeAmount(warmUp), observer: observer)
        }.get()
    }

    /// Closes the connections and ends the thread.
    ///
    /// Waits for connections that are being opened, up to the time-out.
    public func close() async throws {
        try await loop.eventLoop.flatSubmit { loop.value.close() }.get()
        try await group.shutdownGracefully()
    }
}
