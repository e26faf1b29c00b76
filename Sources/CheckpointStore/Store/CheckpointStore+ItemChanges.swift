import Foundation
import GRDB
import Kernels

extension CheckpointStore {
    /// Records a change of an item and replaces its earlier change.
    ///
    /// - Parameters:
    ///   - change: The change.
    ///   - attributes: New values of the item's attributes, recorded in the same transaction; nil leaves them.
    /// - Throws: ``CheckpointError/modelNotFound(model:available:)`` and
    ///   ``CheckpointError/versionNotFound(model:version:available:)`` for an unknown model or version, and
    ///   ``CheckpointError/invalid(reason:)`` for a vector that does not fit the version.
    public func changeItem(_ change: ItemChange, attributes: AttributeChange? = nil) throws(CheckpointError) {
        try write { db in
            let manifest = try find(model: change.model, version: change.version, in: db).manifest
            if let vector = change.content?.vector { try require(vector, of: change.item, fits: manifest) }
            try replaceRow(of: change.item, of: change.model, by: change, in: .content, db)
            if let attributes { try merge([attributes], in: db) }
        }
    }

    /// Records new values of attributes of many items in one transaction.
    ///
    /// A value replaces the earlier value of the same attribute of the same item; other changed values stay.
    ///
    /// - Parameter changes: Changes of one model, applied in order.
    /// - Throws: ``CheckpointError/modelNotFound(model:available:)`` for an unknown model.
    /// - Complexity: O(changes * log items).
    public func changeAttributes(_ changes: [AttributeChange]) throws(CheckpointError) {
        try write { db in
            for model in Set(changes.map(\.model)) { _ = try pointer(of: model, in: db) }
            try merge(changes, in: db)
        }
    }

    /// The changed values of the attributes of each item of a model, in the order of the newest changes.
    public func attributeChanges(of model: String) throws(CheckpointError) -> [AttributeChange] {
        try read { db in
            _ = try pointer(of: model, in: db)
            return try storedAttributeChanges(of: model, in: db).intact
        }
    }

    /// The newest change of each item of a model, in the order of the changes.
    public func itemChanges(of model: String) throws(CheckpointError) -> [ItemChange] {
        try read { db in
            _ = try pointer(of: model, in: db)
            return try storedItemChanges(of: model, in: db).intact.map(\.change)
        }
    }

    /// A number that rises by one with every recorded change of an item, and of an item's attributes; 0 before the first.
    ///
    /// It reads only indexes, so callers can poll it before they call ``itemChanges(of:)`` and
    /// ``attributeChanges(of:)``.
    public func newestItemChange(of model: String) throws(CheckpointError) -> Int {
        try read { db in
            try ChangeTable.allCases.reduce(0) { sum, table in
                let sql = "SELECT max(id) FROM \(table.rawValue) WHERE model = ?"
                let newest = try Row.fetchOne(db, sql: sql, arguments: [model])
                return sum + (try newest?.optionalInteger(0, "newest \(table.rowName)") ?? 0)
            }
        }
    }

    // MARK: Rows

    /// The tables that hold a row for each changed item.
    enum ChangeTable: String, CaseIterable {
        /// Added, replaced and removed items.
        case content = "item_change"
        /// Changed attributes.
        case attributes = "attribute_change"

        /// The name of a row, in messages and digests.
        var rowName: String {
            switch self {
            case .content: "item change"
            case .attributes: "attribute change"
            }
        }
    }

    /// Replaces the row of an item by a new one with a higher number.
    private func replaceRow(
        of item: String,
        of model: String,
        by value: some Encodable,
        in table: ChangeTable,
        _ db: Database
    ) throws {
        let key = Data(item.utf8)
        let remove = try db.cachedStatement(sql: "DELETE FROM \(table.rawValue) WHERE model = ? AND item = ?")
        try remove.execute(arguments: [model, key])
        let insert = try db.cachedStatement(
            sql: "INSERT INTO \(table.rawValue) (model, item, content, digest) VALUES (?, ?, '', x'')"
        )
        try insert.execute(arguments: [model, key])
        let id = Int(db.lastInsertedRowID)
        let content = String(decoding: try encoded(value), as: UTF8.self)
        let fill = try db.cachedStatement(sql: "UPDATE \(table.rawValue) SET content = ?, digest = ? WHERE id = ?")
        try fill.execute(arguments: [content, SHA256.row(table.rowName, "\(id)", content), id])
    }

    /// Merges changes of attributes into the rows of their items.
    private func merge(_ changes: [AttributeChange], in db: Database) throws {
        let sql = "SELECT id, item, content, digest, model FROM attribute_change WHERE model = ? AND item = ?"
        let find = try db.cachedStatement(sql: sql)
        for change in changes {
            var merged = change
            if !change.replaces, let row = try Row.fetchOne(find, arguments: [change.model, Data(change.item.utf8)]) {
                let (_, earlier): (Int, AttributeChange) = try changeRow(row, in: .attributes) { ($0.model, $0.item) }
                merged = earlier.followed(by: change)
            }
            merged.replaces = false
            try replaceRow(of: change.item, of: change.model, by: merged, in: .attributes, db)
        }
    }

    /// Reads a row and checks it against its digest.
    private func changeRow<Change: Decodable>(
        _ row: Row,
        in table: ChangeTable,
        _ owner: (Change) -> (model: String, item: String)
    ) throws -> (id: Int, change: Change) {
        let id = try row.integer(0, "number of an \(table.rowName)")
        let name = "\(table.rowName) \(id)"
        let content = try row.text(2, name)
        func damaged(_ what: String) -> CheckpointError { .corrupted(what: what, location: name) }
        guard try row.bytes(3, "digest of \(name)") == SHA256.row(table.rowName, "\(id)", content) else {
            throw damaged("its digest does not match")
        }
        let change = try JSONDecoder().decode(Change.self, from: Data(content.utf8))
        let (model, item) = owner(change)
        guard try model == row.text(4, "model of change \(id)"),
            try row.bytes(1, "item of change \(id)") == Data(item.utf8)
        else { throw damaged("it belongs to '\(item)' of '\(model)'") }
        return (id, change)
    }

    /// The attribute changes of a model (nil: of all models), oldest first, and the damaged rows.
    func storedAttributeChanges(of model: String?, in db: Database) throws -> DigestedRows<AttributeChange> {
        let sql = "SELECT id, item, content, digest, model FROM attribute_change NOT INDEXED ORDER BY id"
        var rows = try DigestedRows<AttributeChange>(db, sql: sql, named: ChangeTable.attributes.rowName) { row in
            try changeRow(row, in: .attributes) { ($0.model, $0.item) }.change
        }
        if let model { rows.intact.removeAll { $0.model != model } }
        return rows
    }

    /// The item changes of a model (nil: of all models), oldest first, read without the index, and the damaged rows.
    ///
    /// A damaged row may belong to any model.
    func storedItemChanges(
        of model: String?,
        in db: Database
    ) throws -> DigestedRows<(id: Int, change: ItemChange)> {
        let sql = "SELECT id, item, content, digest, model FROM item_change NOT INDEXED ORDER BY id"
        var rows = try DigestedRows<(id: Int, change: ItemChange)>(db, sql: sql, named: ChangeTable.content.rowName) {
            try changeRow($0, in: .content) { ($0.model, $0.item) }
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
