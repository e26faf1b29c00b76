import Foundation
import GRDB
import Kernels

extension CheckpointStore {
    /// Writes a version to a file of its own for ``importVersion(from:activate:)``, closed and without a log.
    ///
    /// The file is a store with this one version, active since its publication and under its own number. So exports of
    /// one version have the same bytes at any time. It is written beside the target
    /// under a hidden name (`.NAME.part-…`) and renamed once it is on the disk. So readers see the former file or
    /// the new one, always complete. A killed process leaves the hidden file.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - version: The version, or nil for the active one.
    ///   - path: The file; its directory must exist.
    /// - Throws: The errors of ``verify(model:version:)``, and ``CheckpointError`` for a path that cannot be
    ///   written; then no file is left.
    public func export(model: String, version: Int? = nil, to path: String) throws(CheckpointError) {
        try requireExportable(path)
        let checkpoint = try load(model: model, version: version)
        try requireServable(checkpoint)
        let target = URL(filePath: path)
        let suffix = "part-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0...UInt32.max))"
        let part = target.deletingLastPathComponent().appending(path: ".\(target.lastPathComponent).\(suffix)").path
        do {
            try write(checkpoint, to: part)
            try DurableFile.move(part, to: target.path)
        } catch {
            for suffix in ["", "-journal", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: part + suffix)
            }
            throw CheckpointError(error, path: path)
        }
    }

    /// Stores the version of an exported file, verified, in one transaction.
    ///
    /// The version keeps its number if that is above all numbers that the model ever had, else it gets the next one.
    /// It keeps the time of its first publication. If the store already has the content, it stores and activates
    /// nothing, so a file may be imported twice.
    ///
    /// - Parameters:
    ///   - path: The file; the import does not change it.
    ///   - activate: Make a new version the active one, in the same transaction.
    /// - Returns: The version's model and number in this store, and whether it was stored now.
    /// - Throws: ``CheckpointError`` for a file that is missing, foreign, newer, truncated, damaged or in use as a
    ///   store, or that does not hold exactly one version; then the store is unchanged.
    public func importVersion(
        from path: String,
        activate: Bool = true
    ) throws(CheckpointError) -> (model: String, version: Int, isNew: Bool) {
        guard !readOnly else { throw .readOnly(path: self.path) }
        let (exported, digest) = try exportedVersion(in: path)
        let model = exported.manifest.model
        return try write { db in
            var checkpoint = exported
            var pointer = try modelToPublish(model, in: db)
            if let number = try number(ofContent: digest, model: model, in: db) { return (model, number, false) }
            checkpoint.manifest.version = try pointer.takeNumber(wanted: checkpoint.manifest.version)
            try insert(checkpoint, of: pointer, activate: activate, into: db)
            return (model, checkpoint.manifest.version, true)
        }
    }

    // MARK: Export

    /// Rejects targets whose replacement would harm a store: this one, and any with a log beside it.
    private func requireExportable(_ target: String) throws(CheckpointError) {
        func identity(_ path: String) -> [Int]? {
            let resolved = URL(filePath: path).resolvingSymlinksInPath().path
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: resolved),
                let device = attributes[.systemNumber] as? NSNumber,
                let file = attributes[.systemFileNumber] as? NSNumber
            else { return nil }
            return [device.intValue, file.intValue]
        }
        if let found = identity(target), found == identity(path) {
            throw .cannotExport(path: target, reason: "it is the store itself")
        }
        for suffix in ["-wal", "-journal"] where FileManager.default.fileExists(atPath: target + suffix) {
            throw .cannotExport(path: target, reason: "it is a database in use ('\(target + suffix)' exists)")
        }
    }

    private func write(_ checkpoint: Checkpoint, to path: String) throws {
        let configuration = OpenFile.configuration(readOnly: false, LockWaiting(seconds: 0))
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        // The file is renamed only once it is on the disk, so it needs no journal there.
        try queue.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
        }
        if let pageLimit {
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pageLimit)") }
        }
        try Migrations.apply(to: queue)
        try queue.write { db in
            var pointer = ModelPointer(name: checkpoint.manifest.model)
            _ = try pointer.takeNumber(wanted: checkpoint.manifest.version)
            try insert(checkpoint, of: pointer, activate: true, at: checkpoint.manifest.createdAt, into: db)
        }
        try queue.close()
    }

    // MARK: Import

    /// The one version of an exported file, verified, and the digest of its content.
    private func exportedVersion(in path: String) throws(CheckpointError) -> (Checkpoint, digest: Data) {
        func refused(_ reason: String) -> CheckpointError { .notAnExport(path: path, reason: reason) }
        guard try FileHeader(path: path)?.hasLog != true else {
            throw refused("it is a store in use, with a write-ahead log")
        }
        for suffix in ["-journal", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
            throw refused("'\(path + suffix)' exists, so the file may be in use")
        }
        do {
            let file = try CheckpointStore(
                path: path,
                readOnly: true,
                chunkBytes: chunkBytes,
                busyTimeout: busyTimeout,
                isForeign: true
            )
            try file.requireExportSizes(refused)
            try file.verifyFile()
            let versions = try file.models().flatMap { model in
                try file.inventory(of: model).map { try $0.summary.get().manifest }
            }
            guard let manifest = versions.first, versions.count == 1 else {
                throw refused("it holds \(versions.count) versions, but an exported file holds exactly one")
            }
            guard (try? Date(manifest.createdAt, strategy: .iso8601)) != nil else {
                throw refused("its publication time '\(manifest.createdAt)' is not in ISO 8601")
            }
            try requireName(manifest.model)
            let (model, version) = (manifest.model, manifest.version)
            let exported = try file.read { db in
                (
                    try file.checkpoint(model: model, version: version, in: db),
                    digest: try file.contentDigest(model: model, version: version, in: db)
                )
            }
            try requireServable(exported.0)
            try file.close()
            return exported
        } catch CheckpointError.corrupted(let what, let location) where !location.contains(path) {
            throw .corrupted(what: what, location: "\(location) in '\(path)'")
        } catch {
            throw CheckpointError(error, path: path)
        }
    }

    /// Rejects a file with other rows than an export has, before anything takes time in proportion to them.
    private func requireExportSizes(_ refused: (String) -> CheckpointError) throws(CheckpointError) {
        let most = [
            ("model", 1), ("version", 1), ("bundle", 1), ("activation", 1), ("alias", 0), ("item_change", 0),
            ("attribute_change", 0), ("training_state", 0), ("blob", 10_000),
        ]
        let counts = try read { db in
            try most.map { table, most in
                let sql = "SELECT count(*) FROM (SELECT 1 FROM \(table) LIMIT \(most + 1000))"
                return (table, most, try Row.fetchOne(db, sql: sql)?.integer(0, "rows of \(table)") ?? 0)
            }
        }
        for (table, most, found) in counts where found > most || table == "version" && found != 1 {
            let rows = table == "version" || table == "model" ? "\(table)s" : "rows of '\(table)'"
            let number = found == most + 1000 ? "at least \(found)" : "\(found)"
            throw refused("it holds \(number) \(rows), but an exported file holds exactly one version and nothing else")
        }
    }

    /// The intact version that already holds the content.
    private func number(ofContent digest: Data, model: String, in db: Database) throws -> Int? {
        guard try ModelPointer(model, in: db) != nil else { return nil }
        return try numbers(of: model, in: db).first { number in
            // A damaged version does not replace an import.
            guard digest == (try? contentDigest(model: model, version: number, in: db)) else { return false }
            return (try? checkpoint(model: model, version: number, in: db)) != nil
        }
    }
}
