import GRDB

/// Why a query on another program's database failed, in SQLite's words.
package struct QueryFailure: Error {
    /// SQLite's message.
    package let reason: String
}

/// The rows of a query on another program's database, as RFC 4180 text with a header.
///
/// The connection can only read. All rows come from one state of the database, however long the reading takes. Only
/// the row at hand is in memory.
package final class QueryText {
    private let names: [String]
    private let rows: RowCursor
    private var isStarted = false

    /// Runs a query while `body` reads its rows.
    ///
    /// - Parameters:
    ///   - sql: One statement that gives rows.
    ///   - path: The database.
    ///   - body: Reads the rows; they are gone when it returns.
    /// - Throws: ``QueryFailure``, or any error of `body`.
    package static func read(_ sql: String, in path: String, _ body: (QueryText) throws -> Void) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.label = "log"
        do {
            try DatabaseQueue(path: path, configuration: configuration).read { database in
                try body(QueryText(sql, database))
            }
        } catch let error as DatabaseError {
            throw QueryFailure(reason: error.message ?? "\(error)")
        }
    }

    private init(_ sql: String, _ database: Database) throws {
        let statement = try database.makeStatement(sql: sql)
        names = statement.columnNames
        rows = try Row.fetchCursor(statement)
    }

    /// The next rows, `count` bytes of text or a little more; empty at the end.
    package func read(about count: Int) throws -> [UInt8] {
        var text: [UInt8] = []
        if !isStarted {
            isStarted = true
            append(names.map { DatabaseValue.Storage.string($0) }, to: &text)
        }
        do {
            while text.count < count, let row = try rows.next() {
                append(row.databaseValues.map(\.storage), to: &text)
            }
        } catch let error as DatabaseError {
            throw QueryFailure(reason: error.message ?? "\(error)")
        }
        return text
    }

    private func append(_ values: [DatabaseValue.Storage], to text: inout [UInt8]) {
        for (place, value) in values.enumerated() {
            if place > 0 { text.append(UInt8(ascii: ",")) }
            switch value {
            case .null: break
            case .int64(let value): text += Array("\(value)".utf8)
            case .double(let value): text += Array("\(value)".utf8)
            case .string(let value): append(quoted: value.utf8, to: &text)
            case .blob(let value): append(quoted: value, to: &text)
            }
        }
        text.append(UInt8(ascii: "\n"))
    }

    private func append(quoted field: some Sequence<UInt8>, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        for byte in field {
            if byte == UInt8(ascii: "\"") { text.append(byte) }
            text.append(byte)
        }
        text.append(UInt8(ascii: "\""))
    }
}
