import CheckpointStore
import Foundation
import GRDB
import Kernels
import Testing

@Suite("changed attributes") struct AttributeChangeTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let values: [AttributeValue?] = [
        nil, .number(0), .number(-1.25), .number(1e300), .boolean(true), .boolean(false), .text(""),
        .text("caf\u{E9} \"\\\u{0}"), .texts([]), .texts(["a", "b|c", ""]),
    ]

    @Test("the values of an item merge in order, survive closing, and every change raises the number", arguments: 0..<4)
    func merges(seed: UInt64) throws {
        var store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        _ = try store.publish(Fixtures.checkpoint(2, model: "other"))
        var random = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let items = ["i1", "", "\u{0}", "\u{E9}", "e\u{301}"]
        var expected: [(item: String, values: [String: AttributeValue?])] = []
        for round in 0..<40 {
            let batch = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                let names = ["price", "stock", "a/b"].filter { _ in Bool.random(using: &random) }
                return AttributeChange(
                    model: "ml",
                    item: items[Int.random(in: items.indices, using: &random)],
                    values: Dictionary(
                        uniqueKeysWithValues: names.map { name in
                            (name, Self.values[Int.random(in: Self.values.indices, using: &random)])
                        }
                    ),
                    replaces: Int.random(in: 0..<4, using: &random) == 0
                )
            }
            for change in batch {
                let place = expected.firstIndex { $0.item.utf8.elementsEqual(change.item.utf8) }
                var values = place.map { expected.remove(at: $0).values } ?? [:]
                if change.replaces { values = [:] }
                values.merge(change.values) { $1 }
                expected.append((change.item, values))
            }
            let before = try store.newestItemChange(of: "ml")
            if round % 5 == 0, let last = batch.last {
                // A change of the item itself and of its attributes are one step.
                try store.changeAttributes(Array(batch.dropLast()), of: "ml")
                let content = ItemChange.Content(like: ["i2"])
                let change = ItemChange(model: "ml", item: last.item, version: 1, content: content)
                try store.changeItem(change, attributes: last)
                #expect(try store.newestItemChange(of: "ml") == before + batch.count + 1)
            } else {
                let recorded = try store.changeAttributes(batch, of: "ml")
                #expect(recorded == RecordedChanges(previous: before, newest: before + batch.count))
                #expect(try store.newestItemChange(of: "ml") == recorded.newest)
            }
            if round % 10 == 9 {
                try store.close()
                store = try directory.store()
            }
            let found = try store.attributeChanges(of: "ml")
            #expect(found.map { Array($0.item.utf8) } == expected.map { Array($0.item.utf8) })
            #expect(found.map(\.values) == expected.map(\.values) && found.allSatisfy { !$0.replaces })
            for item in items {
                let one = try store.attributeChange(of: item, in: "ml")
                #expect(one?.values == expected.first { $0.item.utf8.elementsEqual(item.utf8) }?.values)
            }
        }
        #expect(try store.attributeChanges(of: "other") == [])
        #expect(try store.prune(model: "ml", keeping: 1) == [])
        #expect(try store.attributeChanges(of: "ml").count == expected.count)
    }

    @Test("a batch leaves the same rows as its changes one by one, whatever was there before", arguments: 0..<2)
    func batchEqualsSingles(seed: UInt64) throws {
        let other = try TemporaryDirectory()
        let stores = [try directory.store(), try other.store()]
        for store in stores { _ = try store.publish(Fixtures.checkpoint(1)) }
        var random = SequentialGenerator(CounterBasedGenerator(seed: 90 + seed, purpose: .simulation))
        for _ in 0..<3 {
            let batch = (0..<60).map { _ in
                let names = ["price", "stock", "brand"].filter { _ in Bool.random(using: &random) }
                let values = names.map { ($0, Self.values[Int.random(in: Self.values.indices, using: &random)]) }
                return AttributeChange(
                    model: "ml",
                    item: "x\(Int.random(in: 0..<40, using: &random))",
                    values: Dictionary(uniqueKeysWithValues: values),
                    replaces: Int.random(in: 0..<5, using: &random) == 0
                )
            }
            let recorded = try stores[0].changeAttributes(batch, of: "ml")
            for change in batch { try stores[1].changeAttributes([change], of: "ml") }
            #expect(try stores[0].attributeChanges(of: "ml") == stores[1].attributeChanges(of: "ml"))
            #expect(try recorded.newest == stores[1].newestItemChange(of: "ml"))
        }
        for store in stores { try store.close() }
        let rows = try [directory, other].map { directory in
            try DatabaseQueue(path: directory.path()).read { db in
                try Row.fetchAll(db, sql: "SELECT * FROM attribute_change ORDER BY id")
            }
        }
        #expect(rows[0] == rows[1] && rows[0].count > 30)
    }

    @Test("changes of an unknown model are refused")
    func refuses() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        let change = AttributeChange(model: "no", item: "i1", values: ["price": .number(1)])
        #expect(throws: CheckpointError.modelNotFound(model: "no", available: ["ml"])) {
            try store.changeAttributes([change], of: "no")
        }
        #expect(try store.attributeChanges(of: "ml") == [] && store.newestItemChange(of: "ml") == 0)
    }

    @Test("damaged values of an item block no batch, and new values replace them")
    func replacesDamaged() throws {
        var store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        func change(_ item: String, _ name: String, _ number: Double) -> AttributeChange {
            AttributeChange(model: "ml", item: item, values: [name: .number(number)])
        }
        try store.changeAttributes(["i1", "i2", "i3"].map { change($0, "price", 1) }, of: "ml")
        try store.close()
        try DatabaseQueue(path: directory.path()).write { db in
            let sql = "UPDATE attribute_change SET content = content || ' ' WHERE item = ?"
            try db.execute(sql: sql, arguments: [Data("i2".utf8)])
        }
        store = try directory.store()
        #expect(try store.damage().count == 1 && store.attributeChange(of: "i2", in: "ml") == nil)
        try store.changeAttributes([change("i1", "stock", 2), change("i2", "stock", 2)], of: "ml")
        let found = try store.attributeChanges(of: "ml")
        #expect(found.map(\.item) == ["i3", "i1", "i2"])
        #expect(found.map(\.values.count) == [1, 2, 1] && found[2].values == ["stock": .number(2)])
        #expect(try store.damage() == [])
    }

    @Test("no change repeats a number, also after the newest changes were removed, and beside another model's changes")
    func numbersNeverRepeat() throws {
        let store = try directory.store()
        for version in 1...3 { _ = try store.publish(Fixtures.checkpoint(version)) }
        _ = try store.publish(Fixtures.checkpoint(4, model: "other"))
        var seen: Set<Int> = [0]
        var version = 1
        func record(_ model: String, _ item: String, isContent: Bool) throws {
            let before = try store.newestItemChange(of: model)
            let content = ItemChange.Content(like: ["i2"])
            let recorded =
                isContent
                ? try store.changeItem(ItemChange(model: model, item: item, version: version, content: content))
                : try store.changeAttributes([AttributeChange(model: model, item: item, values: [:])], of: model)
            #expect(recorded.previous == before && recorded.newest > (seen.max() ?? 0))
            #expect(try recorded.newest == store.newestItemChange(of: model))
            #expect(seen.insert(recorded.newest).inserted)
        }
        for round in 0..<4 {
            for item in ["i1", "i3", "i4"] { try record("ml", item, isContent: true) }
            if round == 1 {
                // The remaining versions learned these items from newer data.
                #expect(try store.prune(model: "ml", keeping: 1) == [1])
                #expect(try store.newestItemChange(of: "ml") < (seen.max() ?? 0))
                version = 3
            }
            try record("other", "i1", isContent: false)
            for item in ["i5", "i6"] { try record("ml", item, isContent: false) }
        }
    }
}
