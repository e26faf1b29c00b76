/// A command to a server.
public enum Command: Sendable {
    /// A statement that runs once.
    case run(String, [Parameter] = [])
    /// A statement that each connection prepares once, under a name.
    case execute(name: String, statement: String, [Parameter])
    /// Gives parameters of the session values; asks the server only for those that the connection does not have yet.
    case configure([String: String])
    /// A COPY FROM STDIN; the function gives the next bytes, and nil after the last.
    case copy(String, @Sendable () -> [UInt8]?)
    /// A COPY TO STDOUT, the last command of a session; it is done when the server begins to send.
    case copyOut(String)
}

/// Commands on one connection, which proceed as far as its socket allows.
struct Exchange {
    private enum Phase {
        case connecting
        case idle
        case awaiting
        case copying(rows: [UInt8]?)
    }

    let session: Session
    private let server: String
    private var commands: ArraySlice<Command>
    private var phase: Phase
    /// The statement that the connection prepares now.
    private var preparing: String?
    /// The parameters that the connection sets now.
    private var setting: [String: String] = [:]
    private var source: (@Sendable () -> [UInt8]?)?
    private var refusal: PostgreSQLError?
    /// Whether the next step waits until the socket can be written.
    private(set) var isWriting: Bool
    /// The rows of the last command.
    private(set) var rows = Rows()

    /// Commands for a connection that is ready or being made.
    init(_ commands: [Command], on session: Session, isConnected: Bool, server: String) {
        self.commands = commands[...]
        self.session = session
        self.server = server
        phase = isConnected ? .idle : .connecting
        isWriting = !isConnected
    }

    /// Proceeds without waiting.
    ///
    /// - Returns: Whether all commands are done.
    /// - Throws: ``PostgreSQLError/refused(server:state:message:)``, after which the connection stays usable, or
    ///   ``PostgreSQLError/unreachable(server:reason:)``.
    mutating func proceed() throws(PostgreSQLError) -> Bool {
        while true {
            switch phase {
            case .connecting:
                switch session.connect() {
                case .connected: phase = .idle
                case .reading: return wait(writing: false)
                case .writing: return wait(writing: true)
                case .failed: throw failure
                }
            case .idle:
                guard let command = commands.first else { return true }
                try send(command)
            case .awaiting:
                guard let isSent = session.flush(), session.receive() else { throw failure }
                guard isSent else { return wait(writing: true) }
                guard !session.isBusy else { return wait(writing: false) }
                try take(session.next())
            case .copying(let rows):
                guard let isTaken = rows.map({ session.copy($0) }) ?? session.endCopy() else { throw failure }
                guard isTaken else {
                    guard session.flush() != nil, session.receive() else { throw failure }
                    return wait(writing: true)
                }
                phase = rows == nil ? .awaiting : .copying(rows: source?())
            }
        }
    }

    private var failure: PostgreSQLError { .unreachable(server: server, reason: session.message) }

    private mutating func wait(writing: Bool) -> Bool {
        isWriting = writing
        return false
    }

    /// Sends a command, or prepares its statement first.
    private mutating func send(_ command: Command) throws(PostgreSQLError) {
        let isSent: Bool
        switch command {
        case .run(let statement, let values):
            isSent = session.send(statement, isPrepared: false, values)
        case .execute(let name, let statement, let values):
            if session.prepared.contains(name) {
                isSent = session.send(name, isPrepared: true, values)
            } else {
                preparing = name
                isSent = session.prepare(name, statement)
            }
        case .configure(let parameters):
            setting = parameters.filter { session.parameters[$0.key] != $0.value }
            guard !setting.isEmpty else {
                commands.removeFirst()
                return
            }
            let names = setting.keys.sorted()
            let calls = names.indices.map { "set_config($\(2 * $0 + 1), $\(2 * $0 + 2), false)" }
            let values = names.flatMap { [Parameter.text($0), .text(setting[$0] ?? "")] }
            isSent = session.send("SELECT \(calls.joined(separator: ", "))", isPrepared: false, values)
        case .copy(let statement, let source):
            self.source = source
            isSent = session.send(statement, isPrepared: false, [])
        case .copyOut(let statement):
            isSent = session.send(statement, isPrepared: false, [])
        }
        guard isSent else { throw failure }
        phase = .awaiting
    }

    /// Takes a reply to the statement that was sent; nil is its end.
    private mutating func take(_ reply: Session.Reply?) throws(PostgreSQLError) {
        switch reply {
        case .rows(let rows): self.rows = rows
        case .copying: phase = .copying(rows: source?())
        case .sending:
            commands.removeFirst()
            phase = .idle
        case .refused(let state, let message):
            refusal = .refused(server: server, state: state, message: message)
        case nil:
            phase = .idle
            if let refusal { throw refusal.isBroken ? failure : refusal }
            if let preparing { session.prepared.insert(preparing) } else { commands.removeFirst() }
            session.parameters.merge(setting) { $1 }
            (preparing, setting) = (nil, [:])
        }
    }
}

extension PostgreSQLError {
    /// Whether the server ended the connection with its refusal, or cannot work at all now.
    fileprivate var isBroken: Bool {
        // Class 57 is an intervention of the operator, such as a shutdown; 57014 is a statement that was cancelled.
        guard case .refused(_, let state, _) = self else { return false }
        return state.hasPrefix("08") || state.hasPrefix("57P") || state.isEmpty
    }
}
