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

    /// Rebuilds indexes, active versions and activation histories from the intact parts.
    ///
    /// - Parameter removeDamaged: Also remove versions, aliases and item changes that are damaged beyond repair;
    ///   otherwise they stay, and the result lists them.
    /// - Returns: The repaired parts, and the parts that are still damaged.
    /// - Throws: ``CheckpointError``; then nothing was changed.
    public func repair(removeDamaged: Bool) throws(CheckpointError) -> (mended: [StoreDamage], left: [StoreDamage]) {
        try write { db in
            let before = try damage(in: db)
            try db.execute(sql: "PRAGMA application_id = \(Migrations.applicationID)")
            try db.execute(sql: "REINDEX")
            try db.execute(sql: "DELETE FROM activation WHERE id IN (\(try damagedActivations(in: db)))")
            if removeDamaged { try removeDamagedRows(in: db) }
            for model in try models(in: db) {
                var pointer = try pointer(of: model, in: db)
                let numbers = try numbers(of: model, in: db)
                let lostActive = removeDamaged && pointer.active.map { !numbers.contains($0) } ?? false
                if lostActive { try pointer.rebuild(numbers, in: db) }
                if lostActive || pointer.damage != nil { try pointer.save(in: db) }
            }
            // Rows with a damaged name; their content was rebuilt under the right name.
            try db.execute(
                sql: """
                    DELETE FROM model WHERE name NOT IN (SELECT model FROM version)
                    AND name NOT IN (SELECT model FROM item_change)
                    """
            )
            let left = try damage(in: db)
            return (before.filter { !left.contains($0) }, left)
        }
    }

    // MARK: Rows

    private func damage(in db: Database) throws -> [StoreDamage] {
        var damage: [StoreDamage] = []
        let numbers = try StoredNumbers(in: db)
        let rows = try Row.fetchAll(db, sql: "SELECT name FROM model NOT INDEXED").compactMap {
            try? $0.text(0, "name")
        }
        for model in Set(numbers.models).union(rows).sorted() {
            let versions = numbers.versions(of: model)
            if versions.isEmpty {
                damage.append(StoreDamage(location: "model '\(model)'", what: "it has no version"))
                continue
            }
            if let finding = try ModelPointer(model, in: db)?.damage { damage.append(finding) }
            for version in versions {
                do { _ = try find(model: model, version: version, in: db) } catch {
                    damage.append(StoreDamage(location: "version \(version) of '\(model)'", error))
                }
            }
        }
        damage += try ActivationHistory(of: "", in: db).damage
        damage += try storedAliases(in: db).damage
        damage += try storedItemChanges(of: nil, in: db).damage
        for table in ["model", "version", "activation", "alias", "item_change"] {
            let findings = try Row.fetchAll(db, sql: "PRAGMA integrity_check(\(table))").map {
                try $0.text(0, "finding")
            }
            if findings != ["ok"] {
                damage.append(StoreDamage(location: "table '\(table)'", what: findings.joined(separator: "; ")))
            }
        }
        return damage
    }

    private func damagedActivations(in db: Database) throws -> String {
        try ActivationHistory(of: "", in: db).damage.map { String($0.location.drop { !$0.isNumber }) }
            .joined(separator: ", ")
    }

    private func removeDamagedRows(in db: Database) throws {
        let rows = [
            ("alias", try storedAliases(in: db).damagedRows),
            ("item_change", try storedItemChanges(of: nil, in: db).damagedRows),
        ]
        for (table, numbers) in rows {
            for row in numbers { try db.execute(sql: "DELETE FROM \(table) WHERE rowid = ?", arguments: [row]) }
        }
        let numbers = try StoredNumbers(in: db)
        for model in numbers.models {
            for version in numbers.versions(of: model) where !isIntact(model: model, version: version, in: db) {
                try remove(model: model, version: version, in: db)
            }
        }
        // Rows that belonged to removed and damaged rows, from the top down.
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

    private func isIntact(model: String, version: Int, in db: Database) -> Bool {
        (try? checkpoint(model: model, version: version, in: db)) != nil
    }
}
