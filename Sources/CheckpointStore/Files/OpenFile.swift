import Foundation
import GRDB
import Kernels
import Synchronization

/// The connections to a store's file, and the file's identity.
struct OpenFile: Sendable {
    /// How the file of an open store was replaced.
    enum Replacement: Equatable {
        /// The path leads to no file.
        case nothing
        /// The path leads to another file, beside the former file's write-ahead log.
        case besideFormerLog
        /// The path leads to another file.
        case another
        /// The file is there, but its write-ahead log was removed or replaced.
        case withoutLog

        /// Why the store rejects changes, and what to do.
        func error(_ path: String) -> CheckpointError {
            let reason =
                switch self {
                case .nothing: "it was deleted or moved. Put it back; until then changes are refused."
                case .besideFormerLog:
                    "another file has taken its place, beside the former file's log. Remove '\(path)-wal' and '\(path)-shm';"
                        + " until then changes are refused."
                case .withoutLog:
                    "its write-ahead log '\(path)-wal' was removed or replaced. The next check opens the store again; try again"
                        + " then, and never remove that file while the store is in use."
                case .another: "another file has taken its place. The next check opens it; try again then."
                }
            return .replaced(path: path, reason: reason)
        }
    }

    /// A file's device and number; another file at the same path has others.
    private struct Identity: Equatable {
        let device: UInt64
        let file: UInt64

        init?(_ path: String) {
            let resolved = URL(filePath: path).resolvingSymlinksInPath().path
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: resolved),
                let device = attributes[.systemNumber] as? NSNumber,
                let file = attributes[.systemFileNumber] as? NSNumber
            else { return nil }
            (self.device, self.file) = (device.uint64Value, file.uint64Value)
        }
    }

    /// Databases whose files were replaced; closing one would delete the log of the new file at its path.
    private static let abandoned = Mutex<[any DatabaseWriter]>([])

    let database: any DatabaseWriter
    private let identity: Identity?
    private var log: Identity?

    /// Opens a store's file; see ``CheckpointStore/init(path:readOnly:)``.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - readOnly: Whether the store must not be changed.
    ///   - isForeign: Whether it is a foreign file, which one bounded connection only reads.
    ///   - lockWaiting: How to wait for locks.
    ///   - pageLimit: The most pages of the file.
    /// - Throws: ``CheckpointError``, and SQLite's errors.
    init(path: String, readOnly: Bool, isForeign: Bool, _ lockWaiting: LockWaiting, _ pageLimit: Int?) throws {
        precondition(readOnly || !isForeign, "a foreign file opened for writing")
        let size = try FileHeader(path: path)?.size
        if readOnly, size == nil { throw CheckpointError.notFound(path: path) }
        if readOnly, size == 0 { throw CheckpointError.notAStore(path: path) }
        let configuration = Self.configuration(readOnly: readOnly, lockWaiting)
        var isCurrent = false
        if let size, size > 0 {
            // Check with a read-only connection, because opening a pool for writing sets the journal mode.
            let looking = try Self.bounded(path: path, Self.configuration(readOnly: true, lockWaiting))
            switch try looking.read({ try Migrations.state(of: $0, path: path) }) {
            case .current: isCurrent = true
            case .empty: if readOnly { throw CheckpointError.notAStore(path: path) }
            case .older(let missing):
                if readOnly { throw CheckpointError.olderSchema(path: path, missing: missing) }
            }
            if isForeign {
                database = looking
                identity = nil
                return
            }
            // An open connection would keep the pool from setting the journal mode.
            try looking.close()
        }
        database = try DatabasePool(path: path, configuration: configuration)
        if !readOnly {
            try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            if !isCurrent { try Migrations.apply(to: database) }
        }
        if let pageLimit {
            try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pageLimit)") }
        }
        identity = Identity(path)
        log = Identity(path + "-wal")
    }

    /// How the file was replaced, or nil if it was not.
    mutating func replacement(at path: String) -> Replacement? {
        guard let identity else { return nil }
        let now = Identity(path)
        if now == identity {
            let found = Identity(path + "-wal")
            if log == nil { log = found }
            return found == log ? nil : .withoutLog
        }
        guard now != nil else { return .nothing }
        return log != nil && Identity(path + "-wal") == log ? .besideFormerLog : .another
    }

    /// Closes the connections to a file whose log was removed, which writes the log's changes into the file.
    ///
    /// All connections must end before new ones begin, because a process has one index of the log for each file. Another
    /// process' new log must not be there, because the last connection deletes the log by its name.
    ///
    /// - Parameter path: The file.
    /// - Throws: ``CheckpointError/replaced(path:reason:)`` when there is such a log.
    func mergeLog(at path: String) throws {
        guard !FileManager.default.fileExists(atPath: path + "-wal") else {
            throw CheckpointError.replaced(
                path: path,
                reason:
                    "another process has replaced its write-ahead log. Restart this process; until then changes are refused."
            )
        }
        (database as? DatabasePool)?.releaseMemory()
        try database.close()
    }

    /// Leaves the connections open for ever, because their path leads to another file.
    func abandon() {
        // Its cached statements hold the last content that was written.
        database.asyncWriteWithoutTransaction { $0.releaseMemory() }
        Self.abandoned.withLock { $0.append(database) }
    }

    // MARK: Connections

    /// The most steps of a statement on a foreign file; an intact one needs some thousand.
    private static let mostSteps = 20_000_000

    /// A connection to a file that may be damaged.
    private static func bounded(path: String, _ configuration: Configuration) throws -> DatabaseQueue {
        let bytes = [path, path + "-wal"].reduce(0) { sum, file in
            sum + ((try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0)
        }
        // No value is longer than the file; error messages and pragmas need a little more.
        return try DatabaseConfinement.bounded(valueBytes: min(bytes + 65_536, 1_000_000_000), steps: mostSteps) {
            try DatabaseQueue(path: path, configuration: configuration)
        }
    }

    static func configuration(readOnly: Bool, _ lockWaiting: LockWaiting) -> Configuration {
        DatabaseConfinement.begin()
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .callback { lockWaiting.wait(after: $0) }
        configuration.label = "CheckpointStore"
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA trusted_schema = OFF;
                    PRAGMA cell_size_check = ON;
                    PRAGMA mmap_size = 0;
                    """
            )
            if !db.configuration.readonly {
                try db.execute(
                    sql: """
                        PRAGMA page_size = 16384;
                        PRAGMA auto_vacuum = INCREMENTAL;
                        PRAGMA journal_size_limit = 67108864;
                        """
                )
            }
        }
        return configuration
    }
}
