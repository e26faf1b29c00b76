import CheckpointStore
import Foundation
import GRDB
import Testing

@Suite("a store's file that is deleted, moved or replaced") struct ReplacementTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func move(_ name: String, to other: String) throws {
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: directory.path(name + suffix)) {
            try FileManager.default.moveItem(
                atPath: directory.path(name + suffix),
                toPath: directory.path(other + suffix)
            )
        }
    }

    private func expectRefusal(_ store: CheckpointStore, _ part: String) {
        let error = #expect(throws: CheckpointError.self) { try store.activate(model: "ml", version: 1) }
        guard case .replaced = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.description.contains(part) == true)
    }

    @Test("reading continues, changes are rejected, and the store recovers when the file is back")
    func moved() throws {
        let store = try directory.store()
        for tag in 1...2 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        try move("store.sqlite", to: "away.sqlite")
        expectRefusal(store, "deleted or moved")
        #expect(throws: CheckpointError.self) { try store.reopenIfReplaced() }
        expectSame(try store.load(model: "ml"), Fixtures.checkpoint(2))
        try move("away.sqlite", to: "store.sqlite")
        try store.reopenIfReplaced()
        try store.activate(model: "ml", version: 1)
        #expect(try directory.store(readOnly: true).activeVersion(of: "ml") == 1)
    }

    @Test("a store that replaces it is opened, and closing the former one does not delete its log")
    func replaced() throws {
        let other = try CheckpointStore(path: directory.path("other.sqlite"))
        for tag in 5...7 { _ = try other.publish(Fixtures.checkpoint(tag)) }
        try other.close()
        do {
            let store = try directory.store()
            _ = try store.publish(Fixtures.checkpoint(1))
            try move("store.sqlite", to: "away.sqlite")
            try move("other.sqlite", to: "store.sqlite")
            expectRefusal(store, "taken its place")
            try store.reopenIfReplaced()
            expectSame(try store.load(model: "ml"), Fixtures.checkpoint(7))
            try store.activate(model: "ml", version: 1)
        }
        #expect(try directory.store(readOnly: true).activeVersion(of: "ml") == 1)
    }

    @Test("neither a foreign file nor a file beside the former file's log is opened")
    func refused() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        let copy = try directory.bytes()
        try FileManager.default.removeItem(atPath: directory.path())
        _ = try directory.write(copy, to: "store.sqlite")
        let besideLog = #expect(throws: CheckpointError.self) { try store.reopenIfReplaced() }
        #expect(besideLog?.description.contains("-wal") == true)
        try move("store.sqlite", to: "away.sqlite")
        _ = try directory.write(Array("user,item\n".utf8), to: "store.sqlite")
        let text = #expect(throws: CheckpointError.self) { try store.reopenIfReplaced() }
        #expect(text?.description.contains("cannot be used") == true)
        expectSame(try store.load(model: "ml"), Fixtures.checkpoint(1))
    }

    @Test("a log that is removed under the store loses nothing: changes are refused until the store is opened again")
    func withoutLog() throws {
        let store = try directory.store()
        for tag in 1...2 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        for suffix in ["-wal", "-shm"] {
            try FileManager.default.removeItem(atPath: directory.path("store.sqlite" + suffix))
        }
        expectRefusal(store, "was removed or replaced")
        try store.reopenIfReplaced()
        try store.activate(model: "ml", version: 1)
        let other = try directory.store(readOnly: true)
        #expect(try other.activeVersion(of: "ml") == 1)
        expectSame(try other.load(model: "ml", version: 2), Fixtures.checkpoint(2))
    }

    @Test("waiting for another process' lock ends on request")
    func stopsWaiting() async throws {
        let store = try directory.store(busyTimeout: 60)
        _ = try store.publish(Fixtures.checkpoint(1))
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: directory.path(), configuration: configuration)
        try await other.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
        }
        let change = Task.detached { [store] in try store.removeTrainingState(model: "ml") }
        try await Task.sleep(for: .milliseconds(50))
        store.stopWaitingForLocks()
        await #expect(throws: CheckpointError.locked(path: directory.path())) { try await change.value }
        #expect(throws: CheckpointError.locked(path: directory.path())) { try store.removeTrainingState(model: "ml") }
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    }
}

@Suite("foreign files made to keep this process busy", .timeLimit(.minutes(1))) struct HostileFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"

    @Test(
        "are rejected before any of their own statements runs",
        arguments: [
            "DROP TABLE grdb_migrations; CREATE VIEW grdb_migrations AS \(endless) SELECT '001-versions' AS identifier FROM n",
            "DROP TABLE training_state; CREATE VIEW training_state AS \(endless) SELECT i AS model, i AS bundle FROM n",
            "CREATE TRIGGER t BEFORE INSERT ON alias BEGIN SELECT count(*) FROM chunk a, chunk b, chunk c; END",
            "ALTER TABLE alias ADD COLUMN g INTEGER AS (length(content))", "CREATE INDEX i ON chunk (length(data))",
            "CREATE TABLE sqlitf (a, b)",
        ]
    )
    func refused(sql: String) throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        try store.export(model: "ml", to: directory.path("e.sqlite"))
        try DatabaseQueue(path: directory.path("e.sqlite")).writeWithoutTransaction { try $0.execute(sql: sql) }
        let target = try CheckpointStore(path: directory.path("target.sqlite"))
        #expect(throws: CheckpointError.self) { try target.importVersion(from: directory.path("e.sqlite")) }
        #expect(throws: CheckpointError.self) { try CheckpointStore(path: directory.path("e.sqlite"), readOnly: true) }
        #expect(try target.models() == [])
    }

    @Test("impossible blob sizes are rejected")
    func impossibleSizes() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        try store.close()
        try directory.execute(
            "PRAGMA foreign_keys = OFF; INSERT INTO blob SELECT 900 + id, bundle, name || 'x', 'f32', 1 << 60, 1, digest FROM blob LIMIT 2"
        )
        let damaged = try directory.store()
        #expect(throws: CheckpointError.self) { try damaged.load(model: "ml") }
        #expect(try damaged.inventory(of: "ml").map(\.number) == [1])
    }

    @Test("a journal beside an exported file is rejected at once", arguments: ["-journal", "-wal"])
    func besideJournal(suffix: String) throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        try store.export(model: "ml", to: directory.path("e.sqlite"))
        _ = try directory.write([1, 2, 3], to: "e.sqlite" + suffix)
        let target = try CheckpointStore(path: directory.path("target.sqlite"))
        let error = #expect(throws: CheckpointError.self) { try target.importVersion(from: directory.path("e.sqlite")) }
        guard case .notAnExport = error else { throw CancellationError() }
    }

    @Test("a file with thousands of sound models is refused before they are read")
    func manyModels() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        try store.export(model: "ml", to: directory.path("e.sqlite"))
        try DatabaseQueue(path: directory.path("e.sqlite")).writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA foreign_keys = OFF;
                    WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
                    INSERT INTO version SELECT 'm' || i, 1, i FROM n;
                    """
            )
        }
        let target = try CheckpointStore(path: directory.path("target.sqlite"))
        let error = #expect(throws: CheckpointError.self) { try target.importVersion(from: directory.path("e.sqlite")) }
        #expect(error?.description.contains("versions, but an exported file holds exactly one") == true)
    }

    @Test("a repair tells what it removes: contents, and aliases that name them")
    func tellsRemovals() throws {
        let store = try directory.store(chunkBytes: 1024)
        for tag in 1...2 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        _ = try store.setAlias(Alias(name: "a", model: "ml", split: [.init(version: 1, percent: 100)]))
        try store.close()
        try directory.execute(
            """
            DROP TRIGGER chunk_immutable; UPDATE chunk SET data = zeroblob(length(data)) WHERE blob = 1;
            CREATE TRIGGER chunk_immutable BEFORE UPDATE ON chunk
                BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
            """
        )
        let damaged = try directory.store(chunkBytes: 1024)
        #expect(try damaged.repair(removeDamaged: false).isEmpty)
        #expect(try damaged.inventory(of: "ml").map(\.number) == [1, 2])
        let repair = try damaged.repair(removeDamaged: true)
        #expect(repair.removed.map(\.location) == ["version 1 of 'ml'", "alias 'a'"] && repair.left == [])
        #expect(try damaged.inventory(of: "ml").map(\.number) == [2] && damaged.aliases() == [])
        #expect(try damaged.repair(removeDamaged: true).isEmpty)
    }
}
