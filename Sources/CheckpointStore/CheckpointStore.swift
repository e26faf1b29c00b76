import Foundation
import GRDB

/// Durable, versioned checkpoints of any number of models in one SQLite file.
///
/// A published version never changes, is visible whole or not at all to every thread and process, and survives power
/// loss. Every byte is covered by a SHA-256 that reading verifies, so damage is an error and never a wrong answer. The
/// file is in WAL mode: readers go on while a version is published. All calls block; the store may be shared by threads.
public final class CheckpointStore: Sendable {
    /// Where the store is.
    public let path: String
    /// Whether it was opened for reading only.
    public let readOnly: Bool
    /// Blobs are split into rows of this many bytes.
    let chunkBytes: Int
    /// How many seconds to wait for locks.
    let busyTimeout: Double
    /// How many pages a file may have, or nil for no limit.
    let pageLimit: Int?
    private let pool: DatabasePool

    /// Opens a store; for writing, it is created or migrated as needed.
    ///
    /// - Parameters:
    ///   - path: The SQLite file. Its directory must exist.
    ///   - readOnly: Never create, migrate or change anything; works beside a writer.
    /// - Throws: A ``CheckpointError`` for a missing file (when only reading), and for a file that is foreign, newer,
    ///   truncated or damaged. Such files are left as they are.
    public convenience init(path: String, readOnly: Bool = false) throws(CheckpointError) {
        try self.init(path: path, readOnly: readOnly, chunkBytes: 16 << 20, busyTimeout: 10)
    }

    /// Opens a store with chunks of `chunkBytes` (a multiple of 4), waiting `busyTimeout` seconds for locks, and refusing
    /// to grow beyond `pageLimit` pages as if the disk were full.
    package init(
        path: String,
        readOnly: Bool,
        chunkBytes: Int,
        busyTimeout: Double,
        pageLimit: Int? = nil
    ) throws(CheckpointError) {
        precondition(chunkBytes > 0 && chunkBytes % 4 == 0, "chunks of \(chunkBytes) bytes split elements")
        self.path = path
        self.readOnly = readOnly
        self.chunkBytes = chunkBytes
        self.busyTimeout = busyTimeout
        self.pageLimit = pageLimit
        do {
            pool = try Self.open(path: path, readOnly: readOnly, busyTimeout: busyTimeout)
            if let pageLimit {
                try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pageLimit)") }
            }
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Closes all connections; the last one to close a store merges its write-ahead log into it.
    ///
    /// Without this call the connections close when the store is no longer referenced.
    public func close() throws(CheckpointError) {
        do {
            pool.releaseMemory()
            try pool.close()
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    // MARK: Opening

    private static func open(path: String, readOnly: Bool, busyTimeout: Double) throws -> DatabasePool {
        let size = try FileHeader(path: path)?.size
        if readOnly, size == nil { throw CheckpointError.notFound(path: path) }
        if readOnly, size == 0 { throw CheckpointError.notAStore(path: path) }
        let configuration = configuration(readOnly: readOnly, busyTimeout: busyTimeout)
        if let size, size > 0 {
            // Looked at through a connection that changes nothing: opening a pool for writing sets the journal mode.
            let state = try DatabaseQueue(path: path, configuration: configuration).read {
                try Migrations.state(of: $0, path: path)
            }
            switch state {
            case .current: break
            case .empty: if readOnly { throw CheckpointError.notAStore(path: path) }
            case .older(let missing):
                if readOnly { throw CheckpointError.olderSchema(path: path, missing: missing) }
            }
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        if !readOnly {
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try Migrations.apply(to: pool)
        }
        return pool
    }

    static func configuration(readOnly: Bool, busyTimeout: Double) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(busyTimeout)
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

    // MARK: Access

    /// Runs `body` in one read transaction: all it reads is of one moment.
    func read<Value>(_ body: (Database) throws -> Value) throws(CheckpointError) -> Value {
        do {
            return try pool.read(body)
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Runs `body` in one write transaction: all it writes becomes visible at once, or nothing when it throws.
    func write<Value>(_ body: (Database) throws -> Value) throws(CheckpointError) -> Value {
        guard !readOnly else { throw .readOnly(path: path) }
        do {
            return try pool.write(body)
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Makes sure that a table lost no row: the digests in its rows cannot tell that.
    func requireWhole(_ table: String, in db: Database) throws {
        let findings = try Row.fetchAll(db, sql: "PRAGMA integrity_check(\(table))").map { try $0.text(0, "finding") }
        guard findings == ["ok"] else {
            throw CheckpointError.corrupted(what: findings.joined(separator: "; "), location: "table '\(table)'")
        }
    }

    /// Reads every page of the file and checks SQLite's own structures, the schema, all references, and every row that
    /// is not a version's.
    func verifyFile() throws(CheckpointError) {
        let path = path
        func damaged(_ what: String) -> CheckpointError { .corrupted(what: what, location: "'\(path)'") }
        try read { db in
            let state = try Migrations.state(of: db, path: path)
            guard state == .current else { throw damaged("its schema is incomplete") }
            let findings = try Row.fetchAll(db, sql: "PRAGMA integrity_check(1)").map { try $0.text(0, "finding") }
            guard findings == ["ok"] else { throw damaged(findings.joined(separator: "; ")) }
            guard try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") == nil else {
                throw damaged("a row refers to one that is missing")
            }
            _ = try aliases(in: db)
            for model in try models(in: db) {
                _ = try rollbackTarget(of: pointer(of: model, in: db), in: db)
                _ = try itemChanges(of: model, in: db)
            }
        }
    }
}
