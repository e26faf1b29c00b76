import CheckpointStore
import Foundation
import Kernels
import Testing

@Suite("item changes") struct ItemChangeTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func change(_ item: String, version: Int = 1, _ content: ItemChange.Content? = nil) -> ItemChange {
        ItemChange(model: "ml", item: item, version: version, content: content)
    }

    /// A unit vector of the fixtures' dimension, different from any other.
    private func vector(_ tag: Int) -> [Float] {
        let values = (0..<4).map { Float(tag + $0) + 0.1 }
        let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return values.map { $0 / length }
    }

    @Test("the newest change of each item, in the order of the changes", arguments: 0..<4)
    func order(seed: UInt64) throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        _ = try store.publish(Fixtures.checkpoint(2, model: "other"))
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let items = ["i1", "new", "", "\u{0}", "a\u{0}b", "é", "e\u{301}", "🎬\u{2028}\"\\"]
        var expected: [ItemChange] = []
        for round in 0..<30 {
            let item = items[Int.random(in: items.indices, using: &generator)]
            let contents: [ItemChange.Content?] = [
                nil, .init(vector: vector(round), title: "t\u{0}\(round)"),
                .init(like: ["i2", "\u{0}"], categories: []),
            ]
            let made = change(item, contents[Int.random(in: contents.indices, using: &generator)])
            expected.removeAll { $0.item.utf8.elementsEqual(item.utf8) }
            expected.append(made)
            let before = try store.newestItemChange(of: "ml")
            try store.changeItem(made)
            #expect(try store.newestItemChange(of: "ml") > before)
            #expect(try store.itemChanges(of: "ml") == expected)
        }
        #expect(try store.itemChanges(of: "other") == [])
        try store.close()
        let read = try directory.store(readOnly: true).itemChanges(of: "ml")
        #expect(read == expected)
        #expect(read.map { Array($0.item.utf8) } == expected.map { Array($0.item.utf8) })
        let bits = { (changes: [ItemChange]) in changes.map { $0.content?.vector?.map(\.bitPattern) } }
        #expect(bits(read) == bits(expected))
    }

    @Test("a change for an unknown model or version, or with a vector of another space, is rejected")
    func validation() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1))
        let noModel = CheckpointError.modelNotFound(model: "no", available: ["ml"])
        #expect(throws: noModel) {
            try store.changeItem(ItemChange(model: "no", item: "i", version: 1, content: nil))
        }
        #expect(throws: noModel) { try store.itemChanges(of: "no") }
        #expect(throws: CheckpointError.versionNotFound(model: "ml", version: 2, available: [1])) {
            try store.changeItem(change("i", version: 2))
        }
        for vector: [Float] in [
            [], [1], [1, 0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [.nan, 0, 0, 1], [.infinity, 0, 0, 0],
        ] {
            let error = #expect(throws: CheckpointError.self) {
                try store.changeItem(change("i", .init(vector: vector)))
            }
            guard case .invalid = error else {
                Issue.record("\(vector): \(String(describing: error)) is not .invalid")
                continue
            }
        }
        #expect(try store.itemChanges(of: "ml") == [])
        #expect(try store.newestItemChange(of: "ml") == 0)
    }

    @Test("prune drops a change when no remaining version needs it, and never a removal")
    func prune() throws {
        let store = try directory.store()
        // The versions know the items i0 to i11.
        for tag in 1...3 { _ = try store.publish(Fixtures.checkpoint(tag)) }
        let changes = [
            change("i1", version: 1, .init(vector: vector(1))), change("new", version: 1, .init(vector: vector(2))),
            change("i2", version: 2, .init(vector: vector(3))), change("i3", version: 1), change("gone", version: 1),
            change("i4", version: 3, .init(like: ["i5"])), change("i5", version: 1, .init(title: "t")),
        ]
        for change in changes { try store.changeItem(change) }
        func needed() throws -> [ItemChange] {
            let versions = try store.versions(of: "ml").map(\.manifest.version)
            return try changes.filter { change in
                try change.content == nil
                    || versions.contains { version in
                        let ids = try store.load(model: "ml", version: version).catalogue.ids
                        return change.applies(to: version, knowsItem: ids.contains(change.item))
                    }
            }
        }
        #expect(try store.prune(model: "ml", keeping: 3) == [])
        #expect(try store.itemChanges(of: "ml") == changes)
        #expect(try store.prune(model: "ml", keeping: 1) == [1])
        #expect(try store.itemChanges(of: "ml") == needed())
        #expect(try store.itemChanges(of: "ml").map(\.item) == ["new", "i2", "i3", "gone", "i4"])
        let newest = try store.newestItemChange(of: "ml")
        _ = try store.publish(Fixtures.checkpoint(4))
        #expect(try store.prune(model: "ml", keeping: 1) == [2])
        #expect(try store.itemChanges(of: "ml") == needed())
        #expect(try store.itemChanges(of: "ml").map(\.item) == ["new", "i3", "gone", "i4"])
        try store.changeItem(change("i1", version: 4))
        #expect(try store.newestItemChange(of: "ml") > newest, "numbers are never reused")
    }
}
