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

    /// Reads all entries without the index, which may itself be damaged.
    init(of model: String, in db: Database) throws {
        var entries: [Entry] = []
        var damage: [StoreDamage] = []
        let sql = "SELECT id, number, at, model, digest FROM activation NOT INDEXED ORDER BY id"
        for row in try Row.fetchAll(db, sql: sql) {
            let id = try row.integer(0, "activation")
            guard let number = try? row.integer(1, "activated version"), let at = try? row.text(2, "time"),
                let name = try? row.text(3, "activated model"), let digest = try? row.bytes(4, "digest"),
                digest == Migrations.activationDigest(id: id, number: number, at: at, model: name)
            else {
                damage.append(StoreDamage(location: "activation \(id)", what: "its digest does not match"))
                continue
            }
            if name == model { entries.append(Entry(id: id, number: number)) }
        }
        self.entries = entries
        self.damage = damage
    }
}
