import Logging
import NIOCore
import NIOHTTP1

/// Watches the listener of the data plane: tells when the process has no descriptor left for a connection, and closes the
/// listener without resetting the connections that it holds.
final class ListenerHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// How long to leave the listener alone when a connection could not be accepted.
    static let pause = TimeAmount.milliseconds(50)
    /// How long an empty backlog must stay empty before the listener is closed.
    private static let quietTime = TimeAmount.milliseconds(1)
    /// After so many looks at a backlog that never stays empty the listener is closed anyway.
    private static let mostLooks = 200

    private let metrics: ServerMetrics
    private let logger: Logger
    private var failsToAccept = false
    private var accepted = 0
    /// Whether connections of the present batch go to other event loops, which takes them a moment.
    private var hasForeignConnections = false
    private var closing: EventLoopPromise<Void>?
    private var context: ChannelHandlerContext?

    init(metrics: ServerMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        accepted += 1
        failsToAccept = false
        if unwrapInboundIn(data).eventLoop !== context.eventLoop { hasForeignConnections = true }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // The backlog was empty a moment ago, which is the best time to close.
        if let closing, !hasForeignConnections { context.close(promise: closing) }
        hasForeignConnections = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        metrics.countAcceptFailure()
        if !failsToAccept {
            failsToAccept = true
            logger.error(
                "new connections wait: none can be accepted; raise the limit of open files or lower MAX_CONNECTIONS",
                metadata: ["error": "\(error)"]
            )
        }
        context.fireErrorCaught(error)
    }

    /// Accepts what the kernel's backlog holds, then closes the listener.
    ///
    /// A connection that the kernel completes in the microseconds between the last look and the end is still reset; no call
    /// of the system closes that gap.
    func closeWhenQuiet(_ promise: EventLoopPromise<Void>) {
        guard closing == nil, let context else { return promise.succeed() }
        closing = promise
        context.channel.setOption(.maxMessagesPerRead, value: 4096).assumeIsolated().whenComplete { _ in
            self.look(times: 0)
        }
    }

    private func look(times: Int) {
        guard let context, let closing else { return }
        let before = accepted
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.quietTime) {
            guard self.accepted == before || times >= Self.mostLooks else { return self.look(times: times + 1) }
            context.close(promise: closing)
        }
    }
}
