import Foundation
import GRDB

/// Which versions of a model were active, oldest first; a damaged entry is left out and told.
struct ActivationHistory {
    /// An entry that is as it was written.
    struct Entry {
        let id: Int
        let number: Int
    }

    /// The model's intact entries.
    let entries: [Entry]
    /// The entries that are damaged, of any model: a damaged one does not tell whose it is.
    let damage: [StoreDamage]

    /// Reads all entries without the index, which may be what is damaged.
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
