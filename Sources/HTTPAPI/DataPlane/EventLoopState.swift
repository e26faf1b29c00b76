import NIOCore

/// What the connections of one event loop share.
final class EventLoopState {
    /// Names requests and answers them.
    let responder: RequestResponder
    /// Where heavy requests go.
    let workers: WorkerThreads
    /// The open connections.
    var connections: [ObjectIdentifier: ConnectionHandler] = [:]

    private let eventLoop: NIOIsolatedEventLoop
    private var backlog: Backlog
    private var endBatch: () -> Void = {}
    private var turns = CircularBuffer<ConnectionHandler>()

    /// Must be made on the loop.
    init(eventLoop: any EventLoop, responder: RequestResponder, workers: WorkerThreads, backlog: Backlog) {
        self.eventLoop = eventLoop.assumeIsolated()
        self.responder = responder
        self.workers = workers
        self.backlog = backlog
        endBatch = { [weak self] in self?.backlog.end() }
    }

    /// When the batch of events that the loop is serving began.
    func batchStart() -> NIODeadline {
        if let start = backlog.start { return start }
        let now = NIODeadline.now()
        backlog.begin(at: now)
        // The loop runs what it is given here after the batch's last event.
        eventLoop.execute(endBatch)
        return now
    }

    /// Answers a request inline, unless it is too heavy for that.
    func respond(to request: IncomingRequest) -> Answer? {
        _ = batchStart()
        let now = NIODeadline.now()
        if request.problem == nil, request.route?.hasBody == true, !backlog.admits(at: now) { return refuse(request) }
        responder.recorder.inFlight = 1
        defer { responder.recorder.inFlight = 0 }
        return responder.respondUnlessHeavy(to: request, at: now)
    }

    /// Answers a request that there is no room for.
    func refuse(_ request: IncomingRequest) -> Answer {
        var request = request
        request.problem = .overloaded
        return responder.respond(to: request)
    }

    /// Lets a connection go on answering after the loop has looked at the other ones.
    func enqueueTurn(_ connection: ConnectionHandler) {
        turns.append(connection)
        if turns.count == 1 { scheduleTurn() }
    }

    private func scheduleTurn() {
        // What is due at once would run before the loop asks the sockets again.
        eventLoop.scheduleTask(in: .microseconds(10)) { [weak self] in
            guard let self, let connection = turns.first else { return }
            connection.takeTurn()
            turns.removeFirst()
            if !turns.isEmpty { scheduleTurn() }
        }
    }
}
