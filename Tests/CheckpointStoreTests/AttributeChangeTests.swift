import CheckpointStore
import Foundation
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
                try store.changeAttributes(Array(batch.dropLast()))
                let content = ItemChange.Content(like: ["i2"])
                let change = ItemChange(model: "ml", item: last.item, version: 1, content: content)
                try store.changeItem(change, attributes: last)
                #expect(try store.newestItemChange(of: "ml") == before + batch.count + 1)
            } else {
                try store.changeAttributes(batch)
                #expect(try store.newestItemChange(of: "ml") == before + batch.count)
            }
            if round % 10 == 9 {
                try store.close()
                store = try directory.store()
            }
            let found = try store.attributeChanges(of: "ml")
            #expect(found.map { Array($0.item.utf8) } == expected.map { Array($0.item.utf8) })
            #expect(found.map(\.values) == expected.map(\.values) && found.allSatisfy { !$0.replaces })
        }
        #expect(try store.attributeChanges(of: "other") == [])
        #expect(try store.prune(model: "ml", keeping: 1) == [])
        #expect(try store.attributeChanges(of: "ml").count == expected.count)
    }

    @Test("a batch with an unknown model is refused whole")
    func refuses() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        let changes = ["ml", "no"].map { AttributeChange(model: $0, item: "i1", values: ["price": .number(1)]) }
        #expect(throws: CheckpointError.modelNotFound(model: "no", available: ["ml"])) {
            try store.changeAttributes(changes)
        }
        #expect(try store.attributeChanges(of: "ml") == [] && store.newestItemChange(of: "ml") == 0)
    }
}
