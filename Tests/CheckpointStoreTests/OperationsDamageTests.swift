import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

@Suite("damaged aliases, item changes and histories") struct OperationsDamageTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// The content of the tables of operations.
    private struct Content: Equatable {
        var aliases: [Alias]
        var changes: [ItemChange]
        var attributes: [AttributeChange]
        var activations: [Int]
        var target: Int?

        init(of store: CheckpointStore) throws {
            aliases = try store.aliases()
            changes = try store.itemChanges(of: "ml")
            attributes = try store.attributeChanges(of: "ml")
            activations = try store.activations(of: "ml")
            target = try store.rollbackTarget(of: "ml")
        }
    }

    /// The bytes of a closed store with several rows in each table, and their content.
    private func smallStore() throws -> ([UInt8], Content) {
        let store = try directory.store(chunkBytes: 1024)
        for tag in 1...3 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        for name in ["canary", "stable", "zeta"] {
            let split = [Alias.Share(version: 3, percent: 75), .init(version: 2, percent: 25)]
            let bounds = Alias.Guard(maxErrorRate: 0.125, maxP99Ms: 2)
            _ = try store.setAlias(Alias(name: name, model: "ml", split: split, shadow: 5, guard: bounds))
        }
        for item in 0..<5 {
            let content = ItemChange.Content(vector: [0.5, 0.5, -0.5, 0.5], like: ["i\(item)"], title: "T")
            let change = ItemChange(model: "ml", item: "x\(item)", version: 2, content: item == 3 ? nil : content)
            try store.changeItem(change)
            let values: [String: AttributeValue?] = [
                "price": .number(0.1 * Double(item)), "tags": .texts(["a", "\"b\""]),
            ]
            try store.changeAttributes([AttributeChange(model: "ml", item: "x\(item)", values: values)], of: "ml")
        }
        let content = try Content(of: store)
        try store.close()
        return (try directory.bytes(), content)
    }

    /// The content of the tables in damaged bytes, and whether the damage is reported; nil if they cannot be read at
    /// all.
    private func read(_ bytes: [UInt8]) throws -> (content: Content, isTold: Bool)? {
        let copy = try TemporaryDirectory()
        let path = try copy.write(bytes, to: "store.sqlite")
        guard let store = try? CheckpointStore(path: path, readOnly: true), let content = try? Content(of: store) else {
            return nil
        }
        return (content, (try? store.damage())?.isEmpty != true)
    }

    /// Damage may cost rows if it is reported; the remaining rows must be unchanged.
    private func expectIntact(_ found: (content: Content, isTold: Bool), of whole: Content, _ place: String) {
        #expect(found.content == whole || found.isTold, "\(place)")
        #expect(found.content.aliases.allSatisfy(whole.aliases.contains), "\(place)")
        #expect(found.content.changes.allSatisfy(whole.changes.contains), "\(place)")
        #expect(found.content.attributes.allSatisfy(whole.attributes.contains), "\(place)")
        #expect(found.content.activations.allSatisfy(whole.activations.contains), "\(place)")
    }

    /// The root pages of a table and its indexes.
    private func pages(of table: String) throws -> [Int] {
        try DatabaseQueue(path: directory.path()).read {
            try Int.fetchAll($0, sql: "SELECT rootpage FROM sqlite_schema WHERE tbl_name = ?", arguments: [table])
        }
    }

    @Test(
        "a flipped bit is an error, reported, or harmless",
        arguments: ["alias", "item_change", "attribute_change", "activation"]
    )
    func everyByte(table: String) throws {
        let (bytes, content) = try smallStore()
        #expect(try read(bytes)?.content == content)
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 7, purpose: .simulation))
        for page in try pages(of: table) {
            let start = (page - 1) * 16384
            // Every bit of the page's header, where no digest shows a lost row, and samples of the cell pointers, of
            // the cells, and of the whole page.
            let cells = try #require((start + 64..<start + 16384).first { bytes[$0] != 0 })
            var flips = (start..<start + 8).flatMap { position in (0..<8).map { (position, UInt8($0)) } }
            for range in [start + 8..<start + 24, cells..<start + 16384, start..<start + 16384] {
                for _ in 0..<30 {
                    flips.append((Int.random(in: range, using: &generator), UInt8.random(in: 0..<8, using: &generator)))
                }
            }
            var noticed = 0
            for (position, bit) in flips {
                var damaged = bytes
                damaged[position] ^= 1 << bit
                let found = try read(damaged)
                if let found { expectIntact(found, of: content, "bit \(bit) of byte \(position - start)") }
                if found?.isTold != false { noticed += 1 }
            }
            #expect(noticed > 20)
        }
    }

    @Test("a flipped bit in any byte of a row's content damages only that row, and is reported")
    func everyContentByte() throws {
        let (bytes, content) = try smallStore()
        for text in [#""name":"stable""#, #""revision":1"#, #""percent":25"#, #""item":"x2""#, #""vector":[0.5"#] {
            let range = try #require(Data(bytes).range(of: Data(text.utf8)))
            for position in range {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(position % 8)
                let found = try #require(try read(damaged))
                let place = "byte \(position - range.lowerBound) of \(text)"
                expectIntact(found, of: content, place)
                let rows = found.content.aliases.count + found.content.changes.count
                #expect(found.isTold && rows == content.aliases.count + content.changes.count - 1, "\(place)")
            }
        }
    }

    @Test(
        "a row that another program changed is omitted and reported, and the others are read",
        arguments: [
            "UPDATE alias SET name = 'other' WHERE name = 'stable'", "UPDATE alias SET digest = x''",
            "UPDATE alias SET content = replace(content, '75', '76')",
            "UPDATE item_change SET id = id + 100 WHERE item = CAST('x1' AS BLOB)",
            "UPDATE item_change SET item = x'00' WHERE item = CAST('x1' AS BLOB)",
            "UPDATE item_change SET content = replace(content, 'x1', 'x9')",
            "UPDATE activation SET number = 1 WHERE number = 2", "UPDATE activation SET id = 9 WHERE id = 1",
            "UPDATE activation SET digest = (SELECT digest FROM activation WHERE id = 3)",
        ]
    )
    func changedRows(sql: String) throws {
        let (_, whole) = try smallStore()
        try directory.execute(sql)
        let store = try directory.store(readOnly: true)
        let content = try Content(of: store)
        #expect(try !store.damage().isEmpty)
        expectIntact((content, true), of: whole, sql)
        #expect(content.aliases.count + content.changes.count + content.activations.count > 3)
        #expect(throws: CheckpointError.self) { try store.verify(model: "ml") }
    }

    @Test("a store that another connection locks exclusively is reported as locked")
    func locked() throws {
        _ = try smallStore()
        let locked = CheckpointError.locked(path: directory.path())
        let other = try DatabaseQueue(path: directory.path())
        try other.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM alias; COMMIT")
            for readOnly in [true, false] {
                #expect(throws: locked) { try directory.store(readOnly: readOnly, busyTimeout: 0.05).aliases() }
            }
        }
        try other.close()
        let store = try directory.store(busyTimeout: 0.05)
        #expect(try store.aliases() == [])
        try DatabaseQueue(path: directory.path()).inTransaction(.immediate) { _ in
            #expect(throws: locked) { try store.setAlias(Alias(name: "a", model: "ml")) }
            #expect(throws: locked) { try store.removeAlias("a") }
            #expect(throws: locked) { try store.rollback(model: "ml") }
            #expect(throws: locked) { try store.prune(model: "ml", keeping: 1) }
            #expect(throws: locked) {
                try store.changeItem(ItemChange(model: "ml", item: "i", version: 1, content: nil))
            }
            return .rollback
        }
        #expect(try store.activeVersion(of: "ml") == 3)
        #expect(try store.rollback(model: "ml") == 2)
    }
}
