import Foundation
import GRDB

/// The rows of a table that hold a digest of themselves: a damaged one is told and spoils no other.
struct DigestedRows<Value> {
    /// The rows that are as they were written.
    var intact: [Value] = []
    /// What is wrong with the others.
    private(set) var damage: [StoreDamage] = []
    /// The numbers of the others.
    private(set) var damagedRows: [Int] = []

    /// Reads rows whose first column is their number.
    ///
    /// - Parameters:
    ///   - db: Where to read.
    ///   - sql: The rows.
    ///   - arguments: The statement's.
    ///   - name: What a row is called, for messages.
    ///   - read: Reads a row, or throws what is wrong with it.
    /// - Throws: ``CheckpointError`` when the table as a whole cannot be read.
    init(
        _ db: Database,
        sql: String,
        arguments: StatementArguments,
        named name: String,
        _ read: (Row) throws -> Value
    ) throws {
        for row in try Row.fetchAll(db, sql: sql, arguments: arguments) {
            do {
                intact.append(try read(row))
            } catch {
                let number = try row.integer(0, "number of \(name)")
                var location = "\(name) \(number)"
                if case CheckpointError.corrupted(_, let found) = error, found != "the store" { location = found }
                damage.append(StoreDamage(location: location, error))
                damagedRows.append(number)
            }
        }
    }
}
