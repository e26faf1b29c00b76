import GRDB
import Kernels

/// Why a store or a version could not be used; every message says what to do next.
public enum CheckpointError: Error, Equatable, CustomStringConvertible {
    /// There is no file at the path.
    case notFound(path: String)
    /// The system refused to open the file.
    case cannotOpen(path: String, reason: String)
    /// The file is not an SQLite database.
    case notADatabase(path: String)
    /// The file is empty, or an SQLite database of another program.
    case notAStore(path: String)
    /// The store was written by a newer program.
    case newerSchema(path: String, found: String, supported: String)
    /// The store was written by an older program and is open for reading only.
    case olderSchema(path: String, missing: String)
    /// The file is shorter than its own header says.
    case truncated(path: String, expectedBytes: Int, foundBytes: Int)
    /// Stored content differs from the written content.
    case corrupted(what: String, location: String)
    /// The store has no such model.
    case modelNotFound(model: String, available: [String])
    /// The model has no such version.
    case versionNotFound(model: String, version: Int, available: [Int])
    /// The model has versions, but none was activated.
    case noActiveVersion(model: String, available: [Int])
    /// The store has no such alias.
    case aliasNotFound(alias: String, available: [String])
    /// The alias was changed by somebody else; a revision of 0 stands for an alias that does not exist.
    case revisionMismatch(alias: String, expected: Int, found: Int)
    /// No other version was active before the active one, or that version was removed.
    case nothingToRollBackTo(model: String, active: Int?)
    /// Another change came first, so a rollback would return to another version.
    case rollbackTargetChanged(model: String, expected: Int, found: Int)
    /// The store's file was deleted, moved or replaced while it was in use.
    case replaced(path: String, reason: String)
    /// The file cannot be imported, though it is a store.
    case notAnExport(path: String, reason: String)
    /// A version cannot be exported to the path.
    case cannotExport(path: String, reason: String)
    /// The content to store contradicts itself.
    case invalid(reason: String)
    /// No space is left for the store or its write-ahead log.
    case diskFull(path: String)
    /// The store, or its file, allows no writing.
    case readOnly(path: String)
    /// Another process held the store for longer than the busy timeout.
    case locked(path: String)
    /// The system failed to read or write.
    case inputOutput(path: String, reason: String)
    /// Anything else that SQLite reports.
    case failed(path: String, code: Int, reason: String)

    /// What happened, where, and what to do.
    public var description: String {
        switch self {
        case .notFound(let path):
            "No store at '\(path)'. Check the path, or make one with `dimerec train --store \(path)`."
        case .cannotOpen(let path, let reason):
            "Cannot open '\(path)' (\(reason)). The directory must exist, and be writable for the '-wal' and '-shm' files."
        case .notADatabase(let path):
            "'\(path)' is not an SQLite database. Check the path, or restore the store from a backup."
        case .notAStore(let path):
            "'\(path)' is not a checkpoint store. Check the path; nothing was written to the file."
        case .newerSchema(let path, let found, let supported):
            "'\(path)' has schema '\(found)', but this program supports up to '\(supported)'. Use a newer program."
        case .olderSchema(let path, let missing):
            "'\(path)' lacks schema '\(missing)'. Migrate it with `dimerec models migrate --store \(path)`."
        case .truncated(let path, let expectedBytes, let foundBytes):
            "'\(path)' ends after \(foundBytes) of \(expectedBytes) bytes. Copy it again, together with its '-wal' file."
        case .corrupted(let what, let location):
            "\(location) is damaged: \(what). Activate another version, or restore the store from a backup."
        case .modelNotFound(let model, let available):
            "No model '\(model)'. " + Self.next(available.map { "'\($0)'" }, noun: "models")
        case .versionNotFound(let model, let version, let available):
            "Model '\(model)' has no version \(version). " + Self.next(available.map(String.init), noun: "versions")
        case .noActiveVersion(let model, let available):
            "Model '\(model)' has no active version. "
                + Self.next(available.map(String.init), noun: "versions to activate")
        case .aliasNotFound(let alias, let available):
            "No alias '\(alias)'. "
                + (available.isEmpty
                    ? "There are no aliases yet."
                    : "Available aliases: \(available.map { "'\($0)'" }.joined(separator: ", ")).")
        case .revisionMismatch(let alias, let expected, let found):
            "Alias '\(alias)' has revision \(found), not \(expected) (0: it does not exist). Read it again and retry."
        case .nothingToRollBackTo(let model, let active):
            "Model '\(model)' has no version before \(active.map(String.init) ?? "its first activation") to roll back to. "
                + "Activate another version by its number."
        case .rollbackTargetChanged(let model, let expected, let found):
            "A rollback of model '\(model)' now returns to version \(found), not \(expected). Read its history and retry."
        case .replaced(let path, let reason):
            "The store '\(path)' is not the file that was opened: \(reason)"
        case .notAnExport(let path, let reason):
            "'\(path)' cannot be imported: \(reason). Make the file with `dimerec models export`."
        case .cannotExport(let path, let reason):
            "Nothing was exported to '\(path)': \(reason). Choose another path."
        case .invalid(let reason):
            "Nothing was stored: \(reason). Correct it and try again."
        case .diskFull(let path):
            "No space left for '\(path)' or its '-wal' file. Free some space and try again; the store is unchanged."
        case .readOnly(let path):
            "'\(path)' cannot be written: it was opened for reading only, or its file or directory forbids "
                + "writing. Check their permissions."
        case .locked(let path):
            "'\(path)' stayed locked by another process. Wait for it to finish (`fuser \(path)` names it), then try again."
        case .inputOutput(let path, let reason):
            "Reading or writing '\(path)' failed (\(reason)). Check free space and the disk, then try again."
        case .failed(let path, let code, let reason):
            "SQLite failed on '\(path)': \(reason) (code \(code)). Check it with `dimerec models verify`."
        }
    }

    private static func next(_ available: [String], noun: String) -> String {
        available.isEmpty
            ? "There are no \(noun) yet; make one with `dimerec train`."
            : "Available \(noun): \(available.joined(separator: ", "))."
    }

    /// Maps any error of the layers below.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as CheckpointError: self = error
        case let error as DatabaseError: self = Self.naming(error, path: path)
        case let error as SystemCallError:
            self = error.meansFullDisk ? .diskFull(path: path) : .inputOutput(path: path, reason: "\(error)")
        case let error as DecodingError:
            self = .corrupted(what: "a header does not decode (\(error))", location: "'\(path)'")
        case let error as RowDecodingError: self = .corrupted(what: "\(error)", location: "'\(path)'")
        default: self = .failed(path: path, code: -1, reason: "\(error)")
        }
    }

    /// Whether stored content causes an error, and not the disk, another process or the program.
    static func meansDamage(_ error: any Error) -> Bool {
        // A damaged value can break a constraint of its table.
        if let error = error as? DatabaseError, error.resultCode == .SQLITE_CONSTRAINT { return true }
        return switch CheckpointError(error, path: "") {
        case .diskFull, .readOnly, .locked, .cannotOpen, .inputOutput, .failed: false
        default: true
        }
    }

    private static func naming(_ error: DatabaseError, path: String) -> CheckpointError {
        let reason = error.message ?? "no message"
        switch error.resultCode {
        case .SQLITE_FULL: return .diskFull(path: path)
        case .SQLITE_BUSY, .SQLITE_LOCKED: return .locked(path: path)
        case .SQLITE_READONLY: return .readOnly(path: path)
        case .SQLITE_NOTADB: return .notADatabase(path: path)
        case .SQLITE_INTERRUPT, .SQLITE_TOOBIG:
            return .corrupted(what: "reading it takes more than a sound file needs (\(reason))", location: "'\(path)'")
        case .SQLITE_CORRUPT: return .corrupted(what: reason, location: "'\(path)'")
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: return .cannotOpen(path: path, reason: reason)
        case .SQLITE_IOERR: return .inputOutput(path: path, reason: reason)
        default: return .failed(path: path, code: Int(error.extendedResultCode.rawValue), reason: reason)
        }
    }
}
