import CheckpointStore
import Foundation
import GRDB
import Testing

@Suite("one flipped bit in every column of every table") struct DamageMatrixTests {
    /// A value of a row: its table, its column, and the row's position in the table.
    struct Place: CustomTestStringConvertible {
        let table: String
        let column: String
        let isLast: Bool

        var testDescription: String { "\(table).\(column) of the \(isLast ? "last" : "first") row" }
    }

    static let columns: [(table: String, columns: [String])] = [
        ("bundle", ["id", "kind", "header", "digest"]),
        ("blob", ["id", "bundle", "name", "format", "rows", "columns", "digest"]),
        ("chunk", ["blob", "position", "data"]),
        ("model", ["name", "highest", "active", "digest"]), ("version", ["model", "number", "bundle"]),
        ("activation", ["id", "model", "number", "at", "digest"]), ("alias", ["name", "content", "digest"]),
        ("item_change", ["id", "model", "item", "content", "digest"]),
        ("attribute_change", ["id", "model", "item", "content", "digest"]), ("grdb_migrations", ["identifier"]),
        ("sqlite_sequence", ["name", "seq"]),
    ]
    static let places = columns.flatMap { table, columns in
        columns.flatMap { column in [false, true].map { Place(table: table, column: column, isLast: $0) } }
    }

    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A store of four versions, the last active, with two aliases and two item changes.
    private func makeStore() throws {
        let store = try directory.store(chunkBytes: 1024)
        for tag in 1...4 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        for name in ["a", "b"] {
            _ = try store.setAlias(Alias(name: name, model: "ml", split: [.init(version: 2, percent: 100)]))
        }
        for item in ["p", "w"] {
            try store.changeItem(ItemChange(model: "ml", item: item, version: 4, content: .init(like: ["i1"])))
            try store.changeAttributes(
                [AttributeChange(model: "ml", item: item, values: ["price": .number(1)])],
                of: "ml"
            )
        }
        try store.close()
    }

    /// Flips the lowest bit of a value's first byte, or of a number, without keys and triggers.
    private func flip(_ place: Place) throws {
        try DatabaseQueue(path: directory.path()).writeWithoutTransaction { db in
            let triggers = try Row.fetchAll(db, sql: "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            for row in triggers { try db.execute(sql: "DROP TRIGGER \(row[0] as String)") }
            try db.execute(sql: "PRAGMA foreign_keys = OFF")
            let end = place.isLast ? "max" : "min"
            let row = try Int.fetchOne(db, sql: "SELECT \(end)(rowid) FROM \(place.table)")
            let value = try DatabaseValue.fetchOne(
                db,
                sql: "SELECT \(place.column) FROM \(place.table) WHERE rowid = ?",
                arguments: [row]
            )
            func flipped(_ bytes: Data) -> Data { Data([bytes.first.map { $0 ^ 1 } ?? 1]) + bytes.dropFirst() }
            let damaged: any DatabaseValueConvertible =
                switch value?.storage {
                case .int64(let number): number ^ 1 == 0 || place.column == "id" ? number ^ (1 << 20) : number ^ 1
                case .string(let text): String(decoding: flipped(Data(text.utf8)), as: UTF8.self)
                case .blob(let bytes): flipped(bytes)
                default: 1
                }
            try db.execute(
                sql: "UPDATE OR REPLACE \(place.table) SET \(place.column) = ? WHERE rowid = ?",
                arguments: [damaged, row]
            )
            for row in triggers { try db.execute(sql: row[1] as String) }
        }
    }

    @Test(
        "affects at most its own part: everything else is listed, loaded, activated, rolled back, changed and pruned",
        arguments: places
    )
    func staysWhereItIs(place: Place) throws {
        try makeStore()
        try flip(place)
        let store = try directory.store(chunkBytes: 1024)
        #expect(try store.models() == ["ml"])
        let sound = (1...4).filter { tag in
            guard let found = try? store.load(model: "ml", version: tag) else { return false }
            expectSame(found, Fixtures.checkpoint(tag))
            return true
        }
        // A number that became another version's number hides that version.
        #expect(sound.count >= (place.table == "version" ? 2 : 3))
        #expect(try store.inventory(of: "ml").count { (try? $0.summary.get()) != nil } >= sound.count)
        #expect(try store.aliases().count >= (place.table == "alias" ? 1 : 2))
        #expect(try store.itemChanges(of: "ml").count >= (place.table == "item_change" ? 1 : 2))
        #expect(try store.attributeChanges(of: "ml").count >= (place.table == "attribute_change" ? 1 : 2))
        if sound.contains(4) { #expect(try store.activeVersion(of: "ml") == 4) }
        // Damage inside a version shows only when the version is read.
        let isInside = place.table == "chunk" || place.table == "blob" && place.column == "id"
        let isHarmless = ["grdb_migrations", "sqlite_sequence"].contains(place.table)
        #expect(try isHarmless || isInside || !store.damage().isEmpty)

        let other = try #require(sound.last { $0 != 4 })
        try store.activate(model: "ml", version: other)
        expectSame(try store.load(model: "ml"), Fixtures.checkpoint(other))
        let back = try store.rollback(model: "ml")
        #expect(back != other && (sound.contains(back) || isInside))
        _ = try store.setAlias(Alias(name: "c", model: "ml"))
        try store.changeItem(ItemChange(model: "ml", item: "z", version: other, content: nil))
        #expect(try store.itemChanges(of: "ml").last?.item == "z")
        try store.changeAttributes([AttributeChange(model: "ml", item: "z", values: ["price": .number(2)])], of: "ml")
        #expect(try store.attributeChanges(of: "ml").last?.item == "z")
        #expect(try store.publish(Fixtures.checkpoint(5)) >= 5)
        expectSame(try store.load(model: "ml"), Fixtures.checkpoint(5))
        _ = try store.prune(model: "ml", keeping: 1)
        expectSame(try store.load(model: "ml"), Fixtures.checkpoint(5))
    }

    @Test("is repaired or reported, and is gone when the damaged rows are removed", arguments: places)
    func isRepaired(place: Place) throws {
        try makeStore()
        try flip(place)
        let store = try directory.store(chunkBytes: 1024)
        _ = try store.repair(removeDamaged: false)
        #expect(try store.load(model: "ml", version: place.isLast ? 1 : 3).manifest.system == "dimerec")
        #expect(try store.repair(removeDamaged: true).left == [])
        #expect(try store.repair(removeDamaged: true).isEmpty)
        #expect(try store.damage() == [])
        for version in try store.versions(of: "ml") { try store.verify(model: "ml", version: version.manifest.version) }
        #expect(try store.versions(of: "ml").count >= (place.table == "version" ? 2 : 3))
    }

    @Test("a full disk ends a repair with its own error, and changes nothing")
    func repairsOnFullDisk() throws {
        // A row with this name needs more than a page.
        let name = String(repeating: "m", count: 150_000)
        var store = try directory.store(chunkBytes: 1024)
        _ = try store.publish(Fixtures.checkpoint(1, model: name))
        try store.close()
        try directory.execute("PRAGMA foreign_keys = OFF; DELETE FROM model; VACUUM")
        let pages = try DatabaseQueue(path: directory.path()).read { try Int.fetchOne($0, sql: "PRAGMA page_count") }
        func opened(pageLimit: Int?) throws -> CheckpointStore {
            let path = directory.path()
            return try CheckpointStore(
                path: path,
                readOnly: false,
                chunkBytes: 1024,
                busyTimeout: 1,
                pageLimit: pageLimit
            )
        }
        store = try opened(pageLimit: pages)
        let damage = try store.damage()
        #expect(damage.map(\.what).contains("its row is missing"))
        #expect(throws: CheckpointError.diskFull(path: directory.path())) { try store.repair(removeDamaged: false) }
        #expect(try store.damage() == damage)
        try store.close()
        store = try opened(pageLimit: nil)
        #expect(try store.repair(removeDamaged: false).mended == damage)
        #expect(try store.damage().isEmpty && store.activeVersion(of: name) == 1)
    }

    @Test("a rebuilt active version is stored with the next change")
    func heals() throws {
        try makeStore()
        try directory.execute("UPDATE model SET active = 2")
        let store = try directory.store(chunkBytes: 1024)
        #expect(try store.activeVersion(of: "ml") == 4)
        #expect(try store.damage().map(\.location) == ["model 'ml'"])
        try store.activate(model: "ml", version: 1)
        #expect(try store.damage() == [])
        #expect(try store.activations(of: "ml") == [1, 2, 3, 4, 1])
    }
}
