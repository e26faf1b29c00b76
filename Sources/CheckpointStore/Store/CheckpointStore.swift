import Foundation
import GRDB
import Kernels
import Synchronization

/// Durable, versioned checkpoints of any number of models in one SQLite file.
///
/// A published version never changes and survives power loss. Every thread and process sees it completely or not at
/// all. Reading verifies a SHA-256 of every byte, so damage is an error and never a wrong answer. Damage to one part
/// does not affect the use of others. The file is in WAL mode, so readers go on while a version is published. All
/// calls block. Threads may share the store.
public final class CheckpointStore: Sendable {
    /// The path of the store's file.
    public let path: String
    /// Whether it was opened for reading only.
    public let readOnly: Bool
    /// Blobs are split into rows of this many bytes.
    let chunkBytes: Int
    /// How many seconds to wait for locks.
    let busyTimeout: Double
    /// How many pages a file may have, or nil for no limit.
    let pageLimit: Int?
    private let file: Mutex<OpenFile>
    private let lockWaiting: LockWaiting

    /// Opens a store; for writing, creates or migrates it as needed.
    ///
    /// - Parameters:
    ///   - path: The SQLite file. Its directory must exist.
    ///   - readOnly: Never create, migrate or change anything; works beside a writer.
    /// - Throws: A ``CheckpointError`` for a missing file (when only reading), and for a file that is foreign,
    ///   newer, truncated or damaged. Such files are not changed.
    public convenience init(path: String, readOnly: Bool = false) throws(CheckpointError) {
        try self.init(path: path, readOnly: readOnly, chunkBytes: 16 << 20, busyTimeout: 10)
    }

    /// Opens a store with chunks of `chunkBytes` (a multiple of 4) and `busyTimeout` seconds of waiting for locks.
    ///
    /// Beyond `pageLimit` pages it fails as if the disk were full.
    package init(
        path: String,
        readOnly: Bool,
        chunkBytes: Int,
        busyTimeout: Double,
        pageLimit: Int? = nil,
        isForeign: Bool = false
    ) throws(CheckpointError) {
        precondition(chunkBytes > 0 && chunkBytes % 4 == 0, "chunks of \(chunkBytes) bytes split elements")
        self.path = path
        self.readOnly = readOnly
        self.chunkBytes = chunkBytes
        self.busyTimeout = busyTimeout
        self.pageLimit = pageLimit
        lockWaiting = LockWaiting(seconds: busyTimeout)
        do {
            let opened = try lockWaiting.retrying { [lockWaiting] in
                try OpenFile(path: path, readOnly: readOnly, isForeign: isForeign, lockWaiting, pageLimit)
            }
            file = Mutex(opened)
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Closes all connections; the last connection of a store merges its write-ahead log into the file.
    ///
    /// Without this call the connections close when the store is no longer referenced.
    public func close() throws(CheckpointError) {
        do {
            // Close readers first: the last connection merges the log, so it must be able to write.
            (database as? DatabasePool)?.releaseMemory()
            try database.close()
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Ends all waiting for other processes' locks, now and later, because this process ends.
    public func stopWaitingForLocks() { lockWaiting.stop() }

    /// Checks that the path still leads to the open file, and opens an intact store that replaced it.
    ///
    /// - Throws: ``CheckpointError/replaced(path:reason:)``; then the former file stays open for reading, and the
    ///   store rejects changes.
    public func reopenIfReplaced() throws(CheckpointError) {
        do {
            try file.withLock { file in
                guard let finding = file.replacement(at: path) else { return }
                switch finding {
                case .nothing, .besideFormerLog: throw finding.error(path)
                case .withoutLog: try file.mergeLog(at: path)
                case .another: break
                }
                let opened: OpenFile
                do {
                    opened = try OpenFile(path: path, readOnly: readOnly, isForeign: false, lockWaiting, pageLimit)
                } catch {
                    let what = finding == .another ? "another file has taken its place and" : "it lost its log and"
                    throw CheckpointError.replaced(
                        path: path,
                        reason: "\(what) cannot be used (\(error)). Changes are refused."
                    )
                }
                if finding == .another { file.abandon() }
                file = opened
            }
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    // MARK: Access

    private var database: any DatabaseWriter { file.withLock(\.database) }

    /// Runs `body` in one read transaction, so that it sees the store as of one moment.
    func read<Value>(_ body: (Database) throws -> Value) throws(CheckpointError) -> Value {
        do {
            return try database.read(body)
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Runs `body` in one write transaction: all its changes become visible at once, or none if it throws.
    func write<Value>(_ body: (Database) throws -> Value) throws(CheckpointError) -> Value {
        guard !readOnly else { throw .readOnly(path: path) }
        if let finding = file.withLock({ $0.replacement(at: path) }) { throw finding.error(path) }
        do {
            return try database.write(body)
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Reads every page of the file, and checks everything except the versions' contents.
    ///
    /// It checks SQLite's own structures, the schema, all references, and every row outside of the versions.
    func verifyFile() throws(CheckpointError) {
        let path = path
        func damaged(_ what: String) -> CheckpointError { .corrupted(what: what, location: "'\(path)'") }
        try read { db in
            let state = try Migrations.state(of: db, path: path)
            guard state == .current else { throw damaged("its schema is incomplete") }
            let findings = try Row.fetchAll(db, sql: "PRAGMA integrity_check(1)").map { try $0.text(0, "finding") }
            guard findings == ["ok"] else { throw damaged(findings.joined(separator: "; ")) }
            guard try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") == nil else {
                throw damaged("a row refers to a missing row")
            }
        }
        if let finding = try damage().first(where: { !$0.location.hasPrefix("version ") }) {
            throw .corrupted(what: finding.what, location: finding.location)
        }
    }
}
