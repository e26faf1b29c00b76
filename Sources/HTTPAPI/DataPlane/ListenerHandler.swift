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
    private static let logInterval = TimeAmount.minutes(1)
    /// How long the backlog must stay empty before the listener closes.
    private static let quietTime = TimeAmount.milliseconds(1)
    /// After this many checks the listener closes even if its backlog never stays empty.
    private static let mostLooks = 200

    private let metrics: ServerMetrics
    private let logger: Logger
    private let open: @Sendable (any Channel) throws -> Void
    private var lastLogged: NIODeadline?
    private var accepted = 0
    private var closing: EventLoopPromise<Void>?
    private var context: ChannelHandlerContext?

    /// Watches a listener.
    ///
    /// - Parameters:
    ///   - metrics: Counts failures to accept.
    ///   - logger: Receives the first failure of each minute.
    ///   - open: Prepares an accepted connection on its event loop.
    init(metrics: ServerMetrics, logger: Logger, open: @escaping @Sendable (any Channel) throws -> Void) {
        self.metrics = metrics
        self.logger = logger
        self.open = open
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        accepted += 1
        guard closing != nil else { return context.fireChannelRead(data) }
        // NIO's own next handler drops connections of other event loops once the listener is closed.
        let connection = unwrapInboundIn(data)
        connection.eventLoop.execute { [open] in
            do { try open(connection) } catch { connection.close(promise: nil) }
        }
        context.channel._channelCore.channelRead0(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Close now: the backlog was empty a moment ago.
        if let closing { context.close(promise: closing) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        metrics.countAcceptFailure()
        if lastLogged.map({ .now() - $0 > Self.logInterval }) ?? true {
            lastLogged = .now()
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
