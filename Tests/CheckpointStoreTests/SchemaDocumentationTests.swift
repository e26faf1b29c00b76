import CheckpointStore
import GRDB
import TestSupport
import Testing

@Suite("documentation of the store's schema") struct SchemaDocumentationTests {
    @Test("the page lists every table with its columns and every migration, and no other")
    func tables() throws {
        let database = try DatabaseQueue()
        try Migrations.migrator.migrate(database)
        let schema = try database.read { db in
            let names = try String.fetchAll(
                db,
                sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"
                    + " AND name NOT GLOB 'grdb_*'"
            )
            return try Dictionary(uniqueKeysWithValues: names.map { ($0, try db.columns(in: $0).map(\.name)) })
        }
        let page = try Documentation.page("Reference/FileFormats")
        let rows = Documentation.rows(of: page, below: "Store").map { $0.map(Documentation.code) }
        #expect(Dictionary(uniqueKeysWithValues: rows.map { ($0[0][0], $0[1]) }) == schema)
        let named = page.matches(of: /`(\d{3}-[a-z]+)`/).map { String($0.1) }
        #expect(named == Migrations.migrator.migrations)
    }
}
