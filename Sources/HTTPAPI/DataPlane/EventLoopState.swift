import NIOCore

/// The state that the connections of one event loop share.
final class EventLoopState {
    /// Makes request ids and answers requests.
    let responder: RequestResponder
    /// Answers heavy requests.
    let workers: WorkerThreads
    /// The open connections.
    var connections: [ObjectIdentifier: ConnectionHandler] = [:]

    private let eventLoop: NIOIsolatedEventLoop
    private var backlog: Backlog
    private var endBatch: () -> Void = {}
    private var turns = CircularBuffer<ConnectionHandler>()

    /// Creates the state; must run on the loop.
    init(eventLoop: any EventLoop, responder: RequestResponder, workers: WorkerThreads, backlog: Backlog) {
        self.eventLoop = eventLoop.assumeIsolated()
        self.responder = responder
        self.workers = workers
        self.backlog = backlog
        endBatch = { [weak self] in self?.backlog.end() }
    }

    /// When the current batch of events began.
    func batchStart() -> NIODeadline {
        if let start = backlog.start { return start }
        let now = NIODeadline.now()
        backlog.begin(at: now)
        // The loop runs this task after the batch's last event.
        eventLoop.execute(endBatch)
        return now
    }

    /// Answers a request inline; nil if it is too heavy for the loop.
    func respond(to request: IncomingRequest) -> Answer? {
        _ = batchStart()
        let now = NIODeadline.now()
        if request.problem == nil, request.route?.hasBody == true, !backlog.admits(at: now) { return refuse(request) }
        responder.recorder.inFlight = 1
        defer { responder.recorder.inFlight = 0 }
        return responder.respondUnlessHeavy(to: request, at: now)
    }

    /// Refuses a request because of overload.
    func refuse(_ request: IncomingRequest) -> Answer {
        var request = request
        request.problem = .overloaded
        return responder.respond(to: request)
    }

    /// Schedules a connection's next turn, after the loop has served the other connections.
    func enqueueTurn(_ connection: ConnectionHandler) {
        turns.append(connection)
        if turns.count == 1 { scheduleTurn(after: .zero) }
    }

    /// Schedules the first connection's turn after one that took some time.
    private func scheduleTurn(after duration: TimeAmount) {
        // The loop runs all due tasks before it polls the sockets again. So the turn must not be due when the loop looks
        // for tasks, and a slow loop takes longer to get there.
        let delay = max(.microseconds(10), TimeAmount.nanoseconds(duration.nanoseconds / 64))
        eventLoop.scheduleTask(in: delay) { [weak self] in
            guard let self, let connection = turns.first else { return }
            let start = NIODeadline.now()
            connection.takeTurn()
            turns.removeFirst()
            if !turns.isEmpty { scheduleTurn(after: .now() - start) }
        }
    }
}
