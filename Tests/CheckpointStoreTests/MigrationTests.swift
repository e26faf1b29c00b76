import CheckpointStore
import Foundation
import GRDB
import Testing

@Suite("migration of a store of schema 001") struct MigrationTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A closed store of the first schema's program, with three versions, a training state and a history.
    private func olderStore() throws {
        let source = try CheckpointStore(path: directory.path("new.sqlite"))
        for tag in 1...3 { _ = try source.publish(Fixtures.checkpoint(tag)) }
        try source.activate(model: "ml", version: 1)
        try source.saveTrainingState(model: "ml", state: Fixtures.state())
        try source.close()
        let older = try DatabaseQueue(path: directory.path())
        try Migrations.migrator.migrate(older, upTo: "001-versions")
        try older.writeWithoutTransaction { db in
            try db.execute(sql: "ATTACH ? AS source", arguments: [directory.path("new.sqlite")])
            for table in ["bundle", "blob", "chunk", "model", "version", "training_state"] {
                try db.execute(
                    sql: "PRAGMA foreign_keys = OFF; INSERT INTO main.\(table) SELECT * FROM source.\(table)"
                )
            }
            try db.execute(sql: "INSERT INTO main.activation SELECT id, model, number, at FROM source.activation")
        }
        try older.close()
    }

    @Test("a writer migrates it and loses nothing; a reader asks for the migration")
    func migrate() throws {
        try olderStore()
        let before = try directory.bytes()
        let missing = CheckpointError.olderSchema(path: directory.path(), missing: "002-operations")
        #expect(throws: missing) { try directory.store(readOnly: true) }
        #expect(try directory.bytes() == before)
        let store = try directory.store()
        for tag in 1...3 { expectSame(try store.load(model: "ml", version: tag), Fixtures.checkpoint(tag)) }
        #expect(try store.activations(of: "ml") == [1, 2, 3, 1])
        #expect(try store.rollback(model: "ml") == 3)
        #expect(try store.trainingState(model: "ml")?.header.step == 1001)
        #expect(try store.aliases() == [])
        #expect(try store.itemChanges(of: "ml") == [])
        _ = try store.setAlias(Alias(name: "stable", model: "ml"))
        try store.changeItem(ItemChange(model: "ml", item: "i", version: 3, content: nil))
        #expect(try store.publish(Fixtures.checkpoint(4)) == 4)
        try store.verify(model: "ml")
        try store.close()
        #expect(try directory.store(readOnly: true).aliases().count == 1)
    }

    @Test(
        "an altered older store is rejected and not migrated",
        arguments: [
            "CREATE TRIGGER t AFTER INSERT ON chunk BEGIN DELETE FROM version; END", "CREATE TABLE alias (name TEXT)",
            "DROP TRIGGER chunk_immutable", "DELETE FROM grdb_migrations",
        ]
    )
    func altered(sql: String) throws {
        try olderStore()
        try directory.execute(sql)
        let before = try directory.bytes()
        for readOnly in [true, false] {
            let error = #expect(throws: CheckpointError.self) { try directory.store(readOnly: readOnly) }
            #expect("\(String(describing: error))".contains("tables and triggers"))
        }
        #expect(try directory.bytes() == before)
    }
}
