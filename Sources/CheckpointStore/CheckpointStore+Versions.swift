import Crypto
import Foundation
import GRDB
import Kernels

/// A version without its content.
public struct VersionSummary: Sendable, Equatable {
    /// What the version is and how it was made.
    public var manifest: CheckpointManifest
    /// Whether it is the model's active version.
    public var isActive: Bool
    /// The size of all its content.
    public var bytes: Int
    /// SHA-256 over the manifest and the digests of all content, in hexadecimal: equal digests, equal versions.
    public var digest: String
}

extension CheckpointStore {
    /// Stores a version; it becomes visible whole, or not at all when this throws.
    ///
    /// - Parameters:
    ///   - checkpoint: The version's content; its manifest's `version` and `createdAt` are ignored and assigned.
    ///   - activate: Make it the version that `load(model:)` returns, in the same transaction.
    /// - Returns: Its number: one more than the highest that the model ever had.
    /// - Throws: ``CheckpointError/invalid(reason:)`` when the parts contradict each other, and what SQLite refuses.
    public func publish(_ checkpoint: Checkpoint, activate: Bool = true) throws(CheckpointError) -> Int {
        var checkpoint = checkpoint
        let model = checkpoint.manifest.model
        try requireName(model)
        if let contradiction = checkpoint.contradiction { throw .invalid(reason: contradiction) }
        if let id = checkpoint.repeatedID { throw .invalid(reason: "two items have the id '\(id)'") }
        return try write { db in
            var pointer = try ModelPointer(model, in: db) ?? ModelPointer(name: model)
            pointer.highest += 1
            let version = pointer.highest
            checkpoint.manifest.version = version
            checkpoint.manifest.createdAt = Date().formatted(.iso8601)
            let bundle = try Bundle.insert(
                kind: .version,
                header: encoded(checkpoint.manifest),
                blobs: checkpoint.blobs(),
                chunkBytes: chunkBytes,
                into: db
            )
            if activate { pointer.active = version }
            try pointer.save(in: db)
            try db.execute(
                sql: "INSERT INTO version (model, number, bundle) VALUES (?, ?, ?)",
                arguments: [model, version, bundle]
            )
            if activate { try recordActivation(of: model, version: version, in: db) }
            return version
        }
    }

    /// Reads a version and verifies every digest; all of it is of one moment.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - version: The version, or nil for the active one.
    /// - Returns: What was published.
    /// - Throws: ``CheckpointError``, such as ``CheckpointError/corrupted(what:location:)`` for a single flipped bit.
    public func load(model: String, version: Int? = nil) throws(CheckpointError) -> Checkpoint {
        try read { db in
            let (bundle, manifest, location) = try find(model: model, version: version, in: db)
            return try Checkpoint(
                manifest: manifest,
                names: bundle.names,
                location: location,
                matrix: { try bundle.matrix($0, from: db) },
                bytes: { try bundle.bytes($0, from: db) }
            )
        }
    }

    /// Checks the whole file and reads a version again: SQLite's structures, every digest, shapes and references, finite
    /// parameters and unique ids.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - version: The version, or nil for the active one.
    /// - Throws: ``CheckpointError`` for the first thing that is wrong.
    public func verify(model: String, version: Int? = nil) throws(CheckpointError) {
        try verifyFile()
        let checkpoint = try load(model: model, version: version)
        let location = "version \(checkpoint.manifest.version) of '\(model)'"
        if let id = checkpoint.repeatedID {
            throw .corrupted(what: "two items have the id '\(id)'", location: location)
        }
        for (name, matrix) in checkpoint.parameters.sorted(by: { $0.key < $1.key }) {
            if let (row, column) = matrix.firstNonFinite {
                throw .corrupted(what: "'\(name)'[\(row), \(column)] is not finite", location: location)
            }
        }
    }

    /// The names of all models that have a version, sorted.
    public func models() throws(CheckpointError) -> [String] {
        try read { try models(in: $0) }
    }

    /// All versions of a model, oldest first; the digest of each list is verified, the content is not read.
    public func versions(of model: String) throws(CheckpointError) -> [VersionSummary] {
        try read { db in
            let active = try pointer(of: model, in: db).active
            return try numbers(of: model, in: db).map { number in
                let (bundle, manifest, _) = try find(model: model, version: number, in: db)
                let digest = bundle.digest.map { String(format: "%02x", $0) }.joined()
                return VersionSummary(
                    manifest: manifest,
                    isActive: number == active,
                    bytes: bundle.bytes,
                    digest: digest
                )
            }
        }
    }

    /// A version's manifest, verified; nil is the active version.
    public func manifest(model: String, version: Int? = nil) throws(CheckpointError) -> CheckpointManifest {
        try read { try find(model: model, version: version, in: $0).manifest }
    }

    /// The version that `load(model:)` returns, or nil when none was activated.
    public func activeVersion(of model: String) throws(CheckpointError) -> Int? {
        try read { try pointer(of: model, in: $0).active }
    }

    /// Makes a version the active one; activating the active one again changes nothing.
    public func activate(model: String, version: Int) throws(CheckpointError) {
        try write { db in
            var pointer = try pointer(of: model, in: db)
            _ = try find(model: model, version: version, in: db)
            guard pointer.active != version else { return }
            pointer.active = version
            try pointer.save(in: db)
            try recordActivation(of: model, version: version, in: db)
        }
    }

    /// Which versions were made active, oldest first: the last is active, the one before it is what a rollback returns to.
    public func activations(of model: String) throws(CheckpointError) -> [Int] {
        try read { db in
            _ = try pointer(of: model, in: db)
            let sql = "SELECT number FROM activation WHERE model = ? ORDER BY id"
            return try Row.fetchAll(db, sql: sql, arguments: [model]).map { try $0.integer(0, "activated version") }
        }
    }

    // MARK: Rows

    private func models(in db: Database) throws -> [String] {
        try Row.fetchAll(db, sql: "SELECT name FROM model ORDER BY name").map { try $0.text(0, "model name") }
    }

    private func numbers(of model: String, in db: Database) throws -> [Int] {
        let sql = "SELECT number FROM version WHERE model = ? ORDER BY number"
        return try Row.fetchAll(db, sql: sql, arguments: [model]).map { try $0.integer(0, "version number") }
    }

    private func pointer(of model: String, in db: Database) throws -> ModelPointer {
        guard let pointer = try ModelPointer(model, in: db) else {
            throw CheckpointError.modelNotFound(model: model, available: try models(in: db))
        }
        return pointer
    }

    private func find(
        model: String,
        version: Int?,
        in db: Database
    ) throws -> (bundle: Bundle, manifest: CheckpointManifest, location: String) {
        let pointer = try pointer(of: model, in: db)
        guard let number = version ?? pointer.active else {
            throw CheckpointError.noActiveVersion(model: model, available: try numbers(of: model, in: db))
        }
        let sql = "SELECT bundle FROM version WHERE model = ? AND number = ?"
        guard let row = try Row.fetchOne(db, sql: sql, arguments: [model, number]) else {
            let available = try numbers(of: model, in: db)
            throw CheckpointError.versionNotFound(model: model, version: number, available: available)
        }
        let location = "version \(number) of '\(model)'"
        let id = try row.integer(0, "bundle of \(location)")
        let bundle = try Bundle(id: id, kind: .version, location: location, from: db)
        let manifest = try JSONDecoder().decode(CheckpointManifest.self, from: bundle.header)
        guard manifest.model == model, manifest.version == number else {
            throw CheckpointError.corrupted(
                what: "its manifest is that of version \(manifest.version) of '\(manifest.model)'",
                location: location
            )
        }
        return (bundle, manifest, location)
    }

    private func recordActivation(of model: String, version: Int, in db: Database) throws {
        try db.execute(
            sql: "INSERT INTO activation (model, number, at) VALUES (?, ?, ?)",
            arguments: [model, version, Date().formatted(.iso8601)]
        )
    }

    /// Refuses names that SQLite or a command line would cut short.
    func requireName(_ model: String) throws(CheckpointError) {
        guard !model.isEmpty, !model.utf8.contains(0) else {
            throw .invalid(reason: "\(model.debugDescription) is no name for a model")
        }
    }

    /// A header's JSON, byte for byte the same for equal values.
    func encoded(_ header: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(header)
        } catch {
            throw CheckpointError.invalid(reason: "the header cannot be written as JSON (\(error))")
        }
    }
}

/// The only row of a model that changes, with a digest of its own: a flipped bit must not activate another version.
private struct ModelPointer {
    var name: String
    var highest = 0
    var active: Int?

    init(name: String) { self.name = name }

    init?(_ name: String, in db: Database) throws {
        let sql = "SELECT highest, active, digest FROM model WHERE name = ?"
        guard let row = try Row.fetchOne(db, sql: sql, arguments: [name]) else { return nil }
        self.name = name
        highest = try row.integer(0, "highest version")
        active = try row.optionalInteger(1, "active version")
        guard try row.bytes(2, "digest of model") == digest else {
            throw CheckpointError.corrupted(
                what: "the digest of its active version does not match",
                location: "model '\(name)'"
            )
        }
    }

    func save(in db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO model (name, highest, active, digest) VALUES (?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET
                    highest = excluded.highest, active = excluded.active, digest = excluded.digest
                """,
            arguments: [name, highest, active, digest]
        )
    }

    private var digest: Data {
        let active = active.map(String.init) ?? "none"
        return Data(SHA256.hash(data: Data("dimerec model 1\n\(highest)\n\(active)\n\(name)".utf8)))
    }
}
