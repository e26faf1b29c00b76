import NIOCore

/// A request in flight.
struct PendingRequest {
    var due: NIODeadline
    var sent: NIODeadline
}

/// One connection with at most one request in flight.
final class ClientConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let loop: LoadLoop
    private var parser = ResponseParser()
    private var context: ChannelHandlerContext?
    /// The request in flight, if any.
    private(set) var pending: PendingRequest?

    init(loop: LoadLoop) {
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Sends a request that was due at a time; returns the time of sending.
    func send(_ request: ByteBuffer, due: NIODeadline) -> NIODeadline {
        let now = NIODeadline.now()
        pending = PendingRequest(due: due, sent: now)
        context?.writeAndFlush(wrapOutboundOut(request), promise: nil)
        return now
    }

    /// Closes the connection and abandons the request in flight.
    func abandon() {
        pending = nil
        close()
    }

    func close() {
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = NIODeadline.now()
        let buffer = unwrapInboundIn(data)
        var position = 0
        do {
            while let answer = try parser.next(in: buffer.readableBytesUInt8Span, from: &position) {
                // No request is in flight: this answer announces that the server closes an idle connection.
                guard let request = pending else { return close() }
                pending = nil
                if answer.closes { close() }
                loop.received(answer, to: request, on: self, at: now)
            }
        } catch {
            loop.fail(.badAnswer(error))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.closed(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
