import Foundation
import GRDB

/// The rows of a table with a digest each; a damaged row is reported and does not affect the others.
struct DigestedRows<Value> {
    /// The intact rows.
    var intact: [Value] = []
    /// A page that cannot be read, and the rows behind it; nil if all rows were read.
    private var unreadable: StoreDamage?
    /// The damage of the other rows.
    private(set) var rowDamage: [StoreDamage] = []
    /// The numbers of the damaged rows.
    private(set) var damagedRows: [Int] = []

    /// Reads rows whose first column is their number.
    ///
    /// - Parameters:
    ///   - db: The database.
    ///   - sql: The statement that selects the rows.
    ///   - name: The name of a row in messages.
    ///   - read: Reads a row, or throws if it is damaged.
    /// - Throws: ``CheckpointError`` when the table as a whole cannot be read.
    init(
        _ db: Database,
        sql: String,
        named name: String,
        _ read: (Row) throws -> Value
    ) throws {
        let readable = try ReadableRows(db, sql: sql, of: name)
        unreadable = readable.damage
        for row in readable.rows {
            do {
                intact.append(try read(row))
            } catch {
                let number = try row.integer(0, "number of \(name)")
                var location = "\(name) \(number)"
                if case CheckpointError.corrupted(_, let found) = error, found != "the store" { location = found }
                rowDamage.append(StoreDamage(location: location, error))
                damagedRows.append(number)
            }
        }
    }

    /// All damage of the table.
    var damage: [StoreDamage] { (unreadable.map { [$0] } ?? []) + rowDamage }
}
