import NIOCore
import NIOPosix

/// The generator's work on its event loop: sends due requests on free connections and records the outcomes.
///
/// The loop sleeps in `epoll_wait`, wakes ``wakingTime`` before a request is due, and polls from then on, because a
/// timer alone would send tens of microseconds late. Constant polling would save another wake-up per answer. But then
/// the scheduler treats the thread as CPU-bound and preempts it for milliseconds as soon as another thread wants its
/// core. NIO's loop has no poll mode, and a task that resubmits itself would block its sockets. A callback after
/// ``pollInterval`` lets the loop serve them first.
final class LoadLoop: NIOScheduledCallbackHandler {
    private static let pollInterval = TimeAmount.microseconds(1)
    private static let wakingTime = TimeAmount.microseconds(50)
    private static let housekeepingInterval = TimeAmount.milliseconds(1)
    private static let reopenInterval = TimeAmount.milliseconds(20)
    private static let lateness = TimeAmount.microseconds(100)

    /// The run in progress.
    private final class Run {
        var schedule: Schedule
        var measurement = LoadMeasurement()
        var lastOK: NIODeadline
        var progress = LoadProgress()
        var lastProgress: NIODeadline
        let observer: RunObserver
        let promise: EventLoopPromise<LoadMeasurement>

        init(_ schedule: Schedule, observer: RunObserver, promise: EventLoopPromise<LoadMeasurement>) {
            self.schedule = schedule
            self.observer = observer
            self.promise = promise
            lastOK = schedule.measuredFrom
            lastProgress = schedule.start
            if case .constant(let rate) = schedule.pacing { measurement.rate = rate }
        }

        /// Counts a request that got no answer.
        func count(_ due: NIODeadline, as kind: WritableKeyPath<LoadMeasurement, Int>) {
            progress.errors += 1
            if schedule.isMeasured(due) { measurement[keyPath: kind] += 1 }
        }
    }

    private let eventLoop: any EventLoop
    private let target: LoadTarget
    private let requests: [ByteBuffer]
    private let timeout: TimeAmount
    private var nextRequest = 0
    private var connections: [ClientConnection] = []
    /// The free connections, longest free first.
    private var idle = CircularBuffer<ClientConnection>()
    /// The number of connections that are being opened.
    private var opening = 0
    private var inFlight = 0
    private var run: Run?
    private var nextHousekeeping = NIODeadline.now()
    private var wake: (time: NIODeadline, callback: NIOScheduledCallback)?
    /// Set at the end: no connection is opened any more.
    private var closing: EventLoopPromise<Void>?

    init(eventLoop: any EventLoop, target: LoadTarget, requests: RequestPool, timeout: TimeAmount) {
        self.eventLoop = eventLoop
        self.target = target
        self.requests = requests.requests
        self.timeout = timeout
    }

    // MARK: Connections

    /// Opens one more connection.
    func open() -> EventLoopFuture<Void> {
        let loop = NIOLoopBound(self, eventLoop: eventLoop)
        opening += 1
        return ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ClientConnection(loop: loop.value))
                }
            }
            .connect(host: target.host, port: target.port)
            .flatMapThrowing { channel in
                loop.value.opened(try channel.pipeline.syncOperations.handler(type: ClientConnection.self))
            }
            .always { _ in loop.value.finishOpening() }
    }

    private func finishOpening() {
        opening -= 1
        if opening == 0 { closing?.succeed() }
    }

    private func opened(_ connection: ClientConnection) {
        guard closing == nil else { return connection.close() }
        connections.append(connection)
        idle.append(connection)
        if let run { sendDue(run, .now()) }
    }

    /// Replaces a connection that closed.
    func closed(_ connection: ClientConnection) {
        guard let place = connections.firstIndex(where: { $0 === connection }) else { return }
        connections.remove(at: place)
        idle.removeAll { $0 === connection }
        if let request = connection.pending {
            inFlight -= 1
            run?.count(request.due, as: \.disconnects)
        }
        reopen()
    }

    private func reopen() {
        guard closing == nil else { return }
        let loop = NIOLoopBound(self, eventLoop: eventLoop)
        open().whenFailure { _ in
            loop.eventLoop.scheduleTask(in: Self.reopenInterval) { loop.value.reopen() }
        }
    }

    /// Closes all connections permanently.
    ///
    /// The future is ready when no connection is being opened, so that nothing needs the event loop any more.
    func close() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        closing = promise
        for connection in connections { connection.close() }
        if opening == 0 { promise.succeed() }
        return promise.futureResult
    }

    // MARK: A run

    /// Starts a run; its measurement is ready when every due request is answered or given up.
    func start(
        _ pacing: Pacing,
        duration: TimeAmount,
        warmUp: TimeAmount,
        observer: RunObserver
    ) -> EventLoopFuture<LoadMeasurement> {
        precondition(run == nil, "a run is in progress")
        let promise = eventLoop.makePromise(of: LoadMeasurement.self)
        let start = NIODeadline.now()
        let schedule = Schedule(pacing, start: start, warmUp: warmUp, duration: duration)
        let run = Run(schedule, observer: observer, promise: promise)
        self.run = run
        nextHousekeeping = start + Self.housekeepingInterval
        advance(run, start)
        return promise.futureResult
    }

    /// Records an answer and sends the next due request on the freed connection.
    func received(_ answer: Answer, to request: PendingRequest, on connection: ClientConnection, at now: NIODeadline) {
        inFlight -= 1
        if !answer.closes { idle.append(connection) }
        guard let run else { return }
        let isOK = 200...299 ~= answer.status
        let latency = (now - request.due).nanoseconds
        if run.schedule.isMeasured(request.due) {
            let serviceTime = (now - request.sent).nanoseconds
            run.measurement.record(answer.status, latency: latency, serviceTime: serviceTime)
            if isOK { run.lastOK = now }
        }
        if isOK {
            run.progress.ok += 1
            run.progress.latency.record(nanoseconds: latency)
        } else {
            run.progress.errors += 1
        }
        sendDue(run, now)
    }

    /// Ends the run without a measurement.
    func fail(_ error: LoadError) {
        run?.promise.fail(error)
        run = nil
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        wake = nil
        if let run { advance(run, .now()) }
    }

    private func advance(_ run: Run, _ now: NIODeadline) {
        if now >= nextHousekeeping {
            nextHousekeeping = now + Self.housekeepingInterval
            keepHouse(run, now)
        }
        sendDue(run, now)
    }

    /// Ensures that the loop wakes in time for the next request; while requests wait for a connection, answers wake
    /// it.
    private func scheduleWake(_ run: Run, _ now: NIODeadline) {
        var time = nextHousekeeping
        if let due = run.schedule.nextDue(at: now), due > now {
            time = min(time, max(due - Self.wakingTime, now + Self.pollInterval))
        }
        if let wake {
            guard time < wake.time else { return }
            wake.callback.cancel()
        }
        do {
            wake = (time, try eventLoop.assumeIsolated().scheduleCallback(at: time, handler: self))
        } catch {
            preconditionFailure("the event loop ended during a run: \(error)")
        }
    }

    /// Sends due requests while a connection is free, then schedules the next wake-up.
    private func sendDue(_ run: Run, _ now: NIODeadline) {
        while let connection = idle.first, let due = run.schedule.nextDue(at: now), due <= now {
            run.schedule.take()
            guard now - due <= timeout else {
                run.count(due, as: \.unsent)
                continue
            }
            idle.removeFirst()
            let sent = connection.send(requests[nextRequest], due: due)
            nextRequest = nextRequest + 1 == requests.count ? 0 : nextRequest + 1
            inFlight += 1
            guard run.schedule.isMeasured(due) else { continue }
            run.measurement.sent += 1
            if sent - due > Self.lateness { run.measurement.late += 1 }
        }
        if inFlight == 0, run.schedule.nextDue(at: now) == nil { finish(run) } else { scheduleWake(run, now) }
    }

    /// Gives up requests that waited too long, and reports the progress.
    private func keepHouse(_ run: Run, _ now: NIODeadline) {
        for connection in connections {
            guard let request = connection.pending, now - request.sent > timeout else { continue }
            inFlight -= 1
            run.count(request.due, as: \.timeouts)
            connection.abandon()
        }
        while let due = run.schedule.nextDue(at: now), now - due > timeout {
            run.schedule.take()
            run.count(due, as: \.unsent)
        }
        if run.observer.shouldStop() { run.schedule.end = min(run.schedule.end, now) }
        guard let report = run.observer.onProgress, now - run.lastProgress >= .seconds(1) else { return }
        run.progress.seconds = Double((now - run.lastProgress).nanoseconds) / 1e9
        report(run.progress)
        run.progress = LoadProgress()
        run.lastProgress = now
    }

    private func finish(_ run: Run) {
        self.run = nil
        let end = max(run.schedule.end, run.lastOK)
        run.measurement.seconds = Double(max(0, (end - run.schedule.measuredFrom).nanoseconds)) / 1e9
        run.promise.succeed(run.measurement)
    }
}
