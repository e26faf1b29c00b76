import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing

@Suite("FilterIndex") struct FilterIndexTests {
    private let snapshot: ServingSnapshot

    init() throws { snapshot = try testBuilder.build(makeCheckpoint(version: 1), generation: 1) }

    private func items(_ clause: ItemFilter.Clause, in snapshot: ServingSnapshot? = nil) throws -> [Int32] {
        Array(try (snapshot ?? self.snapshot).filters.items(passing: ItemFilter(.init(must: [clause]))))
    }

    private static func range(_ lower: ItemFilter.Value?, _ upper: ItemFilter.Value? = nil) -> ItemFilter.Test {
        .range(
            lower: lower.map { ItemFilter.Bound($0, isInclusive: true) },
            upper: upper.map { ItemFilter.Bound($0, isInclusive: false) }
        )
    }

    @Test("times compare with dates, times and seconds")
    func times() throws {
        let third: [ItemFilter.Value] = [
            .text("2024-01-03"), .text("2024-01-03T00:00:00Z"), .text("2024-01-03T02:00:00+02:00"),
            .number(1_704_240_000),
        ]
        for value in third {
            #expect(try items(.attribute("released", .match(value))) == [2])
            #expect(try items(.attribute("released", Self.range(value, .text("2024-01-05")))) == [2, 3])
        }
    }

    @Test("another spelling of the same letter is another text, whichever is asked first", arguments: [false, true])
    func spellings(composedFirst: Bool) throws {
        var checkpoint = makeCheckpoint(version: 1)
        let lists = (0..<40).map { $0 == 5 ? [Int32(0)] : [] }
        let column = AttributeColumn(name: "word", type: .keyword, values: .texts(names: ["caf\u{E9}"], lists: lists))
        checkpoint.catalogue.attributes = [column]
        let snapshot = try testBuilder.build(checkpoint, generation: 1)
        let asked = ["caf\u{E9}", "cafe\u{301}"]
        for text in composedFirst ? asked : asked.reversed() {
            let expected: [Int32] = text.unicodeScalars.count == 4 ? [5] : []
            #expect(try items(.attribute("word", .match(.text(text))), in: snapshot) == expected)
        }
    }

    @Test("items without the attribute pass only 'none' and an 'exists' of false")
    func missing() throws {
        for key in ["price", "stock", "brand", "tags", "released"] {
            #expect(try items(.attribute(key, .exists(false))).contains(8))
            #expect(try !items(.attribute(key, .exists(true))).contains(8))
            #expect(try items(.attribute(key, .none([]))).count == 40 && items(.attribute(key, .any([]))).isEmpty)
        }
        #expect(try items(.attribute("price", Self.range(.number(3.5), .number(5)))) == [7, 9])
        #expect(try items(.attribute("brand", .none([.text("b0"), .text("b1")]))).prefix(3) == [2, 5, 8])
        #expect(try items(.attribute("stock", .match(.boolean(false)))).prefix(3) == [0, 5, 10])
    }

    @Test(
        "a test that does not suit the attribute is refused with its place",
        arguments: [
            (.attribute("prize", .exists(true)), "filter/must/0/key", "attributes are brand (keyword), price (number)"),
            (.attribute("price", .match(.text("5"))), "filter/must/0/match", "of type number; give a number."),
            (.attribute("brand", .any([.text("b0"), .number(1)])), "filter/must/0/any/1", "of type keyword"),
            (.attribute("stock", .none([.number(1)])), "filter/must/0/none/0", "give true or false"),
            (.attribute("brand", range(.text("b0"))), "filter/must/0/range", "use match, any or none"),
            (.attribute("stock", range(.boolean(true))), "filter/must/0/range", "of type boolean"),
            (.attribute("price", range(.number(1), .text("x"))), "filter/must/0/range/lt", "is a string"),
            (.attribute("released", .match(.text("yesterday"))), "filter/must/0/match", "'yesterday' is no time"),
            (.attribute("categories", .match(.number(1))), "filter/must/0/match", "of type keywords"),
            (
                .group(.init(should: [.ids([]), .group(.init(mustNot: [.attribute("x", .exists(true))]))])),
                "filter/must/0/should/1/must_not/0/key", "'x' is no attribute"
            ),
        ] as [(ItemFilter.Clause, String, String)]
    )
    func refusals(clause: ItemFilter.Clause, field: String, message: String) throws {
        for _ in 0..<2 {
            do throws(RetrievalError) {
                _ = try snapshot.filters.items(passing: ItemFilter(.init(must: [clause])))
                Issue.record("the filter was accepted")
            } catch {
                guard case .invalidArgument(field, let found) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(found.contains(message), "\(found)")
            }
        }
    }

    @Test("added items have no attributes, and changed categories count at once")
    func changes() throws {
        let filter = ItemFilter(.init(must: [.attribute("categories", .match(.text("New")))]))
        #expect(try snapshot.filters.items(passing: filter).count == 0)
        let content = ItemChange.Content(like: ["i1"], categories: ["New"])
        let change = try snapshot.completed(ItemChange(model: "m", item: "added", version: 1, content: content))
        let (next, _) = snapshot.applying([change])
        #expect(try Array(next.filters.items(passing: filter)) == [40])
        #expect(try items(.attribute("price", .exists(false)), in: next) == [8, 40])
        #expect(try items(.ids(["added", "i1"]), in: next) == [1, 40])
        #expect(try snapshot.filters.items(passing: filter).count == 0)
        // A new vector alone changes no filter's set.
        var moved = change
        moved.item = "i2"
        moved.content?.categories = nil
        #expect(next.applying([try next.completed(moved)]).snapshot.filters.isCached(filter))
    }

    @Test("threads share the index, and more filters than the cache holds do not get mixed up")
    func isShared() async {
        let filters = snapshot.filters
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    for round in 0..<300 {
                        let price = Double((round * 7 + thread) % 90) / 4
                        let clause = ItemFilter.Clause.attribute("price", Self.range(.number(price)))
                        let count = try? filters.items(passing: ItemFilter(.init(must: [clause]))).count
                        #expect(count == (0..<40).count { $0 != 8 && Double($0) / 2 >= price })
                    }
                }
            }
        }
    }

    @Test("contradicting attributes are refused when the snapshot is built")
    func contradictions() {
        var checkpoint = makeCheckpoint(version: 1)
        let lists = [[Int32]](repeating: [1], count: 40)
        checkpoint.catalogue.attributes = [
            AttributeColumn(name: "a", type: .keyword, values: .texts(names: ["x"], lists: lists))
        ]
        let reason = "attribute 'a' of item 0 is text 1 of 1"
        #expect(throws: SnapshotError.badAttribute(reason)) { try testBuilder.build(checkpoint, generation: 1) }
    }
}
