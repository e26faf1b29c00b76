import Foundation
import GRDB

extension CheckpointStore {
    /// All damage outside of the versions' contents.
    ///
    /// It covers headers of versions, active versions, activation histories, aliases, item changes and indexes.
    /// ``verify(model:version:)`` reads contents. Complexity: O(rows outside of the versions' contents).
    ///
    /// - Returns: The damaged parts; none for an intact store.
    /// - Throws: ``CheckpointError`` when the file as a whole cannot be read.
    public func damage() throws(CheckpointError) -> [StoreDamage] {
        try read { try damage(in: $0) }
    }

    /// The result of a repair.
    public struct Repair: Sendable, Equatable {
        /// The damage that was mended from the intact parts.
        public var mended: [StoreDamage] = []
        /// The parts that were removed because they were damaged beyond repair.
        public var removed: [StoreDamage] = []
        /// The damage that is left.
        public var left: [StoreDamage] = []

        /// Whether there was nothing to do.
        public var isEmpty: Bool { mended.isEmpty && removed.isEmpty && left.isEmpty }
    }

    /// Rebuilds indexes, active versions, activation histories and rows of versions from the intact parts.
    ///
    /// - Parameter removeDamaged: Also remove versions, aliases and item changes that are damaged beyond repair, after
    ///   reading every byte; otherwise they stay, and the result lists them.
    /// - Returns: The repaired, the removed and the remaining damaged parts.
    /// - Throws: ``CheckpointError``; then nothing was changed.
    public func repair(removeDamaged: Bool) throws(CheckpointError) -> Repair {
        try write { db in
            let before = try damage(in: db)
            var repair = Repair()
            // Rows are repaired in any order, so foreign keys are checked at the end.
            try db.execute(sql: "PRAGMA defer_foreign_keys = ON")
            try attempt(in: db) { try $0.execute(sql: "PRAGMA application_id = \(Migrations.applicationID)") }
            for table in [
                "model", "version", "activation", "alias", "item_change", "attribute_change", "bundle", "blob", "chunk",
            ] {
                try attempt(in: db) { try $0.execute(sql: "REINDEX \(table)") }
            }
            try attempt(in: db) { try restoreVersionRows(in: $0) }
            for id in try ActivationHistory(of: "", in: db).damagedRows {
                try attempt(in: db) { try $0.execute(sql: "DELETE FROM activation WHERE id = ?", arguments: [id]) }
            }
            if removeDamaged { repair.removed = try removeDamagedRows(in: db) }
            for model in try models(in: db) {
                var pointer = try pointer(of: model, in: db)
                let numbers = try numbers(of: model, in: db)
                let lostActive = removeDamaged && pointer.active.map { !numbers.contains($0) } ?? false
                if lostActive { try pointer.rebuild(numbers, in: db) }
                if lostActive || pointer.damage != nil { try attempt(in: db) { try pointer.save(in: $0) } }
            }
            try attempt(in: db) { db in
                // These rows have a damaged name; the rows under the right name were rebuilt above.
                try db.execute(
                    sql: """
                        DELETE FROM model WHERE name NOT IN (SELECT model FROM version)
                        AND name NOT IN (SELECT model FROM item_change)
                        AND name NOT IN (SELECT model FROM attribute_change)
                        """
                )
            }
            repair.left = try damage(in: db)
            let gone = Set(repair.removed.map(\.location))
            repair.mended = before.filter { !repair.left.contains($0) && !gone.contains($0.location) }
            return repair
        }
    }

    /// Makes one of several repairs completely, or changes nothing if damage prevents it.
    ///
    /// - Throws: Every other error, such as a full disk. It ends the whole repair.
    private func attempt(in db: Database, _ work: (Database) throws -> Void) throws {
        do {
            try db.inSavepoint {
                try work(db)
                return .commit
            }
        } catch {
            guard CheckpointError.meansDamage(error) else { throw error }
        }
    }

    /// Gives versions whose row has another model or number than their intact manifest their own again.
    private func restoreVersionRows(in db: Database) throws {
        let rows = try ReadableRows(
            db,
            sql: "SELECT rowid, model, number, bundle FROM version NOT INDEXED",
            of: "version"
        )
        for row in rows.rows {
            guard let number = try? row.integer(0, "row"), let id = try? row.integer(3, "bundle"),
                let bundle = try? Bundle(id: id, kind: .version, location: "", from: db),
                let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: bundle.header),
                (try? row.text(1, "model")) != manifest.model || (try? row.integer(2, "number")) != manifest.version,
                try Bundle.row(of: manifest.model, manifest.version, in: db) == nil
            else { continue }
            try db.execute(sql: "DELETE FROM version WHERE rowid = ?", arguments: [number])
            try db.execute(
                sql: "INSERT INTO version (model, number, bundle) VALUES (?, ?, ?)",
                arguments: [manifest.model, manifest.version, id]
            )
        }
    }

    // MARK: Rows

    private func damage(in db: Database) throws -> [StoreDamage] {
        var damage: [StoreDamage] = []
        let numbers = try StoredNumbers(in: db)
        if let finding = numbers.damage { damage.append(finding) }
        let rows = try ReadableRows(db, sql: "SELECT name FROM model NOT INDEXED", of: "model").rows.compactMap {
            try? $0.text(0, "name")
        }
        for model in Set(numbers.models).union(rows).sorted() {
            let versions = numbers.versions(of: model)
            if versions.isEmpty {
                damage.append(StoreDamage(location: "model '\(model)'", what: "it has no version"))
                continue
            }
            if let finding = try ModelPointer(model, in: db, numbers)?.damage { damage.append(finding) }
            for version in versions {
                do { _ = try find(model: model, version: version, in: db) } catch {
                    guard CheckpointError.meansDamage(error) else { throw error }
                    damage.append(StoreDamage(location: "version \(version) of '\(model)'", error))
                }
            }
        }
        damage += try ActivationHistory(of: "", in: db).damage
        let aliases = try storedAliases(in: db)
        damage += aliases.damage
        for alias in aliases.intact {
            let stored = numbers.versions(of: alias.model)
            for share in alias.split where !stored.contains(share.version) {
                let what = "it names version \(share.version) of '\(alias.model)', which is not stored"
                damage.append(StoreDamage(location: "alias '\(alias.name)'", what: what))
            }
        }
        damage += try storedItemChanges(of: nil, in: db).damage
        damage += try storedAttributeChanges(of: nil, in: db).damage
        for table in ["model", "version", "activation", "alias", "item_change", "attribute_change"] {
            let check = try ReadableRows(db, sql: "PRAGMA integrity_check(\(table))", of: table)
            let findings = check.rows.compactMap { try? $0.text(0, "finding") }
            if check.damage != nil || findings != ["ok"] {
                let all = findings + (check.damage.map { [$0.what] } ?? [])
                damage.append(StoreDamage(location: "table '\(table)'", what: all.joined(separator: "; ")))
            }
        }
        return damage
    }

    /// Removes the parts that cannot be repaired, and names them.
    private func removeDamagedRows(in db: Database) throws -> [StoreDamage] {
        var removed: [StoreDamage] = []
        func remove(_ damage: [StoreDamage], _ work: (Database) throws -> Void) throws {
            try attempt(in: db) { db in
                try work(db)
                removed += damage
            }
        }
        let aliases = try storedAliases(in: db)
        try remove(aliases.rowDamage) { db in try delete(aliases.damagedRows, from: "alias", in: db) }
        let changes = try storedItemChanges(of: nil, in: db)
        try remove(changes.rowDamage) { db in try delete(changes.damagedRows, from: "item_change", in: db) }
        let attributes = try storedAttributeChanges(of: nil, in: db)
        try remove(attributes.rowDamage) { db in
            try delete(attributes.damagedRows, from: "attribute_change", in: db)
        }
        let numbers = try StoredNumbers(in: db)
        for model in numbers.models {
            for version in numbers.versions(of: model) {
                do { _ = try checkpoint(model: model, version: version, in: db) } catch {
                    guard CheckpointError.meansDamage(error) else { throw error }
                    let damage = StoreDamage(location: "version \(version) of '\(model)'", error)
                    try remove([damage]) { try self.remove(model: model, version: version, in: $0) }
                }
            }
        }
        let left = try StoredNumbers(in: db)
        for alias in aliases.intact {
            let lost = alias.split.filter { !left.versions(of: alias.model).contains($0.version) }.map {
                "\($0.version)"
            }
            guard !lost.isEmpty else { continue }
            let what = "it names versions that are not stored: \(lost.joined(separator: ", "))"
            try remove([StoreDamage(location: "alias '\(alias.name)'", what: what)]) { db in
                try db.execute(sql: "DELETE FROM alias WHERE name = ?", arguments: [alias.name])
            }
        }
        try attempt(in: db) { try removeOrphans(in: $0) }
        return removed
    }

    private func delete(_ rows: [Int], from table: String, in db: Database) throws {
        for row in rows { try db.execute(sql: "DELETE FROM \(table) WHERE rowid = ?", arguments: [row]) }
    }

    private func removeOrphans(in db: Database) throws {
        // Remove the rows whose owners are gone, from the owners down.
        try db.execute(
            sql: """
                DELETE FROM version WHERE bundle NOT IN (SELECT id FROM bundle);
                DELETE FROM activation WHERE NOT EXISTS (
                    SELECT 1 FROM version WHERE version.model = activation.model AND version.number = activation.number
                );
                DELETE FROM training_state WHERE bundle NOT IN (SELECT id FROM bundle);
                DELETE FROM bundle WHERE id NOT IN (
                    SELECT bundle FROM version UNION SELECT bundle FROM training_state
                );
                DELETE FROM blob WHERE bundle NOT IN (SELECT id FROM bundle);
                DELETE FROM chunk WHERE blob NOT IN (SELECT id FROM blob);
                """
        )
    }
}
