import Dispatch

/// The rows of a query as RFC 4180 text with a header, as the server sends them.
///
/// The query runs in a transaction that can only read, and all rows come from one state of the database. A null is an
/// empty field, texts are UTF-8, and times are ISO 8601, in UTC if they have a zone. Only the bytes at hand are in memory.
public final class QueryCopy {
    /// How long a connection may take; the query itself may take any time.
    private static let patience: UInt64 = 30_000_000_000

    private let session: Session
    private let server: String
    private var isAtEnd = false

    /// Connects and runs a query.
    ///
    /// - Parameters:
    ///   - query: One statement that gives rows.
    ///   - address: The server.
    /// - Throws: ``PostgreSQLError``.
    public init(_ query: String, on address: ServerAddress) throws(PostgreSQLError) {
        session = try Session(address)
        server = address.name
        let deadline = DispatchTime.now().uptimeNanoseconds + Self.patience
        try finish(Exchange([], on: session, isConnected: false, server: server), until: deadline)
        let statement = query.reversed().drop { $0.isWhitespace || $0 == ";" }.reversed()
        let commands: [Command] = [
            .configure(["client_encoding": "UTF8", "datestyle": "ISO", "timezone": "UTC"]),
            .run("BEGIN TRANSACTION READ ONLY"),
            // The line feed ends a comment at the end of the query.
            .copyOut("COPY (\(String(statement))\n) TO STDOUT WITH (FORMAT csv, HEADER true)"),
        ]
        try finish(Exchange(commands, on: session, isConnected: true, server: server), until: .max)
    }

    /// The next rows, `count` bytes of text or a little more; empty at the end.
    ///
    /// - Throws: ``PostgreSQLError``, for a query that fails after its first rows too.
    public func read(about count: Int) throws(PostgreSQLError) -> [UInt8] {
        var text: [UInt8] = []
        while !isAtEnd, text.count < count {
            switch session.takeRow(into: &text) {
            case .row: break
            case .waiting: try wait(writing: false, until: .max)
            case .ended:
                try requireWhole()
                isAtEnd = true
            case .failed: throw failure
            }
        }
        return text
    }

    private var failure: PostgreSQLError { .unreachable(server: server, reason: session.message) }

    /// Reads the replies after the last row.
    private func requireWhole() throws(PostgreSQLError) {
        while true {
            while session.isBusy { try wait(writing: false, until: .max) }
            switch session.next() {
            case .refused(let state, let message): throw .refused(server: server, state: state, message: message)
            case nil: return
            default: break
            }
        }
    }

    private func finish(_ exchange: Exchange, until deadline: UInt64) throws(PostgreSQLError) {
        var exchange = exchange
        while try !exchange.proceed() { try wait(writing: exchange.isWriting, until: deadline, receives: false) }
    }

    /// Waits for the socket, and reads what has arrived if `receives` is true.
    private func wait(writing: Bool, until deadline: UInt64, receives: Bool = true) throws(PostgreSQLError) {
        let now = DispatchTime.now().uptimeNanoseconds
        guard now < deadline else { throw .late(server: server) }
        Sockets.wait(for: [(session.descriptor, writing)], until: deadline, now: now)
        guard !receives || session.receive() else { throw failure }
    }
}
