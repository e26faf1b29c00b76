import Foundation
import GRDB
import Kernels
import Synchronization

/// The connections to a store's file, and which file that is.
struct OpenFile: Sendable {
    /// What can have happened to a file that is open.
    enum Replacement {
        /// No file has its path.
        case nothing
        /// Another file has its path, beside the write-ahead log of the former one.
        case besideFormerLog
        /// Another file has its path.
        case another

        /// Why changes are refused, and what to do.
        func error(_ path: String) -> CheckpointError {
            let reason =
                switch self {
                case .nothing: "it was deleted or moved. Put it back; until then changes are refused."
                case .besideFormerLog:
                    "another file has taken its place, beside the former file's log. Remove '\(path)-wal' and '\(path)-shm';"
                        + " until then changes are refused."
                case .another: "another file has taken its place. It is opened at the next look; try again then."
                }
            return .replaced(path: path, reason: reason)
        }
    }

    /// A file by what a rename and a copy change.
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

    /// Databases whose files were replaced: closing one would delete the log of the file that has its path now.
    private static let abandoned = Mutex<[any DatabaseWriter]>([])

    let database: any DatabaseWriter
    private let identity: Identity?
    private var log: Identity?

    /// Opens a store's file; see ``CheckpointStore/init(path:readOnly:)``.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - readOnly: Whether nothing is changed.
    ///   - isForeign: Whether it is a file of others that is only looked at, by one bounded connection.
    ///   - lockWaiting: How to wait for locks.
    ///   - pageLimit: How many pages the file may have.
    /// - Throws: ``CheckpointError``, and what SQLite refuses.
    init(path: String, readOnly: Bool, isForeign: Bool, _ lockWaiting: LockWaiting, _ pageLimit: Int?) throws {
        precondition(readOnly || !isForeign, "a foreign file opened for writing")
        let size = try FileHeader(path: path)?.size
        if readOnly, size == nil { throw CheckpointError.notFound(path: path) }
        if readOnly, size == 0 { throw CheckpointError.notAStore(path: path) }
        let configuration = Self.configuration(readOnly: readOnly, lockWaiting)
        var isCurrent = false
        if let size, size > 0 {
            // Looked at through a connection that changes nothing: opening a pool for writing sets the journal mode.
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

    /// What has become of the file, or nil when it is where it was.
    mutating func replacement(at path: String) -> Replacement? {
        guard let identity else { return nil }
        let now = Identity(path)
        if now == identity {
            log = Identity(path + "-wal")
            return nil
        }
        guard now != nil else { return .nothing }
        return log != nil && Identity(path + "-wal") == log ? .besideFormerLog : .another
    }

    /// Leaves the connections open for ever, because their file has no path any more.
    func abandon() { Self.abandoned.withLock { $0.append(database) } }

    // MARK: Connections

    /// How many steps a statement on a file of others may take: a sound one needs some thousand.
    private static let mostSteps = 20_000_000

    /// A connection to a file that is not known to be sound.
    private static func bounded(path: String, _ configuration: Configuration) throws -> DatabaseQueue {
        let bytes = [path, path + "-wal"].reduce(0) { sum, file in
            sum + ((try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0)
        }
        // No value is longer than the file; error messages and pragmas need a little.
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
