import NIOCore
import NIOHTTP1

/// Passes requests of the control plane on, one at a time, only once they are complete and correctly framed.
///
/// So nothing acts on a request that turns out to be broken, and each broken request gets exactly one answer. The gate
/// also enforces two timeouts: for the arrival of a request and for an idle connection.
final class RequestGate: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private struct Arriving {
        let head: HTTPRequestHead
        var body = ByteBuffer()
    }

    private let settings: ControlConnectionSettings
    private let connections: ControlConnections
    private let chunks: ChunkSizeCheck
    private var arriving: Arriving?
    /// Whether the arriving request still waits for `100 Continue`; earlier requests delay it.
    private var owesContinue = false
    private var waiting = CircularBuffer<Arriving>()
    /// Why the gate reads no more; the connection closes after the answer to the previous request.
    private var refusal: Problem?
    private var isAnswering = false
    private var endsAfterAnswer = false
    private var isClosing = false
    /// The peer's half-close, kept until its earlier requests are answered.
    private var inputClosed: ChannelEvent?
    private var sawPart = false
    /// Since when a request has been arriving.
    private var requestStart: NIODeadline?
    private var lastActivity = NIODeadline.now()
    private var timer: Scheduled<Void>?

    init(settings: ControlConnectionSettings, connections: ControlConnections, chunks: ChunkSizeCheck) {
        self.settings = settings
        self.connections = connections
        self.chunks = chunks
    }

    func channelActive(context: ChannelHandlerContext) {
        connections.opened(context.channel)
        touch(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        connections.closed(context.channel)
        timer?.cancel()
        context.fireChannelInactive()
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        sawPart = true
        guard refusal == nil, !isClosing else { return }
        let part = unwrapInboundIn(data)
        chunks.note(part)
        switch part {
        case .head(let head):
            if requestStart == nil { requestStart = .now() }
            var framing = RequestFraming(maxBodyBytes: settings.maxBodyBytes, isHTTP10: head.version != .http1_1)
            for (name, value) in head.headers { _ = framing.read(name, value) }
            if let problem = framing.problem { return refuse(problem, context) }
            arriving = Arriving(head: head)
            owesContinue =
                head.version == .http1_1
                && head.headers["Expect"].contains { equalsIgnoringCase($0, "100-continue") }
            continueIfOwed(context)
        case .body(var bytes):
            guard (arriving?.body.readableBytes ?? 0) + bytes.readableBytes <= settings.maxBodyBytes else {
                return refuse(.bodyTooLarge(settings.maxBodyBytes), context)
            }
            arriving?.body.writeBuffer(&bytes)
        case .end:
            guard let request = arriving else { return }
            arriving = nil
            owesContinue = false
            requestStart = nil
            waiting.append(request)
            passNext(context)
        }
    }

    /// Asks for the body of a request that waits with it (RFC 9110, section 10.1.1), after the answers before it.
    private func continueIfOwed(_ context: ChannelHandlerContext) {
        guard owesContinue, waiting.isEmpty, !isAnswering, !isClosing else { return }
        owesContinue = false
        let answer = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(answer)), promise: nil)
    }

    private func passNext(_ context: ChannelHandlerContext) {
        guard !isAnswering, !isClosing else { return }
        // A peer that does not read its answers gets no more of them.
        guard waiting.isEmpty || context.channel.isWritable else { return }
        if let request = waiting.popFirst() {
            isAnswering = true
            // The decoder reads nothing behind a request for another protocol.
            let asksForOther = request.head.method == .CONNECT || request.head.headers.contains(name: "Upgrade")
            if asksForOther || !request.head.isKeepAlive { endsAfterAnswer = true }
            connections.setIdle(false, context.channel)
            context.fireChannelRead(wrapInboundOut(.head(request.head)))
            if request.body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(request.body))) }
            context.fireChannelRead(wrapInboundOut(.end(nil)))
            context.fireChannelReadComplete()
        } else if let refusal {
            answer(refusal, context)
        } else if endsAfterAnswer {
            close(context)
        } else if let event = inputClosed {
            inputClosed = nil
            context.fireUserInboundEventTriggered(event)
        } else {
            continueIfOwed(context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Bytes that complete no part are the beginning of a head.
        if !sawPart, requestStart == nil, !isAnswering { requestStart = .now() }
        sawPart = false
        touch(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        // Backpressure: read no more while pipelined requests wait.
        if waiting.isEmpty { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let excess = error as? ChunkSizeCheck.Excess {
            return refuse(excess.problem(limit: settings.maxBodyBytes), context)
        }
        guard let error = error as? HTTPParserError, error != .invalidEOFState else {
            context.close(promise: nil)
            return
        }
        refuse(Problem(.invalidArgument, "The bytes are not an HTTP/1.1 request within the limits: \(error)."), context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            endsAfterAnswer = true
            if !isAnswering { close(context) }
        } else if case ChannelEvent.inputClosed? = event as? ChannelEvent, isAnswering || !waiting.isEmpty {
            // The requests that came before are answered first.
            inputClosed = .inputClosed
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else {
            context.write(data, promise: promise)
            return
        }
        context.writeAndFlush(data, promise: promise)
        isAnswering = false
        if endsAfterAnswer { waiting.removeAll() }
        // This answer delayed the next request, if one is arriving, so its time starts now.
        if requestStart != nil { requestStart = .now() }
        connections.setIdle(true, context.channel)
        touch(context)
        passNext(context)
        if waiting.isEmpty, !isClosing { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // A peer that does not read its answer may give way to another.
        if isAnswering { connections.setIdle(!context.channel.isWritable, context.channel) }
        touch(context)
        context.fireChannelWritabilityChanged()
        passNext(context)
    }

    private func refuse(_ problem: Problem, _ context: ChannelHandlerContext) {
        guard refusal == nil else { return }
        refusal = problem
        arriving = nil
        owesContinue = false
        requestStart = nil
        passNext(context)
    }

    /// Answers the connection's last request with a refusal and closes the connection.
    private func answer(_ problem: Problem, _ context: ChannelHandlerContext) {
        var writer = JSONWriter()
        problem.write(to: &writer, instance: "-".utf8)
        let headers = HTTPHeaders([
            ("Content-Type", "application/problem+json"), ("Content-Length", "\(writer.bytes.count)"),
            ("Connection", "close"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
        ])
        let status = HTTPResponseStatus(statusCode: problem.code.status)
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: writer.bytes)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        close(context)
    }

    /// Closes the connection, but gives the peer a moment to read the last answer.
    private func close(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isClosing = true
        context.close(mode: .output, promise: nil)
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { context.close(promise: nil) }
        context.read()
    }

    // MARK: Time

    private func touch(_ context: ChannelHandlerContext) {
        lastActivity = .now()
        arm(context)
    }

    /// When the connection times out unless something happens; nil while a handler works on a request.
    private func due(_ context: ChannelHandlerContext) -> NIODeadline? {
        if let requestStart, !isAnswering { return requestStart + settings.requestReadTimeout }
        if isAnswering, context.channel.isWritable { return nil }
        return lastActivity + settings.idleTimeout
    }

    private func arm(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        timer?.cancel()
        timer = nil
        guard let due = due(context) else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.timeIsUp(context) }
    }

    private func timeIsUp(_ context: ChannelHandlerContext) {
        timer = nil
        guard !isClosing else { return }
        guard requestStart != nil, !isAnswering, context.channel.isWritable else {
            context.close(promise: nil)
            return
        }
        refuse(Problem(.requestTimeout, "The request did not arrive within REQUEST_READ_TIMEOUT_MS."), context)
    }
}
