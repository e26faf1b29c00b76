import Foundation
import GRDB

/// The activated versions of a model, oldest first; damaged entries are reported instead.
struct ActivationHistory {
    /// An intact entry.
    struct Entry {
        let id: Int
        let number: Int
    }

    /// The model's intact entries.
    let entries: [Entry]
    /// The damaged entries of all models, because a damaged entry does not show its model.
    let damage: [StoreDamage]
    /// The numbers of the damaged entries.
    let damagedRows: [Int]

    /// Reads all entries without the index, which may itself be damaged.
    init(of model: String, in db: Database) throws {
        var entries: [Entry] = []
        var damage: [StoreDamage] = []
        let sql = "SELECT id, number, at, model, digest FROM activation NOT INDEXED ORDER BY id"
        let readable = try ReadableRows(db, sql: sql, of: "activation")
        if let unreadable = readable.damage { damage.append(unreadable) }
        var damagedRows: [Int] = []
        for row in readable.rows {
            let id = try row.integer(0, "activation")
            guard let number = try? row.integer(1, "activated version"), let at = try? row.text(2, "time"),
                let name = try? row.text(3, "activated model"), let digest = try? row.bytes(4, "digest"),
                digest == Migrations.activationDigest(id: id, number: number, at: at, model: name)
            else {
                damage.append(StoreDamage(location: "activation \(id)", what: "its digest does not match"))
                damagedRows.append(id)
                continue
            }
            if name == model { entries.append(Entry(id: id, number: number)) }
        }
        self.entries = entries
        self.damage = damage
        self.damagedRows = damagedRows
    }
}
