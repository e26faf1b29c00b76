import Dispatch
import Synchronization

/// The connections to one server, and whether it is worth asking.
///
/// A connection has one user at a time; the pool opens another one when all are in use. A server that could not be
/// reached, or that was late several times in a row, is left alone for a second: requests then fail at once instead of
/// waiting, and one request a second tries again.
public final class ConnectionPool: Sendable {
    private struct State {
        var idle: [Session] = []
        var lateInARow = 0
        var retryAt: UInt64 = 0
    }

    private static let pause: UInt64 = 1_000_000_000
    private static let mostLateInARow = 3

    /// The server.
    public let address: ServerAddress
    private let state = Mutex(State())

    /// Checks that libpq can be used.
    ///
    /// - Throws: ``PostgreSQLError/libraryMissing(_:)``.
    public static func requireLibrary() throws(PostgreSQLError) { try Session.requireLibrary() }

    /// A pool without connections.
    public init(_ address: ServerAddress) { self.address = address }

    /// Whether the server may be asked now; while it is left alone, this is true for one caller a second.
    func admits(at now: UInt64) -> Bool {
        state.withLock { state in
            guard state.retryAt > 0 else { return true }
            guard now >= state.retryAt else { return false }
            state.retryAt = now + Self.pause
            return true
        }
    }

    /// An idle connection, or nil when all are in use.
    func take() -> Session? { state.withLock { $0.idle.popLast() } }

    /// Takes back a connection whose commands are done; the server works.
    func giveBack(_ session: Session) {
        state.withLock { state in
            state.idle.append(session)
            (state.lateInARow, state.retryAt) = (0, 0)
        }
    }

    /// Closes the idle connections, which broke together with one of them.
    func closeIdle() {
        let closed = state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        _ = closed
    }

    /// Notes that the server could not be reached.
    func noteFailure(at now: UInt64) { state.withLock { $0.retryAt = now + Self.pause } }

    /// Notes that the server did not answer in time.
    func noteLate(at now: UInt64) {
        state.withLock { state in
            state.lateInARow += 1
            if state.lateInARow >= Self.mostLateInARow { state.retryAt = now + Self.pause }
        }
    }
}

extension ConnectionPool {
    /// Asks several servers at once, and waits until each has answered or failed.
    ///
    /// The calling thread waits for all sockets together, so it must not be an event loop. A connection from the pool
    /// that turns out to be broken is replaced once, because the server may have restarted.
    ///
    /// - Parameters:
    ///   - questions: The commands for each server.
    ///   - deadline: The time at which the answers that are still missing count as late. Unit: nanoseconds of the
    ///     system's uptime.
    /// - Returns: In order, the rows of each server's last command, or why there are none.
    public static func ask(
        _ questions: [(pool: ConnectionPool, commands: [Command])],
        until deadline: UInt64
    ) -> [Result<Rows, PostgreSQLError>] {
        var now = DispatchTime.now().uptimeNanoseconds
        var calls = questions.map { Call($0.pool, $0.commands, at: now) }
        while true {
            for place in calls.indices { calls[place].proceed(at: now) }
            let waiting = calls.compactMap(\.socket)
            guard !waiting.isEmpty else { break }
            now = DispatchTime.now().uptimeNanoseconds
            guard now < deadline else { break }
            Sockets.wait(for: waiting, until: deadline, now: now)
            now = DispatchTime.now().uptimeNanoseconds
        }
        return calls.map { $0.end(at: now) }
    }

    /// Asks one server.
    ///
    /// - Throws: ``PostgreSQLError``.
    public func ask(_ commands: [Command], until deadline: UInt64 = .max) throws(PostgreSQLError) -> Rows {
        try Self.ask([(self, commands)], until: deadline)[0].get()
    }
}

/// The commands to one server.
private struct Call {
    private let pool: ConnectionPool
    private let commands: [Command]
    private var exchange: Exchange?
    /// Whether the connection comes from the pool.
    private var isReused = false
    private var result: Result<Rows, PostgreSQLError>?

    init(_ pool: ConnectionPool, _ commands: [Command], at now: UInt64) {
        self.pool = pool
        self.commands = commands
        guard pool.admits(at: now) else {
            result = .failure(.unreachable(server: pool.address.name, reason: "it failed less than a second ago."))
            return
        }
        if let session = pool.take() {
            isReused = true
            exchange = Exchange(commands, on: session, isConnected: true, server: pool.address.name)
        } else {
            connect()
        }
    }

    /// The socket to wait for; nil when the call has ended.
    var socket: (descriptor: Int32, isWriting: Bool)? {
        guard result == nil, let exchange else { return nil }
        return (exchange.session.descriptor, exchange.isWriting)
    }

    mutating func proceed(at now: UInt64) {
        while result == nil, exchange != nil {
            do throws(PostgreSQLError) {
                guard try exchange?.proceed() == true, let exchange else { return }
                pool.giveBack(exchange.session)
                result = .success(exchange.rows)
            } catch {
                fail(error, at: now)
            }
        }
    }

    private mutating func connect() {
        isReused = false
        do throws(PostgreSQLError) {
            let session = try Session(pool.address)
            exchange = Exchange(commands, on: session, isConnected: false, server: pool.address.name)
        } catch {
            result = .failure(error)
        }
    }

    private mutating func fail(_ error: PostgreSQLError, at now: UInt64) {
        if case .refused = error, let exchange {
            pool.giveBack(exchange.session)
            result = .failure(error)
            return
        }
        if isReused {
            pool.closeIdle()
            connect()
        } else {
            pool.noteFailure(at: now)
            result = .failure(error)
        }
    }

    /// The result; without one the server is late, and its connection closes.
    func end(at now: UInt64) -> Result<Rows, PostgreSQLError> {
        if let result { return result }
        pool.noteLate(at: now)
        return .failure(.late(server: pool.address.name))
    }
}
