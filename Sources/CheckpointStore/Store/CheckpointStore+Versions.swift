import Foundation
import GRDB
import Kernels

/// A version without its content.
public struct VersionSummary: Sendable, Equatable {
    /// The version's description.
    public var manifest: CheckpointManifest
    /// Whether it is the model's active version.
    public var isActive: Bool
    /// The size of all its content.
    public var bytes: Int
    /// SHA-256 over the manifest and the digests of all content, in hexadecimal; equal digests mean equal versions.
    public var digest: String

    /// Describes a version.
    public init(manifest: CheckpointManifest, isActive: Bool, bytes: Int, digest: String) {
        self.manifest = manifest
        self.isActive = isActive
        self.bytes = bytes
        self.digest = digest
    }
}

/// An entry of a list of versions; a version with a damaged header is listed with the reason.
public struct StoredVersion: Sendable {
    /// The version.
    public let number: Int
    /// The version's summary, or why it cannot be read.
    public let summary: Result<VersionSummary, CheckpointError>

    /// Lists a version.
    public init(number: Int, summary: Result<VersionSummary, CheckpointError>) {
        self.number = number
        self.summary = summary
    }
}

extension CheckpointStore {
    /// Stores a version; it becomes visible completely, or not at all if this throws.
    ///
    /// - Parameters:
    ///   - checkpoint: The version's content; its manifest's `version` and `createdAt` are ignored and assigned.
    ///   - activate: Make it the version that `load(model:)` returns, in the same transaction.
    /// - Returns: The version's number: one more than the highest that the model ever had.
    /// - Throws: ``CheckpointError/invalid(reason:)`` when the parts contradict each other, and SQLite's errors.
    public func publish(_ checkpoint: Checkpoint, activate: Bool = true) throws(CheckpointError) -> Int {
        let model = checkpoint.manifest.model
        try requireName(model)
        if let contradiction = checkpoint.contradiction { throw .invalid(reason: contradiction) }
        if let id = checkpoint.repeatedID { throw .invalid(reason: "two items have the id '\(id)'") }
        return try write { db in
            var checkpoint = checkpoint
            var pointer = try modelToPublish(model, in: db)
            checkpoint.manifest.version = try pointer.takeNumber()
            checkpoint.manifest.createdAt = Date().formatted(.iso8601)
            try insert(checkpoint, of: pointer, activate: activate, into: db)
            return checkpoint.manifest.version
        }
    }

    /// Reads a version as of one moment, and verifies every digest.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - version: The version, or nil for the active one.
    /// - Returns: The published content.
    /// - Throws: ``CheckpointError``, such as ``CheckpointError/corrupted(what:location:)`` for a single flipped bit.
    public func load(model: String, version: Int? = nil) throws(CheckpointError) -> Checkpoint {
        try read { try checkpoint(model: model, version: version, in: $0) }
    }

    /// Checks the whole file and reads a version again.
    ///
    /// It checks SQLite's structures, every digest, shapes and references, finite parameters and unique ids.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - version: The version, or nil for the active one.
    /// - Throws: ``CheckpointError`` for the first error found.
    public func verify(model: String, version: Int? = nil) throws(CheckpointError) {
        try verifyFile()
        try requireServable(load(model: model, version: version))
    }

    /// Checks the conditions for serving that digests do not cover.
    func requireServable(_ checkpoint: Checkpoint) throws(CheckpointError) {
        let location = "version \(checkpoint.manifest.version) of '\(checkpoint.manifest.model)'"
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

    /// All versions of a model, oldest first, damaged ones with the reason; empty for an unknown model.
    ///
    /// It verifies headers and reads no contents.
    public func inventory(of model: String) throws(CheckpointError) -> [StoredVersion] {
        try read { db in
            let active = try ModelPointer(model, in: db)?.active
            return try numbers(of: model, in: db).map { number in
                let summary = Result { () throws(CheckpointError) in
                    do {
                        let (bundle, manifest, _) = try find(model: model, version: number, in: db)
                        let digest = bundle.digest.map { String(format: "%02x", $0) }.joined()
                        return VersionSummary(
                            manifest: manifest,
                            isActive: number == active,
                            bytes: bundle.bytes,
                            digest: digest
                        )
                    } catch {
                        throw CheckpointError(error, path: path)
                    }
                }
                return StoredVersion(number: number, summary: summary)
            }
        }
    }

    /// The versions of a model whose headers are intact, oldest first.
    public func versions(of model: String) throws(CheckpointError) -> [VersionSummary] {
        _ = try read { try pointer(of: model, in: $0) }
        return try inventory(of: model).compactMap { try? $0.summary.get() }
    }

    /// A version's manifest, verified; nil is the active version.
    public func manifest(model: String, version: Int? = nil) throws(CheckpointError) -> CheckpointManifest {
        try read { try find(model: model, version: version, in: $0).manifest }
    }

    // MARK: Rows

    /// The row of a model that gets a new version; a new row for its first version.
    func modelToPublish(_ model: String, in db: Database) throws -> ModelPointer {
        if let pointer = try ModelPointer(model, in: db) { return pointer }
        try requireNoAlias(model, in: db)
        return ModelPointer(name: model)
    }

    /// Stores a version under the number and time of its manifest.
    ///
    /// - Parameters:
    ///   - checkpoint: The version.
    ///   - pointer: The row of its model.
    ///   - activate: Make it the active version.
    ///   - time: When it became active, in ISO 8601; nil is now.
    ///   - db: The database, in a transaction.
    /// - Throws: The errors of the database.
    func insert(
        _ checkpoint: Checkpoint,
        of pointer: ModelPointer,
        activate: Bool,
        at time: String? = nil,
        into db: Database
    ) throws {
        let (model, version) = (checkpoint.manifest.model, checkpoint.manifest.version)
        let bundle = try Bundle.insert(
            kind: .version,
            header: encoded(checkpoint.manifest),
            blobs: checkpoint.blobs(),
            chunkBytes: chunkBytes,
            into: db
        )
        var pointer = pointer
        if activate { pointer.active = version }
        try pointer.save(in: db)
        try db.execute(
            sql: "INSERT INTO version (model, number, bundle) VALUES (?, ?, ?)",
            arguments: [model, version, bundle]
        )
        if activate { try recordActivation(of: model, version: version, at: time, in: db) }
    }

    func checkpoint(model: String, version: Int?, in db: Database) throws -> Checkpoint {
        let (bundle, manifest, location) = try find(model: model, version: version, in: db)
        return try Checkpoint(
            manifest: manifest,
            names: bundle.names,
            location: location,
            matrix: { try bundle.matrix($0, from: db) },
            bytes: { try bundle.bytes($0, from: db) }
        )
    }

    /// SHA-256 over a version's content without its number and time, which differ between stores.
    func contentDigest(model: String, version: Int, in db: Database) throws -> Data {
        var (bundle, manifest, _) = try find(model: model, version: version, in: db)
        manifest.version = 0
        manifest.createdAt = ""
        return bundle.digest(withHeader: try encoded(manifest))
    }

    func catalogueIDs(model: String, version: Int, in db: Database) throws -> [String]? {
        let bundle = try find(model: model, version: version, in: db).bundle
        return try TextTable.decode(bundle.bytes(Checkpoint.idsName, from: db))
    }

    func models(in db: Database) throws -> [String] {
        // A version with a damaged model name must not look like another model.
        let numbers = try StoredNumbers(in: db)
        return try numbers.models.filter { model in
            let pointer = try ModelPointer(model, in: db, numbers)
            return pointer?.damage == nil
                || numbers.versions(of: model).contains { Bundle.isReadable(model, $0, in: db) }
        }
    }

    func numbers(of model: String, in db: Database) throws -> [Int] { try StoredNumbers(in: db).versions(of: model) }

    func pointer(of model: String, in db: Database) throws -> ModelPointer {
        guard let pointer = try ModelPointer(model, in: db) else {
            throw CheckpointError.modelNotFound(model: model, available: try models(in: db))
        }
        return pointer
    }

    /// The header of a version; with an explicit number, the model's row may be damaged.
    func find(
        model: String,
        version: Int?,
        in db: Database
    ) throws -> (bundle: Bundle, manifest: CheckpointManifest, location: String) {
        guard let number = try version ?? pointer(of: model, in: db).active else {
            throw CheckpointError.noActiveVersion(model: model, available: try numbers(of: model, in: db))
        }
        guard let row = try Bundle.row(of: model, number, in: db) else {
            _ = try pointer(of: model, in: db)
            let available = try numbers(of: model, in: db)
            throw CheckpointError.versionNotFound(model: model, version: number, available: available)
        }
        let location = "version \(number) of '\(model)'"
        let id = try row.integer(0, "bundle of \(location)")
        let bundle = try Bundle(id: id, kind: .version, location: location, from: db)
        let manifest = try JSONDecoder().decode(CheckpointManifest.self, from: bundle.header)
        guard manifest.model == model, manifest.version == number else {
            throw CheckpointError.corrupted(
                what: "its manifest belongs to version \(manifest.version) of '\(manifest.model)'",
                location: location
            )
        }
        return (bundle, manifest, location)
    }

    /// Rejects names that SQLite or a command line would cut off.
    func requireName(_ model: String) throws(CheckpointError) {
        guard !model.isEmpty, !model.utf8.contains(0) else {
            throw .invalid(reason: "\(model.debugDescription) is not a valid name for a model")
        }
    }

    /// A header's JSON; equal values give equal bytes.
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
