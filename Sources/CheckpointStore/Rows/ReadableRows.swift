import GRDB

/// The rows of a table up to the first that SQLite cannot read.
///
/// A damaged page ends a scan. The rows before it are intact and are used.
struct ReadableRows {
    /// The rows.
    let rows: [Row]
    /// The damage that ended the scan, or nil.
    let damage: StoreDamage?

    /// Reads rows.
    ///
    /// - Parameters:
    ///   - db: The database.
    ///   - sql: The statement that selects the rows.
    ///   - arguments: The statement's arguments.
    ///   - table: The table's name, for messages.
    /// - Throws: SQLite's errors other than damage.
    init(_ db: Database, sql: String, arguments: StatementArguments = [], of table: String) throws {
        var rows: [Row] = []
        var damage: StoreDamage?
        do {
            let cursor = try Row.fetchCursor(db, sql: sql, arguments: arguments)
            while let row = try cursor.next() { rows.append(row.copy()) }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
            damage = StoreDamage(location: "table '\(table)'", what: "a page cannot be read behind row \(rows.count)")
        }
        self.rows = rows
        self.damage = damage
    }
}
