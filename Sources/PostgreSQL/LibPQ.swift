#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The functions of libpq, the client library of PostgreSQL, loaded when the first connection needs them.
///
/// The program neither links nor ships libpq, so it runs without it unless a setting or an option names a server. All
/// unsafe code of this module is in this file.
@safe private struct LibPQ: Sendable {
    typealias Text = UnsafePointer<CChar>
    typealias Texts = UnsafePointer<UnsafePointer<CChar>?>
    typealias Numbers = UnsafePointer<Int32>

    let connectStart: @convention(c) (Text) -> OpaquePointer?
    let connectPoll: @convention(c) (OpaquePointer) -> Int32
    let finish: @convention(c) (OpaquePointer) -> Void
    let status: @convention(c) (OpaquePointer) -> Int32
    let socket: @convention(c) (OpaquePointer) -> Int32
    let errorMessage: @convention(c) (OpaquePointer) -> Text?
    let setNonBlocking: @convention(c) (OpaquePointer, Int32) -> Int32
    let sendPrepare: @convention(c) (OpaquePointer, Text, Text, Int32, UnsafeRawPointer?) -> Int32
    let sendQuery:
        @convention(c) (OpaquePointer, Text, Int32, UnsafeRawPointer?, Texts?, Numbers?, Numbers?, Int32) -> Int32
    let sendPrepared: @convention(c) (OpaquePointer, Text, Int32, Texts?, Numbers?, Numbers?, Int32) -> Int32
    let flush: @convention(c) (OpaquePointer) -> Int32
    let consumeInput: @convention(c) (OpaquePointer) -> Int32
    let isBusy: @convention(c) (OpaquePointer) -> Int32
    let getResult: @convention(c) (OpaquePointer) -> OpaquePointer?
    let putCopyData: @convention(c) (OpaquePointer, Text, Int32) -> Int32
    let putCopyEnd: @convention(c) (OpaquePointer, Text?) -> Int32
    let getCopyData: @convention(c) (OpaquePointer, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, Int32) -> Int32
    let freeMemory: @convention(c) (UnsafeMutableRawPointer) -> Void
    let resultStatus: @convention(c) (OpaquePointer) -> Int32
    let resultErrorField: @convention(c) (OpaquePointer, Int32) -> Text?
    let rowCount: @convention(c) (OpaquePointer) -> Int32
    let columnCount: @convention(c) (OpaquePointer) -> Int32
    let value: @convention(c) (OpaquePointer, Int32, Int32) -> Text?
    let length: @convention(c) (OpaquePointer, Int32, Int32) -> Int32
    let isNull: @convention(c) (OpaquePointer, Int32, Int32) -> Int32
    let clear: @convention(c) (OpaquePointer) -> Void
    let setNoticeProcessor:
        @convention(c) (
            OpaquePointer, @convention(c) (UnsafeMutableRawPointer?, Text?) -> Void, UnsafeMutableRawPointer?
        ) -> UnsafeRawPointer?

    /// The library, or why it cannot be used; loaded once.
    static let loaded = Result { () throws(PostgreSQLError) in try LibPQ() }

    private init() throws(PostgreSQLError) {
        guard let handle = unsafe dlopen("libpq.so.5", RTLD_NOW) ?? dlopen("libpq.5.dylib", RTLD_NOW) else {
            throw .libraryMissing(unsafe dlerror().map { unsafe String(cString: $0) } ?? "unknown reason")
        }
        func function<Function>(_ name: String) throws(PostgreSQLError) -> Function {
            guard let address = unsafe dlsym(handle, name) else { throw .libraryMissing("it has no function \(name)") }
            return unsafe unsafeBitCast(address, to: Function.self)
        }
        unsafe connectStart = try function("PQconnectStart")
        unsafe connectPoll = try function("PQconnectPoll")
        unsafe finish = try function("PQfinish")
        unsafe status = try function("PQstatus")
        unsafe socket = try function("PQsocket")
        unsafe errorMessage = try function("PQerrorMessage")
        unsafe setNonBlocking = try function("PQsetnonblocking")
        unsafe sendPrepare = try function("PQsendPrepare")
        unsafe sendQuery = try function("PQsendQueryParams")
        unsafe sendPrepared = try function("PQsendQueryPrepared")
        unsafe flush = try function("PQflush")
        unsafe consumeInput = try function("PQconsumeInput")
        unsafe isBusy = try function("PQisBusy")
        unsafe getResult = try function("PQgetResult")
        unsafe putCopyData = try function("PQputCopyData")
        unsafe putCopyEnd = try function("PQputCopyEnd")
        unsafe getCopyData = try function("PQgetCopyData")
        unsafe freeMemory = try function("PQfreemem")
        unsafe resultStatus = try function("PQresultStatus")
        unsafe resultErrorField = try function("PQresultErrorField")
        unsafe rowCount = try function("PQntuples")
        unsafe columnCount = try function("PQnfields")
        unsafe value = try function("PQgetvalue")
        unsafe length = try function("PQgetlength")
        unsafe isNull = try function("PQgetisnull")
        unsafe clear = try function("PQclear")
        unsafe setNoticeProcessor = try function("PQsetNoticeProcessor")
    }
}

/// One connection to a server that never waits: each call moves as many bytes as the socket takes or has, and returns.
///
/// One thread at a time may use it; ``ConnectionPool`` hands it over.
@safe final class Session: @unchecked Sendable {
    /// The next step of a connection that is being made.
    enum Progress { case reading, writing, connected, failed }

    /// The next message of the server.
    enum Reply {
        /// The rows of a finished statement.
        case rows(Rows)
        /// The server expects the rows of a COPY.
        case copying
        /// The server sends the rows of a COPY; see ``takeRow(into:)``.
        case sending
        /// The statement failed; the connection stays usable.
        case refused(state: String, message: String)
    }

    private let library: LibPQ
    private let connection: OpaquePointer
    private let address: ServerAddress
    /// Statements that were prepared on this connection.
    var prepared: Set<String> = []
    /// Values of parameters that were set on this connection.
    var parameters: [String: String] = [:]

    /// Starts to connect; the name of the host is looked up before this returns.
    ///
    /// - Throws: ``PostgreSQLError/libraryMissing(_:)``, or ``PostgreSQLError/badAddress(_:)``.
    init(_ address: ServerAddress) throws(PostgreSQLError) {
        library = try LibPQ.loaded.get()
        guard let connection = unsafe library.connectStart(address.url) else {
            throw .badAddress("there is no memory for a connection")
        }
        unsafe self.connection = connection
        self.address = address
        // Without this, libpq writes notices to standard error.
        _ = unsafe library.setNoticeProcessor(connection, { _, _ in }, nil)
    }

    /// Checks that libpq can be used.
    static func requireLibrary() throws(PostgreSQLError) { _ = try LibPQ.loaded.get() }

    deinit { unsafe library.finish(connection) }

    /// The socket; -1 when there is none.
    var descriptor: Int32 { unsafe library.socket(connection) }

    /// Why the last call failed, in one line and without a password of the address.
    var message: String {
        let text = unsafe library.errorMessage(connection).map { unsafe String(cString: $0) } ?? ""
        return address.withoutPassword(text.split(whereSeparator: \.isNewline).joined(separator: " "))
    }

    /// Proceeds with the connection.
    func connect() -> Progress {
        guard unsafe library.status(connection) != 1 else { return .failed }
        switch unsafe library.connectPoll(connection) {
        case 1: return .reading
        case 2: return .writing
        case 3: return unsafe library.setNonBlocking(connection, 1) == 0 ? .connected : .failed
        default: return .failed
        }
    }

    /// Prepares a statement; false when it cannot be sent.
    func prepare(_ name: String, _ statement: String) -> Bool {
        unsafe library.sendPrepare(connection, name, statement, 0, nil) == 1
    }

    /// Runs a statement, prepared or not, whose rows come in binary form; false when it cannot be sent.
    func send(_ statement: String, isPrepared: Bool, _ values: [Parameter]) -> Bool {
        // All values in one array, each with a zero byte behind it, which texts need.
        var bytes: [UInt8] = []
        let places = values.map { value in
            let start = bytes.count
            bytes += value.bytes
            bytes.append(0)
            return start
        }
        let lengths = values.map { Int32($0.bytes.count) }
        let formats = values.map { Int32($0.isBinary ? 1 : 0) }
        let count = Int32(values.count)
        return unsafe bytes.withUnsafeBytes { buffer in
            let start = unsafe buffer.bindMemory(to: CChar.self).baseAddress
            let texts = unsafe places.map { place in unsafe start.map { unsafe $0 + place } }
            guard isPrepared else {
                return unsafe library.sendQuery(connection, statement, count, nil, texts, lengths, formats, 1) == 1
            }
            return unsafe library.sendPrepared(connection, statement, count, texts, lengths, formats, 1) == 1
        }
    }

    /// Sends the buffered bytes: true when all were sent, nil when the connection failed.
    func flush() -> Bool? {
        switch unsafe library.flush(connection) {
        case 0: true
        case 1: false
        default: nil
        }
    }

    /// Reads the bytes that have arrived; false when the connection failed.
    func receive() -> Bool { unsafe library.consumeInput(connection) == 1 }

    /// Whether ``next()`` would have to wait.
    var isBusy: Bool { unsafe library.isBusy(connection) == 1 }

    /// The next reply to the last statement; nil when there is none any more.
    func next() -> Reply? {
        guard let result = unsafe library.getResult(connection) else { return nil }
        defer { unsafe library.clear(result) }
        switch unsafe library.resultStatus(result) {
        case 1, 2: return unsafe .rows(rows(of: result))
        case 3: return .sending
        case 4: return .copying
        default:
            func field(_ code: Character) -> String {
                let text = unsafe library.resultErrorField(result, Int32(code.asciiValue ?? 0))
                return unsafe text.map { unsafe String(cString: $0) } ?? ""
            }
            let text = field("M")
            return .refused(state: field("C"), message: text.isEmpty ? message : text)
        }
    }

    /// Sends rows of a COPY: false when the buffer is full, nil when the connection failed.
    func copy(_ rows: [UInt8]) -> Bool? {
        let result = unsafe rows.withUnsafeBytes { buffer in
            unsafe buffer.bindMemory(to: CChar.self).baseAddress.map { start in
                unsafe library.putCopyData(connection, start, Int32(buffer.count))
            }
        }
        switch result {
        case 1, nil: return true
        case 0: return false
        default: return nil
        }
    }

    /// Ends a COPY: false when the buffer is full, nil when the connection failed.
    func endCopy() -> Bool? {
        switch unsafe library.putCopyEnd(connection, nil) {
        case 1: true
        case 0: false
        default: nil
        }
    }

    /// The result of ``takeRow(into:)``.
    enum Taken { case row, waiting, ended, failed }

    /// Appends the next row that the server sends for a COPY, without waiting.
    func takeRow(into bytes: inout [UInt8]) -> Taken {
        var row: UnsafeMutablePointer<CChar>?
        let length = unsafe library.getCopyData(connection, &row, 1)
        guard let start = unsafe row, length > 0 else {
            return length == 0 ? .waiting : length == -1 ? .ended : .failed
        }
        defer { unsafe library.freeMemory(start) }
        unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: Int(length)))
        return .row
    }

    private func rows(of result: OpaquePointer) -> Rows {
        let (count, columns) = unsafe (Int(library.rowCount(result)), Int(library.columnCount(result)))
        var bytes: [UInt8] = []
        var ends: [Int] = []
        var nulls: Set<Int> = []
        for row in 0..<Int32(count) {
            for column in 0..<Int32(columns) {
                if unsafe library.isNull(result, row, column) == 1 {
                    nulls.insert(ends.count)
                } else if let start = unsafe library.value(result, row, column) {
                    let length = Int(unsafe library.length(result, row, column))
                    unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: length))
                }
                ends.append(bytes.count)
            }
        }
        return Rows(count: count, columns: columns, bytes: bytes, ends: ends, nulls: nulls)
    }
}

/// Waits for sockets.
enum Sockets {
    /// Waits until one of some sockets is ready, or until a time.
    ///
    /// - Parameters:
    ///   - sockets: Sockets, and whether each waits to write rather than to read.
    ///   - deadline: The time in nanoseconds of the system's uptime; `.max` is never.
    ///   - now: The current time.
    static func wait(for sockets: [(descriptor: Int32, isWriting: Bool)], until deadline: UInt64, now: UInt64) {
        var polled = sockets.map { socket in
            pollfd(fd: socket.descriptor, events: Int16(socket.isWriting ? POLLIN | POLLOUT : POLLIN), revents: 0)
        }
        let left = deadline == .max ? -1 : Int32(min(3_600_000, (max(deadline, now) - now + 999_999) / 1_000_000))
        _ = unsafe poll(&polled, nfds_t(polled.count), left)
    }
}
