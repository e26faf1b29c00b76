import Foundation
import NIOCore
import NIOPosix

/// What looks on while a run goes.
public struct RunObserver: Sendable {
    /// Told once a second what happened, on the generator's own thread: return at once.
    public let onProgress: (@Sendable (LoadProgress) -> Void)?
    /// Asked a thousand times a second; true ends the run as if its time were over.
    public let shouldStop: @Sendable () -> Bool

    /// An observer; by default nothing is told and nothing ends the run early.
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
/// Latency counts from when a request was due, also while it waited for a free connection, so that a stall of the server
/// shows in every request that it delayed (no coordinated omission). A connection has one request in flight; one that
/// the server closes is opened again. A request that waited for the time-out is given up unsent; one that was sent has the
/// time-out for its answer, however long it waited, so that overload does not turn into time-outs only. Give the thread
/// a core of its own.
public struct LoadGenerator: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loop: NIOLoopBound<LoadLoop>

    /// Opens the connections.
    ///
    /// - Parameters:
    ///   - target: The server.
    ///   - requests: What is sent.
    ///   - connections: How many, at least one.
    ///   - timeout: How long a request waits for a connection, and then for its answer.
    /// - Returns: A generator, to be closed.
    /// - Throws: `LoadError.unreachable` when the server takes no connection.
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
        do {
            let loop = try await eventLoop.submit {
                let loop = LoadLoop(eventLoop: eventLoop, target: target, requests: requests, timeout: timeout)
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }.get()
            for _ in 0..<connections { try await eventLoop.flatSubmit { loop.value.open() }.get() }
            return LoadGenerator(group: group, loop: loop)
        } catch {
            try? await group.shutdownGracefully()
            throw LoadError.unreachable(host: target.host, port: target.port, reason: reason(of: error))
        }
    }

    /// NIO wraps what happened at each address that it tried.
    private static func reason(of error: any Error) -> String {
        guard let attempt = (error as? NIOConnectionError)?.connectionErrors.first?.error else { return "\(error)" }
        return (attempt as? IOError)?.errnoCode == ECONNREFUSED ? "connection refused" : "\(attempt)"
    }

    /// Runs for a warm-up, which is not counted, and a measured time.
    ///
    /// One run at a time. Takes up to twice the time-out longer while late answers are waited for.
    ///
    /// - Throws: `LoadError.badAnswer` when the server sends something else than answers with a stated length.
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
    public func close() async throws {
        try await loop.eventLoop.submit { loop.value.close() }.get()
        try await group.shutdownGracefully()
    }
}
