import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Serving

/// The data plane: accepts connections, assigns each to an event loop, and drains them on shutdown.
struct DataPlaneServer: Service, CustomStringConvertible {
    let configuration: ServerConfiguration
    /// The most open connections.
    let maxConnections: Int
    let service: RetrievalService
    let status: ServerStatus
    let metrics: ServerMetrics
    /// Receives the spans of sampled requests; nil writes none.
    let spans: SpanFile?
    let logger: Logger
    /// Called with the port once the server accepts connections.
    let onListening: @Sendable (Int) -> Void
    /// The name in logs.
    ///
    /// The default description would print the configuration, which holds the token.
    let description = "data plane"

    /// Bounds how many bytes the kernel holds for one connection.
    private static let sendBufferBytes: SocketOptionValue = 131_072

    /// A connection takes no more answers while this many bytes of earlier ones wait for the peer to read.
    ///
    /// They would be computed for nothing if the peer never reads. The number applies to the kernel's bytes that are not
    /// sent yet and again to the channel's; bytes on their way to a distant peer do not count.
    private static let unsentBytes = 32_768

    /// A heavy request may wait this many times QUEUE_DELAY_MS, because earlier heavy requests are slow too.
    private static let heavyDelays = 10

    /// Listens until graceful shutdown, then drains: not ready, grace period, no new connections, open ones finish.
    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.serveThreads)
        let workerGroup = MultiThreadedEventLoopGroup(numberOfThreads: configuration.effectiveWorkerThreads)
        do {
            let workers = try await WorkerThreads(
                group: workerGroup,
                capacity: configuration.maxInflight,
                delayLimit: TimeAmount(configuration.queueDelay * Self.heavyDelays),
                metrics: metrics,
                makeResponder: makeResponder
            )
            defer { workers.discardWaiting() }
            try await serve(on: group, workers)
        } catch {
            try? await workerGroup.shutdownGracefully()
            try? await group.shutdownGracefully()
            throw error
        }
        // Stop the workers first: they hand their answers to the event loops.
        try await workerGroup.shutdownGracefully()
        try await group.shutdownGracefully()
    }

    private func makeResponder() -> RequestResponder {
        let slowRequest = TimeAmount(configuration.slowRequest).nanoseconds
        return RequestResponder(
            service: service,
            status: status,
            recorder: metrics.makeRecorder(),
            spans: spans,
            slowRequest: slowRequest > 0 ? UInt64(slowRequest) : nil,
            logger: logger
        )
    }

    private func serve(on group: MultiThreadedEventLoopGroup, _ workers: WorkerThreads) async throws {
        let backlog = Backlog(
            delayLimit: TimeAmount(configuration.queueDelay),
            countLimit: configuration.maxInflight
        )
        var loops: [ObjectIdentifier: NIOLoopBound<EventLoopState>] = [:]
        for loop in group.makeIterator() {
            loops[ObjectIdentifier(loop)] = try await loop.submit {
                let state = EventLoopState(
                    eventLoop: loop,
                    responder: makeResponder(),
                    workers: workers,
                    backlog: backlog
                )
                return NIOLoopBound(state, eventLoop: loop)
            }.get()
        }
        let listener = try await listen(on: group, loops)
        let port = listener.localAddress?.port ?? configuration.httpPort
        logger.info("data plane listens", metadata: ["http.host": "\(configuration.httpHost)", "http.port": "\(port)"])
        onListening(port)
        do {
            try await gracefulShutdown()
            status.startDraining()
            logger.info("draining", metadata: ["connections": "\(status.connectionCount)"])
            try await Task.sleep(for: configuration.drainGrace)
            try await close(listener, loops.values.map(\.self))
            try await drain(loops.values.map(\.self))
        } catch is CancellationError {
            status.startDraining()
            try? await listener.close()
        }
        for loop in loops.values {
            loop.eventLoop.execute {
                for connection in loop.value.connections.values { connection.abort() }
            }
        }
    }

    private func listen(
        on group: MultiThreadedEventLoopGroup,
        _ loops: [ObjectIdentifier: NIOLoopBound<EventLoopState>]
    ) async throws -> any Channel {
        let open = opener(loops)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        AcceptBackoffHandler(shouldForwardIOErrorCaught: true) { _ in ListenerHandler.pause },
                        ListenerHandler(metrics: metrics, logger: logger, open: open)
                    )
                }
            }
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try open(channel) } }
        let (host, port, key) = (configuration.httpHost, configuration.httpPort, configuration.httpAddress.key("HTTP"))
        try await configuration.httpAddress.removeStaleSocket(host: host, port: port, key: key)
        do {
            switch configuration.httpAddress {
            case .network(let host, let port):
                return try await bootstrap.bind(host: host, port: port).get()
            case .socket(let path):
                return try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            }
        } catch {
            throw ServerError(listeningOn: host, port: port, key: key, error)
        }
    }

    /// A function that prepares an accepted connection, on its event loop.
    private func opener(
        _ loops: [ObjectIdentifier: NIOLoopBound<EventLoopState>]
    ) -> @Sendable (any Channel) throws -> Void {
        let settings = ConnectionSettings(configuration, status: status)
        let isNetwork = configuration.httpAddress.isNetwork
        return { [status, maxConnections] channel in
            guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
                preconditionFailure("a connection on a foreign event loop")
            }
            let options = channel.syncOptions
            try options?.setOption(.socketOption(.so_sndbuf), value: Self.sendBufferBytes)
            let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: Self.unsentBytes / 2, high: Self.unsentBytes)
            try options?.setOption(.writeBufferWaterMark, value: waterMark)
            if isNetwork {
                // A kernel without this option holds as much as the send buffer.
                let unsent = NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT)
                try? options?.setOption(.tcpOption(unsent), value: SocketOptionValue(Self.unsentBytes))
                try options?.setOption(.tcpOption(.tcp_nodelay), value: 1)
            }
            try options?.setOption(.allowRemoteHalfClosure, value: true)
            let isWelcome = status.connectionOpened() <= maxConnections
            channel.closeFuture.whenComplete { _ in status.connectionClosed() }
            guard isWelcome else {
                try channel.pipeline.syncOperations.addHandler(RefusalHandler(loop: loop.value, status: status))
                return
            }
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = 16_384
            limits.maxHeaderListSize = 32_768
            limits.maxHeaderFieldCount = 100
            let decoder = HTTPRequestDecoder(limitConfiguration: limits)
            let chunks = ChunkSizeCheck(limit: settings.maxBodyBytes)
            try channel.pipeline.syncOperations.addHandlers(
                chunks,
                ByteToMessageHandler(decoder),
                ConnectionHandler(loop: loop.value, settings: settings, chunks: chunks)
            )
        }
    }

    /// Closes the listener once its backlog is empty, and waits until all accepted connections are open.
    private func close(_ listener: any Channel, _ loops: [NIOLoopBound<EventLoopState>]) async throws {
        let closed = listener.eventLoop.makePromise(of: Void.self)
        listener.eventLoop.execute {
            do {
                try listener.pipeline.syncOperations.handler(type: ListenerHandler.self).closeWhenQuiet(closed)
            } catch {
                closed.fail(error)
            }
        }
        try await closed.futureResult.get()
        // Opening an accepted connection takes two tasks of its event loop.
        for _ in 0..<2 {
            for loop in loops { try await loop.eventLoop.submit {}.get() }
        }
    }

    /// Waits until every connection has received its last answer, or until DRAIN_TIMEOUT_S.
    private func drain(_ loops: [NIOLoopBound<EventLoopState>]) async throws {
        for loop in loops {
            loop.eventLoop.execute {
                for connection in loop.value.connections.values { connection.drain() }
            }
        }
        let clock = ContinuousClock()
        let end = clock.now + configuration.drainTimeout
        while status.connectionCount > 0, clock.now < end {
            try await Task.sleep(for: .milliseconds(10))
        }
        let left = status.connectionCount
        if left > 0 { logger.warning("connections cut at DRAIN_TIMEOUT_S", metadata: ["connections": "\(left)"]) }
        logger.info("drained")
    }
}

/// Answers a connection above MAX_CONNECTIONS with 503 and closes it.
private final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// So many refused connections at one time get a moment to read their answer; those beyond do not, because each takes
    /// a descriptor.
    private static let mostLingering = 32

    private let loop: EventLoopState
    private let status: ServerStatus
    /// Whether the refusal was counted: a connection may end before it is active.
    private var isCounted = false

    init(loop: EventLoopState, status: ServerStatus) {
        self.loop = loop
        self.status = status
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if isCounted { status.refusalEnded() }
    }

    func channelActive(context: ChannelHandlerContext) {
        isCounted = true
        let mayLinger = status.refusalBegan() <= Self.mostLingering
        loop.responder.recorder.shed(.connections)
        let problem = Problem(.overloaded, "MAX_CONNECTIONS connections are open; try again later.")
        let request = IncomingRequest(unreadable: problem, id: loop.responder.makeID())
        context.writeAndFlush(wrapOutboundOut(loop.responder.respond(to: request).bytes), promise: nil)
        guard mayLinger else { return context.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

extension ServerError {
    /// Converts the error of a failed bind.
    init(listeningOn host: String, port: Int, key: String, _ error: any Error) {
        if let error = error as? IOError, error.errnoCode == EADDRINUSE {
            self = .portInUse(host: host, port: port, key: key)
        } else {
            let isFile = error is UnixDomainSocketPathWrongType
            let reason = isFile ? "there is a file that is no socket" : "\(error)"
            self = .cannotListen(host: host, port: port, key: key, reason: reason)
        }
    }
}
