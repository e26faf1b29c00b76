import Foundation
import GRDB
import Kernels

extension CheckpointStore {
    /// Records a change of an item and replaces its earlier change.
    ///
    /// - Parameters:
    ///   - change: The change.
    ///   - attributes: New values of the item's attributes, recorded in the same transaction; nil leaves them.
    /// - Returns: The numbers of the model's newest change before and after.
    /// - Throws: ``CheckpointError/modelNotFound(model:available:)`` and
    ///   ``CheckpointError/versionNotFound(model:version:available:)`` for an unknown model or version, and
    ///   ``CheckpointError/invalid(reason:)`` for a vector that does not fit the version.
    @discardableResult
    public func changeItem(
        _ change: ItemChange,
        attributes: AttributeChange? = nil
    ) throws(CheckpointError) -> RecordedChanges {
        try recording(for: change.model) { db in
            let manifest = try find(model: change.model, version: change.version, in: db).manifest
            if let vector = change.content?.vector { try require(vector, of: change.item, fits: manifest) }
            let number = try nextChangeNumber(in: db)
            try replaceRow(of: change.item, of: change.model, by: change, in: .content, numbered: number, db)
            if let attributes { try merge([attributes], in: db) }
        }
    }

    /// Records new values of attributes of many items in one transaction.
    ///
    /// A value replaces the earlier value of the same attribute of the same item; other changed values stay. Damaged
    /// earlier values count in no version, so the new ones replace them.
    ///
    /// - Parameters:
    ///   - changes: Changes, applied in order.
    ///   - model: The model of all of them.
    /// - Returns: The numbers of the model's newest change before and after.
    /// - Throws: ``CheckpointError/modelNotFound(model:available:)`` for an unknown model.
    /// - Complexity: O(changes * log items), with one row for each item.
    @discardableResult
    public func changeAttributes(
        _ changes: [AttributeChange],
        of model: String
    ) throws(CheckpointError) -> RecordedChanges {
        try recording(for: model) { db in
            _ = try pointer(of: model, in: db)
            for change in changes {
                precondition(change.model == model, "a change of \(change.model) among those of \(model)")
            }
            try merge(changes, in: db)
        }
    }

    /// The changed values of the attributes of one item; nil if there are none, or if they are damaged.
    ///
    /// - Complexity: O(log items).
    public func attributeChange(of item: String, in model: String) throws(CheckpointError) -> AttributeChange? {
        try read { db in
            _ = try pointer(of: model, in: db)
            return try storedAttributeChange(of: item, in: model, db)
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

    /// The number of the newest change of a model's items or of their attributes; 0 before the first.
    ///
    /// Every recorded change gets a number that is higher than all numbers before, whatever its model and whether the
    /// earlier changes are still stored. So a reader that saw another number reads the changes again, and misses none.
    /// Removing changes can lower the number, but cannot make a later change repeat one.
    ///
    /// It reads only indexes, so callers can poll it before they call ``itemChanges(of:)`` and
    /// ``attributeChanges(of:)``.
    public func newestItemChange(of model: String) throws(CheckpointError) -> Int {
        try read { try newestItemChange(of: model, in: $0) }
    }

    private func newestItemChange(of model: String, in db: Database) throws -> Int {
        try ChangeTable.allCases.reduce(0) { newest, table in
            let sql = "SELECT max(id) FROM \(table.rawValue) WHERE model = ?"
            let row = try Row.fetchOne(db, sql: sql, arguments: [model])
            return max(newest, try row?.optionalInteger(0, "newest \(table.rowName)") ?? 0)
        }
    }

    /// Records changes of a model in one transaction.
    private func recording(
        for model: String,
        _ record: (Database) throws -> Void
    ) throws(CheckpointError) -> RecordedChanges {
        try write { db in
            let previous = try newestItemChange(of: model, in: db)
            try record(db)
            return RecordedChanges(previous: previous, newest: try newestItemChange(of: model, in: db))
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

    /// A number above those of all changes that were ever recorded in either table.
    private func nextChangeNumber(in db: Database) throws -> Int {
        let tables = ChangeTable.allCases.map(\.rawValue)
        let stored = tables.map { "SELECT max(id) AS number FROM \($0)" }
        // The sequence remembers the numbers of removed rows.
        let names = tables.map { "'\($0)'" }.joined(separator: ", ")
        let used = "SELECT max(seq) FROM sqlite_sequence WHERE name IN (\(names)) AND typeof(seq) = 'integer'"
        let sql = "SELECT 1 + coalesce(max(number), 0) FROM (\((stored + [used]).joined(separator: " UNION ALL ")))"
        let row = try db.cachedStatement(sql: sql)
        return try Row.fetchOne(row)?.integer(0, "number of the next change") ?? 1
    }

    /// Replaces the row of an item by a new one with a higher number.
    private func replaceRow(
        of item: String,
        of model: String,
        by value: some Encodable,
        in table: ChangeTable,
        numbered id: Int,
        _ db: Database
    ) throws {
        let key = Data(item.utf8)
        let remove = try db.cachedStatement(sql: "DELETE FROM \(table.rawValue) WHERE model = ? AND item = ?")
        try remove.execute(arguments: [model, key])
        let content = String(decoding: try encoded(value), as: UTF8.self)
        let insert = try db.cachedStatement(
            sql: "INSERT INTO \(table.rawValue) (id, model, item, content, digest) VALUES (?, ?, ?, ?, ?)"
        )
        try insert.execute(arguments: [id, model, key, content, SHA256.row(table.rowName, "\(id)", content)])
    }

    /// Merges changes of attributes of one model into the rows of their items, in the order of each item's last change.
    private func merge(_ changes: [AttributeChange], in db: Database) throws {
        // Items are different if their bytes are, even where Swift calls the texts equal.
        var merged: [Data: (place: Int, change: AttributeChange)] = [:]
        for (place, change) in changes.enumerated() {
            let key = Data(change.item.utf8)
            merged[key] = (place, merged[key]?.change.followed(by: change) ?? change)
        }
        // Every change has its number, also where a later one of the same batch replaces it.
        let first = try nextChangeNumber(in: db)
        for (_, (place, change)) in merged.sorted(by: { $0.value.place < $1.value.place }) {
            var whole = change
            if !change.replaces, let earlier = try storedAttributeChange(of: change.item, in: change.model, db) {
                whole = earlier.followed(by: change)
            }
            whole.replaces = false
            try replaceRow(of: change.item, of: change.model, by: whole, in: .attributes, numbered: first + place, db)
        }
    }

    /// The changed values of the attributes of one item; nil if there are none, or if they are damaged.
    private func storedAttributeChange(of item: String, in model: String, _ db: Database) throws -> AttributeChange? {
        let sql = "SELECT id, item, content, digest, model FROM attribute_change WHERE model = ? AND item = ?"
        let find = try db.cachedStatement(sql: sql)
        guard let row = try Row.fetchOne(find, arguments: [model, Data(item.utf8)]) else { return nil }
        return try? changeRow(row, in: .attributes) { ($0.model, $0.item) }.change
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
