import Logging
import NIOCore
import NIOHTTP1

/// Watches the data plane's listener.
///
/// Logs when the process has no descriptor left for a connection. Closes the listener without resetting the
/// connections in its backlog.
final class ListenerHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// The pause after a failed accept.
    static let pause = TimeAmount.milliseconds(50)
    /// How long the backlog must stay empty before the listener closes.
    private static let quietTime = TimeAmount.milliseconds(1)
    /// After this many checks the listener closes even if its backlog never stays empty.
    private static let mostLooks = 200

    private let metrics: ServerMetrics
    private let logger: Logger
    private var failsToAccept = false
    private var accepted = 0
    /// Whether some connections of the current batch go to other event loops, which need a moment to open them.
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
        // Close now: the backlog was empty a moment ago.
        if let closing, !hasForeignConnections { context.close(promise: closing) }
        hasForeignConnections = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        metrics.countAcceptFailure()
        if !failsToAccept {
            failsToAccept = true
            logger.error(
                "cannot accept new connections; raise the limit of open files or lower MAX_CONNECTIONS",
                metadata: ["error": "\(error)"]
            )
        }
        context.fireErrorCaught(error)
    }

    /// Accepts all connections in the kernel's backlog, then closes the listener.
    ///
    /// The kernel still resets a connection that completes in the microseconds between the last check and the close.
    /// No system call closes that gap.
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
