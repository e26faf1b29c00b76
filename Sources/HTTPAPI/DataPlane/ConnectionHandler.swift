import NIOCore
import NIOHTTP1

/// One connection of the data plane: collects requests, answers them in order, and enforces timeouts.
///
/// Requests are answered inline as they complete. They wait in three cases: a worker thread answers an earlier
/// request, the peer does not read its answers, or the connection has had its share. Meanwhile the handler reads
/// nothing from the socket (backpressure). So a connection holds at most one read's worth of requests and does not
/// delay other connections.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a closed connection waits for the peer to close too, so that the peer can read the last answer.
    private static let lingerTime = TimeAmount.seconds(1)
    /// A read answers this many requests at once; further ones wait for a turn.
    ///
    /// The kernel reports many readable connections together, and each waits for the answers to all before it.
    private static let readLength = 1
    /// A turn ends after this many requests, or bytes of answers.
    ///
    /// Then the loop serves the other connections.
    private static let turnLength = 16
    private static let turnBytes = 32_768

    private enum Phase {
        case open
        /// The last answer is being written.
        case closing
        /// The last answer is written; the peer has not closed its side yet.
        case lingering(since: NIODeadline)
    }

    private let loop: EventLoopState
    private let settings: ConnectionSettings
    private let chunks: ChunkSizeCheck
    private var phase = Phase.open
    private var incoming: IncomingRequest?
    /// Whether the arriving request still waits for `100 Continue`; earlier requests delay it.
    private var owesContinue = false
    private var waiting = CircularBuffer<IncomingRequest>()
    private var awaitsWorker = false
    private var answersLeft = readLength
    private var bytesLeft = turnBytes
    private var hasTurnComing = false
    private var inputIsClosed = false
    private var readIsHeld = false
    private var sawPart = false
    private var requestStart: NIODeadline?
    private var lastActivity = NIODeadline.now()
    private var drainStart: NIODeadline?
    private var timer: (due: NIODeadline, task: Scheduled<Void>)?
    private var context: ChannelHandlerContext?

    init(loop: EventLoopState, settings: ConnectionSettings, chunks: ChunkSizeCheck) {
        self.loop = loop
        self.settings = settings
        self.chunks = chunks
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.connections[ObjectIdentifier(self)] = self
    }

    func channelActive(context: ChannelHandlerContext) {
        lastActivity = .now()
        // The connection was accepted while the listener was closing.
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
        let part = unwrapInboundIn(data)
        chunks.note(part)
        switch part {
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
        let arrival = loop.batchStart()
        if requestStart == nil { requestStart = arrival }
        let makeID = loop.responder.makeID
        var request = IncomingRequest(head: head, arrival: arrival, settings: settings, makeID: makeID)
        if let problem = request.problem, request.expectsContinue || problem.code == .bodyTooLarge {
            request.keepAlive = false
            enqueue(request, context)
            return
        }
        incoming = request
        owesContinue = request.expectsContinue
        continueIfOwed(context)
    }

    /// Sends `100 Continue` for the arriving request once all earlier requests are answered.
    private func continueIfOwed(_ context: ChannelHandlerContext) {
        guard owesContinue, incoming != nil, waiting.isEmpty, !awaitsWorker else { return }
        owesContinue = false
        // The server caused the delay, not the peer.
        requestStart = .now()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    private func receive(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard var request = incoming else { return }
        // Clear the property first, so that appending to the body does not copy it.
        incoming = nil
        request.append(bytes, limit: settings.maxBodyBytes)
        if request.problem?.code == .bodyTooLarge { enqueue(request, context) } else { incoming = request }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        lastActivity = .now()
        // Bytes that complete no part are the beginning of a head.
        if !sawPart, requestStart == nil { requestStart = lastActivity }
        sawPart = false
        if requestStart != nil { arm(context) }
        allow(Self.readLength)
        proceed(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        readIsHeld = awaitsWorker || !waiting.isEmpty || !context.channel.isWritable
        if !readIsHeld { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            if case .lingering = phase { context.close(promise: nil) } else { proceed(context) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard case .open = phase else { return }
        let problem: Problem
        if let excess = error as? ChunkSizeCheck.Excess {
            // The limit may have refused the request already.
            guard incoming != nil else { return }
            problem = excess.problem(limit: settings.maxBodyBytes)
        } else if let error = error as? HTTPParserError, error != .invalidEOFState {
            problem = Problem(.invalidArgument, "The bytes are not an HTTP/1.1 request within the limits: \(error).")
        } else {
            context.close(promise: nil)
            return
        }
        incoming = nil
        enqueue(IncomingRequest(unreadable: problem, id: loop.responder.makeID()), context)
        context.flush()
    }

    // MARK: Answering

    private func enqueue(_ request: IncomingRequest, _ context: ChannelHandlerContext) {
        if waiting.isEmpty, mayAnswer(context) {
            answer(request, context)
        } else {
            waiting.append(request)
        }
    }

    private func mayAnswer(_ context: ChannelHandlerContext) -> Bool {
        answersLeft > 0 && bytesLeft > 0 && !awaitsWorker && context.channel.isWritable
    }

    private func answer(_ request: IncomingRequest, _ context: ChannelHandlerContext) {
        answersLeft -= 1
        if let answer = loop.respond(to: request) {
            send(answer, context)
            return
        }
        let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
        let work = HeavyWork(request: request, queued: .now()) { answer in
            connection.eventLoop.execute { connection.value.receive(answer) }
        }
        awaitsWorker = loop.workers.submit(work)
        if !awaitsWorker { send(loop.refuse(request), context) }
    }

    /// Receives an answer from a worker thread; drops it if the connection has closed.
    private func receive(_ answer: Answer) {
        guard let context, case .open = phase else { return }
        awaitsWorker = false
        send(answer, context)
        takeTurn()
    }

    /// Sets how many requests the next read or turn may answer.
    private func allow(_ answers: Int) {
        answersLeft = answers
        bytesLeft = Self.turnBytes
    }

    private func send(_ answer: Answer, _ context: ChannelHandlerContext) {
        bytesLeft -= answer.bytes.readableBytes
        context.write(wrapOutboundOut(answer.bytes), promise: nil)
        if answer.closes { startClosing(context) }
    }

    /// Answers some of the waiting requests.
    func takeTurn() {
        hasTurnComing = false
        guard let context else { return }
        lastActivity = .now()
        allow(Self.turnLength)
        while case .open = phase, mayAnswer(context), let request = waiting.popFirst() { answer(request, context) }
        allow(Self.readLength)
        context.flush()
        proceed(context)
        arm(context)
    }

    /// Takes the next possible step: answer more, close a finished connection, or read more.
    private func proceed(_ context: ChannelHandlerContext) {
        guard case .open = phase, !awaitsWorker else { return }
        continueIfOwed(context)
        if inputIsClosed, waiting.isEmpty {
            startClosing(context)
        } else if context.channel.isWritable, !waiting.isEmpty, !hasTurnComing {
            hasTurnComing = true
            loop.enqueueTurn(self)
        } else if context.channel.isWritable, waiting.isEmpty, readIsHeld {
            readIsHeld = false
            // The server held back reading, so the peer's time starts now.
            if requestStart != nil { requestStart = .now() }
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        lastActivity = .now()
        proceed(context)
        context.fireChannelWritabilityChanged()
    }

    /// Flushes the answers, closes the write side, and gives the peer time to read.
    ///
    /// Closing both sides at once would reset the connection if the peer is still sending, and the peer would lose the
    /// answer.
    private func startClosing(_ context: ChannelHandlerContext) {
        guard case .open = phase else { return }
        phase = .closing
        incoming = nil
        requestStart = nil
        waiting.removeAll()
        let lastWrite = context.eventLoop.makePromise(of: Void.self)
        lastWrite.futureResult.assumeIsolated().whenComplete { _ in self.finishClosing(context) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: lastWrite)
        arm(context)
    }

    private func finishClosing(_ context: ChannelHandlerContext) {
        guard self.context != nil else { return }
        if inputIsClosed {
            context.close(promise: nil)
        } else {
            phase = .lingering(since: .now())
            context.close(mode: .output, promise: nil)
            if readIsHeld { context.read() }
            arm(context)
        }
    }

    /// Tells an open connection that the server is shutting down: its next answer is the last.
    func drain() {
        guard let context, case .open = phase else { return }
        drainStart = .now()
        arm(context)
    }

    /// Closes the connection at once.
    func abort() {
        context?.close(promise: nil)
    }

    // MARK: Time

    /// When the connection times out unless something happens; nil while the peer waits for the service.
    private var due: NIODeadline? {
        if awaitsWorker || hasTurnComing { return nil }
        if case .lingering(let since) = phase { return since + Self.lingerTime }
        if let requestStart, waiting.isEmpty { return requestStart + settings.requestReadTimeout }
        if let drainStart, waiting.isEmpty, case .open = phase { return drainStart + settings.drainIdleTime }
        return lastActivity + settings.idleTimeout
    }

    /// Ensures that a timer fires no later than the due time; a timer that fires early arms itself again.
    private func arm(_ context: ChannelHandlerContext) {
        guard let due else { return }
        if let timer {
            guard due < timer.due else { return }
            timer.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.timerFired(context) }
        timer = (due, task)
    }

    private func timerFired(_ context: ChannelHandlerContext) {
        timer = nil
        guard let due, NIODeadline.now() >= due else {
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
