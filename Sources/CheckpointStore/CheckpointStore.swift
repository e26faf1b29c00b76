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
        let size = try wholeSize(path: path)
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

    private static func configuration(readOnly: Bool, busyTimeout: Double) -> Configuration {
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
                try db.execute(sql: "PRAGMA page_size = 16384; PRAGMA journal_size_limit = 67108864;")
            }
        }
        return configuration
    }

    /// The size of the file, or nil when there is none; throws when the file is shorter than its header says.
    ///
    /// Beside a write-ahead log the file alone says nothing, and SQLite judges both together.
    private static func wholeSize(path: String) throws -> Int? {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return nil }
        guard attributes[.type] as? FileAttributeType != .typeDirectory else {
            throw CheckpointError.cannotOpen(path: path, reason: "it is a directory")
        }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw CheckpointError.cannotOpen(path: path, reason: "no permission to read it")
        }
        defer { try? file.close() }
        let header: [UInt8]
        let size: Int
        do {
            header = try Array(file.read(upToCount: 100) ?? Data())
            size = try Int(clamping: file.seekToEnd())
        } catch {
            throw CheckpointError.inputOutput(path: path, reason: "\(error)")
        }
        if size == 0 { return 0 }
        guard header.count == 100, header.starts(with: "SQLite format 3\u{0}".utf8) else {
            throw CheckpointError.notADatabase(path: path)
        }
        func bigEndian(_ range: Range<Int>) -> Int { header[range].reduce(0) { $0 << 8 | Int($1) } }
        let logSize = (try? FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int) ?? 0
        let pageSize = bigEndian(16..<18) == 1 ? 65536 : bigEndian(16..<18)
        let countIsValid = bigEndian(24..<28) == bigEndian(92..<96)
        let expected = pageSize * bigEndian(28..<32)
        if logSize == 0, countIsValid, size < expected {
            throw CheckpointError.truncated(path: path, expectedBytes: expected, foundBytes: size)
        }
        return size
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

    /// Reads every page of the file and checks SQLite's own structures, the schema and all references.
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
        }
    }
}
