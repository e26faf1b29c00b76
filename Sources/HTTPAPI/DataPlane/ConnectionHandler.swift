import NIOCore
import NIOHTTP1

/// One connection of the data plane: collects requests, answers them in order, and keeps time.
///
/// Requests are answered inline as they complete. While the peer does not read its answers, complete requests wait and
/// nothing more is read from the socket, so that a connection never holds more than one read's worth of requests.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a closed connection waits for its peer's side, so that the peer can read the last answer.
    private static let lingerTime = TimeAmount.seconds(1)

    private enum Phase {
        case open
        case closing(since: NIODeadline)
    }

    private let loop: EventLoopState
    private let settings: ConnectionSettings
    private var phase = Phase.open
    private var incoming: IncomingRequest?
    private var waiting = CircularBuffer<IncomingRequest>()
    private var inputIsClosed = false
    private var readIsHeld = false
    private var sawPart = false
    private var requestStart: NIODeadline?
    private var lastActivity = NIODeadline.now()
    private var drainStart: NIODeadline?
    private var timer: (due: NIODeadline, task: Scheduled<Void>)?
    private var context: ChannelHandlerContext?

    init(loop: EventLoopState, settings: ConnectionSettings) {
        self.loop = loop
        self.settings = settings
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.connections[ObjectIdentifier(self)] = self
    }

    func channelActive(context: ChannelHandlerContext) {
        lastActivity = .now()
        // Accepted while the listener was being closed.
        if settings.status.isDraining { drainStart = lastActivity }
        arm(context)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.connections[ObjectIdentifier(self)] = nil
        timer?.task.cancel()
        timer = nil
        waiting.removeAll()
        self.context = nil
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        sawPart = true
        guard case .open = phase else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): receive(head, context)
        case .body(let bytes): receive(bytes, context)
        case .end:
            guard let request = incoming else { return }
            incoming = nil
            requestStart = nil
            enqueue(request, context)
        }
    }

    private func receive(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        if requestStart == nil { requestStart = .now() }
        let request = IncomingRequest(head: head, maxBodyBytes: settings.maxBodyBytes, makeID: loop.responder.makeID)
        if let problem = request.problem, request.expectsContinue || problem.code == .bodyTooLarge {
            var request = request
            request.keepAlive = false
            enqueue(request, context)
            return
        }
        if request.expectsContinue, waiting.isEmpty {
            let answer = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
        incoming = request
    }

    private func receive(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard var request = incoming else { return }
        // Given up first, so that appending to the body does not copy it.
        incoming = nil
        request.bodyCount += bytes.readableBytes
        guard request.bodyCount <= settings.maxBodyBytes else {
            request.problem = IncomingRequest.bodyTooLarge(settings.maxBodyBytes)
            request.keepAlive = false
            enqueue(request, context)
            return
        }
        if request.problem == nil {
            if request.body == nil { request.body = bytes } else { request.body?.writeImmutableBuffer(bytes) }
        }
        incoming = request
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        lastActivity = .now()
        // Bytes that made no part are the beginning of a head.
        if !sawPart, requestStart == nil { requestStart = lastActivity }
        sawPart = false
        if requestStart != nil { arm(context) }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable, waiting.isEmpty {
            context.read()
        } else {
            readIsHeld = true
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            if case .closing = phase {
                context.close(promise: nil)
            } else if waiting.isEmpty {
                startClosing(context)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard case .open = phase else { return }
        guard let error = error as? HTTPParserError, error != .invalidEOFState else {
            context.close(promise: nil)
            return
        }
        incoming = nil
        let problem = Problem(.invalidArgument, "The bytes are not an HTTP/1.1 request within the limits: \(error).")
        enqueue(IncomingRequest(unreadable: problem, id: loop.responder.makeID()), context)
        context.flush()
    }

    // MARK: Answering

    private func enqueue(_ request: IncomingRequest, _ context: ChannelHandlerContext) {
        if waiting.isEmpty, context.channel.isWritable {
            answer(request, context)
        } else {
            waiting.append(request)
        }
    }

    private func answer(_ request: IncomingRequest, _ context: ChannelHandlerContext) {
        let closes = !request.keepAlive || settings.status.isDraining
        context.write(wrapOutboundOut(loop.responder.respond(to: request, closes: closes)), promise: nil)
        if closes { startClosing(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        lastActivity = .now()
        while context.channel.isWritable, case .open = phase, let request = waiting.popFirst() {
            answer(request, context)
            context.flush()
        }
        if case .open = phase, waiting.isEmpty, context.channel.isWritable {
            if inputIsClosed {
                startClosing(context)
            } else if readIsHeld {
                readIsHeld = false
                context.read()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    /// Sends what was written, says that nothing follows, and gives the peer time to read it.
    ///
    /// Closing at once would reset the connection when the peer is still sending, and the peer would lose the answer.
    private func startClosing(_ context: ChannelHandlerContext) {
        guard case .open = phase else { return }
        phase = .closing(since: .now())
        incoming = nil
        requestStart = nil
        waiting.removeAll()
        context.flush()
        if inputIsClosed {
            context.close(promise: nil)
        } else {
            context.close(mode: .output, promise: nil)
            if readIsHeld { context.read() }
            arm(context)
        }
    }

    /// Tells an open connection that the server is going down: its next answer is the last.
    func drain() {
        guard let context, case .open = phase else { return }
        drainStart = .now()
        arm(context)
    }

    /// Ends the connection at once.
    func abort() {
        context?.close(promise: nil)
    }

    // MARK: Time

    private var due: NIODeadline {
        if case .closing(let since) = phase { return since + Self.lingerTime }
        if let requestStart { return requestStart + settings.requestReadTimeout }
        if let drainStart, waiting.isEmpty { return drainStart + settings.drainIdleTime }
        return lastActivity + settings.idleTimeout
    }

    /// Sees to it that a timer fires no later than what is due; one that fires early arms itself again.
    private func arm(_ context: ChannelHandlerContext) {
        let due = due
        if let timer {
            guard due < timer.due else { return }
            timer.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.timerFired(context) }
        timer = (due, task)
    }

    private func timerFired(_ context: ChannelHandlerContext) {
        timer = nil
        guard NIODeadline.now() >= due else {
            arm(context)
            return
        }
        guard case .open = phase, requestStart != nil, waiting.isEmpty, context.channel.isWritable else {
            context.close(promise: nil)
            return
        }
        let problem = Problem(.requestTimeout, "The request did not arrive within REQUEST_READ_TIMEOUT_MS.")
        let id = incoming?.id ?? loop.responder.makeID()
        enqueue(IncomingRequest(unreadable: problem, id: id), context)
        context.flush()
    }
}

/// What all connections of the data plane share.
struct ConnectionSettings: Sendable {
    let status: ServerStatus
    let maxBodyBytes: Int
    let idleTimeout: TimeAmount
    let requestReadTimeout: TimeAmount
    let drainIdleTime: TimeAmount

    init(_ configuration: ServerConfiguration, status: ServerStatus) {
        self.status = status
        maxBodyBytes = configuration.maxBodyBytes
        idleTimeout = TimeAmount(configuration.idleTimeout)
        requestReadTimeout = TimeAmount(configuration.requestReadTimeout)
        drainIdleTime = min(.seconds(1), TimeAmount(configuration.drainTimeout / 2))
    }
}

/// What the connections of one event loop share.
final class EventLoopState {
    let responder: RequestResponder
    var connections: [ObjectIdentifier: ConnectionHandler] = [:]

    init(responder: RequestResponder) {
        self.responder = responder
    }
}
