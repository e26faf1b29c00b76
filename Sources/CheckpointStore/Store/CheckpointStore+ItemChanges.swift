import Foundation
import GRDB
import Kernels

extension CheckpointStore {
    /// Records a change of an item and replaces its earlier change.
    ///
    /// - Throws: ``CheckpointError/modelNotFound(model:available:)`` and
    ///   ``CheckpointError/versionNotFound(model:version:available:)`` for an unknown model or version, and
    ///   ``CheckpointError/invalid(reason:)`` for a vector that does not fit the version.
    public func changeItem(_ change: ItemChange) throws(CheckpointError) {
        try write { db in
            let manifest = try find(model: change.model, version: change.version, in: db).manifest
            if let vector = change.content?.vector { try require(vector, of: change.item, fits: manifest) }
            let item = Data(change.item.utf8)
            try db.execute(
                sql: "DELETE FROM item_change WHERE model = ? AND item = ?",
                arguments: [change.model, item]
            )
            try db.execute(
                sql: "INSERT INTO item_change (model, item, content, digest) VALUES (?, ?, '', x'')",
                arguments: [change.model, item]
            )
            let id = Int(db.lastInsertedRowID)
            let content = String(decoding: try encoded(change), as: UTF8.self)
            try db.execute(
                sql: "UPDATE item_change SET content = ?, digest = ? WHERE id = ?",
                arguments: [content, SHA256.row("item change", "\(id)", content), id]
            )
        }
    }

    /// The newest change of each item of a model, in the order of the changes.
    public func itemChanges(of model: String) throws(CheckpointError) -> [ItemChange] {
        try read { db in
            _ = try pointer(of: model, in: db)
            return try storedItemChanges(of: model, in: db).intact.map(\.change)
        }
    }

    /// The number of a model's newest item change, 0 when there is none; rises with every change.
    ///
    /// It reads only an index, so callers can poll it before they call ``itemChanges(of:)``.
    public func newestItemChange(of model: String) throws(CheckpointError) -> Int {
        try read { db in
            let sql = "SELECT max(id) FROM item_change WHERE model = ?"
            return try Row.fetchOne(db, sql: sql, arguments: [model])?.optionalInteger(0, "newest item change") ?? 0
        }
    }

    // MARK: Rows

    /// The item changes of a model (nil: of all models), oldest first, read without the index, and the damaged rows.
    ///
    /// A damaged row may belong to any model.
    func storedItemChanges(
        of model: String?,
        in db: Database
    ) throws -> DigestedRows<(id: Int, change: ItemChange)> {
        let sql = "SELECT id, item, content, digest, model FROM item_change NOT INDEXED ORDER BY id"
        var rows = try DigestedRows<(id: Int, change: ItemChange)>(db, sql: sql, named: "item change") {
            row in
            let id = try row.integer(0, "number of an item change")
            let content = try row.text(2, "item change \(id)")
            func damaged(_ what: String) -> CheckpointError { .corrupted(what: what, location: "item change \(id)") }
            guard try row.bytes(3, "digest of item change \(id)") == SHA256.row("item change", "\(id)", content) else {
                throw damaged("its digest does not match")
            }
            let change = try JSONDecoder().decode(ItemChange.self, from: Data(content.utf8))
            guard try change.model == row.text(4, "model of change \(id)"),
                try row.bytes(1, "item of change \(id)") == Data(change.item.utf8)
            else { throw damaged("it belongs to '\(change.item)' of '\(change.model)'") }
            return (id, change)
        }
        if let model { rows.intact.removeAll { $0.change.model != model } }
        return rows
    }

    /// Removes added and replaced items that every version of the model has learned from newer data.
    ///
    /// Removals stay, because they also count in later versions.
    func removeOutdatedItemChanges(of model: String, in db: Database) throws {
        let versions = try numbers(of: model, in: db)
        guard let oldest = versions.first else { return }
        var outdated = try storedItemChanges(of: model, in: db).intact
            .filter { $0.change.content != nil && $0.change.version < oldest }
        for version in versions where !outdated.isEmpty {
            // A damaged version may need every change, but must not stop other versions from being pruned.
            guard let ids = try? catalogueIDs(model: model, version: version, in: db) else { return }
            let known = Set(ids)
            outdated.removeAll { $0.change.applies(to: version, knowsItem: known.contains($0.change.item)) }
        }
        for (id, _) in outdated { try db.execute(sql: "DELETE FROM item_change WHERE id = ?", arguments: [id]) }
    }

    private func require(
        _ vector: [Float],
        of item: String,
        fits manifest: CheckpointManifest
    ) throws(CheckpointError) {
        guard vector.count == manifest.dimension else {
            throw .invalid(
                reason: "the vector of item '\(item)' has \(vector.count) numbers, but version "
                    + "\(manifest.version) of '\(manifest.model)' needs \(manifest.dimension)"
            )
        }
        let length = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        guard abs(length - 1) <= 1e-3 else {
            throw .invalid(reason: "the vector of item '\(item)' has length \(length), not 1")
        }
    }
}
