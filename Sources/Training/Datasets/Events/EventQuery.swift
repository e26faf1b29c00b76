import CheckpointStore
import Foundation
import PostgreSQL

/// A query whose rows are events: `sqlite:FILE?query=SELECT`, or `postgres://HOST/DATABASE?query=SELECT`.
struct EventQuery: Sendable, Equatable {
    /// A database that can be asked.
    enum Database: Sendable, Equatable {
        /// A file of SQLite.
        case sqlite(file: String)
        /// A server of PostgreSQL.
        case postgres(ServerAddress)

        /// The name for messages, without a password.
        var name: String {
            switch self {
            case .sqlite(let file): "sqlite:\(file)"
            case .postgres(let address): "postgres://\(address.name)"
            }
        }
    }

    private static let sqlite = "sqlite:"
    private static let postgres = ["postgres:", "postgresql:"]

    /// The statement that gives the rows.
    let sql: String
    /// The database.
    let database: Database

    /// Reads the name of a query, in which `%` and two hexadecimal digits stand for a byte; nil for a name of files.
    ///
    /// Everything after `query=` is the statement.
    ///
    /// - Throws: ``CSVError/invalidQuery(_:reason:)``; the error does not repeat a password.
    init?(_ name: String) throws(CSVError) {
        if name.hasPrefix(Self.sqlite) {
            func fail(_ reason: String) -> CSVError { .invalidQuery(name, reason: reason) }
            let (file, sql) = try Self.parts(name.dropFirst(Self.sqlite.count), marks: ["?query="], fail)
            guard let file = String(file).removingPercentEncoding else { throw fail(Self.wrongPercent) }
            guard !file.isEmpty else { throw fail("the database has no name") }
            (self.sql, database) = (sql, .sqlite(file: file))
        } else if let scheme = Self.postgres.first(where: name.hasPrefix) {
            func fail(_ reason: String) -> CSVError { .invalidQuery(scheme + "//...", reason: reason) }
            let (url, sql) = try Self.parts(name[...], marks: ["?query=", "&query="], fail)
            guard let address = ServerAddress(String(url)) else {
                throw fail("its address is no URL; write special characters of a user or password as % and two digits")
            }
            (self.sql, database) = (sql, .postgres(address))
        } else {
            return nil
        }
    }

    private static let wrongPercent = "a percent sign without two hexadecimal digits of UTF-8 after it"

    /// The part of a name before the first of some marks, and the statement after it.
    private static func parts(
        _ name: Substring,
        marks: [String],
        _ fail: (String) -> CSVError
    ) throws(CSVError) -> (database: Substring, sql: String) {
        let found = marks.compactMap { name.range(of: $0) }.min { $0.lowerBound < $1.lowerBound }
        guard let mark = found else { throw fail("'?query=' is missing") }
        guard let sql = String(name[mark.upperBound...]).removingPercentEncoding else { throw fail(wrongPercent) }
        guard !sql.allSatisfy(\.isWhitespace) else { throw fail("the query is empty") }
        return (name[..<mark.lowerBound], sql)
    }

    /// The name of the same query with the file of its database relative to a folder; other names stay as they are.
    static func resolved(_ name: String, in folder: String) -> String {
        guard name.hasPrefix(sqlite), let mark = name.range(of: "?query=") else { return name }
        let path = String(name[name.index(name.startIndex, offsetBy: sqlite.count)..<mark.lowerBound])
        guard !path.isEmpty, !path.hasPrefix("/") else { return name }
        let folder = folder.replacing("%", with: "%25").replacing("?", with: "%3F")
        return "\(sqlite)\(folder)\(folder.hasSuffix("/") ? "" : "/")\(path)\(name[mark.lowerBound...])"
    }

    /// Whether two queries are the same one.
    var identity: String { "\(database.name)?\(sql)" }

    /// Runs the query while `body` reads its rows.
    ///
    /// - Throws: ``CSVError``.
    func read(_ body: (ByteSource) throws(CSVError) -> Void) throws(CSVError) {
        switch database {
        case .sqlite(let file):
            do {
                try QueryText.read(sql, in: file) { rows in
                    try body(ByteSource(name: database.name) { try rows.read(about: $0) })
                }
            } catch {
                throw .failedQuery(database: database.name, error)
            }
        case .postgres(let address):
            do {
                let rows = try QueryCopy(sql, on: address)
                try body(ByteSource(name: database.name) { try rows.read(about: $0) })
            } catch {
                throw .failedQuery(database: database.name, error)
            }
        }
    }
}

extension CSVError {
    /// The failure of a query in the database's own words.
    static func failedQuery(database: String, _ error: any Error) -> CSVError {
        switch error {
        case let error as CSVError: error
        case PostgreSQLError.refused(_, let state, let message):
            .failedQuery(database: database, reason: "\(message) (\(state))")
        case let error as PostgreSQLError: .unusableDatabase(reason: "\(error)")
        default: .failedQuery(database: database, reason: ByteSource.reason(error))
        }
    }
}
