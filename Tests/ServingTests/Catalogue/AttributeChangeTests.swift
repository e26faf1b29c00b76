import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing
import VectorIndex

/// Attributes that change in service, against a catalogue that is built with the new values.
@Suite("Attribute changes") struct AttributeChangeTests {
    private static let types: [(name: String, type: AttributeType)] = [
        ("price", .number), ("stock", .integer), ("sold", .boolean), ("released", .time), ("brand", .keyword),
        ("tags", .keywords),
    ]

    /// A value of a type, or none.
    private func value(_ type: AttributeType, _ random: inout SequentialGenerator) -> AttributeValue? {
        guard Int.random(in: 0..<5, using: &random) > 0 else { return nil }
        switch type {
        case .number: return .number(Double(Int.random(in: -20...20, using: &random)) / 4)
        case .integer: return .number(Double(Int.random(in: 0...3, using: &random)))
        case .boolean: return .boolean(Bool.random(using: &random))
        case .time: return .number(1.7e9 + Double(Int.random(in: 0..<1000, using: &random)) * 3600)
        case .keyword: return .text(RandomCatalogue.brands.randomElement(using: &random) ?? "")
        case .keywords: return .texts(RandomCatalogue.tags.filter { _ in Bool.random(using: &random) })
        }
    }

    /// The item with a value, as the oracle sees it.
    private func set(_ name: String, _ value: AttributeValue?, of item: inout PlainItem) {
        item.numbers[name] = nil
        if ["brand", "tags"].contains(name) { item.texts[name] = [] }
        switch value {
        case nil: break
        case .number(let number): item.numbers[name] = number
        case .boolean(let boolean): item.numbers[name] = boolean ? 1 : 0
        case .text(let text): item.texts[name] = [text]
        case .texts(let texts): item.texts[name] = texts
        }
    }

    @Test("filters, values and a replay see the newest values, also of added items", arguments: [3, 40, 700, 9000])
    func oracle(count: Int) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: UInt64(count), purpose: .simulation))
        let catalogue = RandomCatalogue(items: count, &random)
        let built = try testBuilder.build(catalogue.checkpoint(), generation: 1)
        let like = ItemChange.Content(like: [catalogue.items[0].id])
        let added = try (0..<2).map { number in
            try built.completed(ItemChange(model: "m", item: "added-\(number)", version: 1, content: like))
        }
        var snapshot = built.applying(added).snapshot
        let original = catalogue.items + added.map { PlainItem(id: $0.item, categories: []) }
        var items = original
        var merged: [Int: AttributeChange] = [:]
        for round in 0..<12 {
            let filters = (0..<20).map { _ in catalogue.filter(&random) }
            for filter in filters { _ = try snapshot.filters.items(passing: filter) }
            var batch: [AttributeChange] = []
            for _ in 0..<Int.random(in: 1...(count / 4 + 2), using: &random) {
                let place = Int.random(in: items.indices, using: &random)
                var change = AttributeChange(model: "m", item: items[place].id, values: [:])
                change.replaces = Int.random(in: 0..<6, using: &random) == 0
                // Some rounds change one attribute only, so that sets of other attributes stay cached.
                for (name, type) in round % 3 == 0 ? [Self.types[round % Self.types.count]] : Self.types
                where Bool.random(using: &random) { change.values[name] = .some(value(type, &random)) }
                if change.replaces {
                    items[place] = original[place]
                    merged[place] = nil
                }
                for (name, value) in change.values { set(name, value, of: &items[place]) }
                var sum = merged[place] ?? AttributeChange(model: "m", item: change.item, values: [:])
                sum.values.merge(change.values) { $1 }
                merged[place] = sum
                batch.append(change)
            }
            snapshot = snapshot.applying([], attributes: batch).snapshot
            let replayed = built.applying(added, attributes: Array(merged.values)).snapshot
            for filter in filters {
                let expected = items.indices.filter { FilterOracle.passes(items[$0], filter.group) }
                #expect(try snapshot.filters.items(passing: filter).map { Int($0) } == expected)
                #expect(try replayed.filters.items(passing: filter).map { Int($0) } == expected)
            }
            for place in items.indices.prefix(100) {
                let number = try #require(snapshot.number(of: items[place].id))
                let values = snapshot.filters.attributes.values(of: number)
                #expect(values.count == items[place].numbers.count + items[place].texts.count { !$0.value.isEmpty })
                #expect(replayed.filters.attributes.values(of: number).elementsEqual(values, by: ==))
            }
        }
    }

    @Test("sets of filters over other attributes stay cached")
    func keepsSets() throws {
        let snapshot = try testBuilder.build(makeCheckpoint(version: 1), generation: 1)
        func filter(_ key: String) -> ItemFilter { ItemFilter(.init(should: [.attribute(key, .exists(true))])) }
        for key in ["price", "brand", "categories"] { _ = try snapshot.filters.items(passing: filter(key)) }
        let nested = ItemFilter(.init(mustNot: [.group(.init(must: [.attribute("price", .exists(true))]))]))
        _ = try snapshot.filters.items(passing: nested)
        let change = AttributeChange(model: "m", item: "i1", values: ["price": .number(99)])
        let next = snapshot.applying([], attributes: [change]).snapshot
        #expect(!next.filters.isCached(filter("price")) && !next.filters.isCached(nested))
        #expect(next.filters.isCached(filter("brand")) && next.filters.isCached(filter("categories")))
        // The same value again changes nothing.
        _ = try next.filters.items(passing: filter("price"))
        #expect(next.applying([], attributes: [change]).snapshot.filters.isCached(filter("price")))
    }

    @Test("a list with the same keyword twice is the list with it once")
    func repeatedKeywords() throws {
        let snapshot = try testBuilder.build(makeCheckpoint(version: 1), generation: 1)
        func tags(_ list: [String], in snapshot: ServingSnapshot) -> ServingSnapshot {
            let change = AttributeChange(model: "m", item: "i1", values: ["tags": .texts(list)])
            return snapshot.applying([], attributes: [change]).snapshot
        }
        // These spellings are equivalent in Unicode, but are different texts here.
        let once = ["x", "caf\u{E9}", "cafe\u{301}"]
        let next = tags(once + once, in: snapshot)
        #expect(next.filters.attributes.values(of: 1).contains { $0 == ("tags", .texts(once)) })
        let filter = ItemFilter(.init(should: [.attribute("tags", .match(.text("x")))]))
        #expect(try Array(next.filters.items(passing: filter)) == [1])
        #expect(tags(once + ["x"], in: next).filters.isCached(filter))
        #expect(!tags(["x"], in: next).filters.isCached(filter))
    }

    @Test("texts that no item has any more do not stay for ever", arguments: [1, 30])
    func forgetsTexts(items: Int) throws {
        var snapshot = try testBuilder.build(makeCheckpoint(version: 1), generation: 1)
        let built = snapshot.filters.attributes.textCount
        let rounds = 400
        for round in 0..<rounds {
            let numbers = (0..<items).map { ($0 * 7 + round) % 40 }
            let ids = numbers.map { $0 % 3 == 0 ? "\($0)" : "i\($0)" }
            let brands = numbers.map { "brand \(round) \($0)" }
            let attributes = zip(ids, brands).map {
                AttributeChange(model: "m", item: $0, values: ["brand": .text($1), "tags": .texts([$1, "red"])])
            }
            let contents = zip(ids, brands).map {
                ItemChange(model: "m", item: $0, version: 1, content: .init(like: ["i1"], categories: [$1, "Even"]))
            }
            snapshot = snapshot.applying(contents, attributes: attributes).snapshot
            for (number, brand) in zip(numbers, brands) where round % 20 == 0 {
                for key in ["brand", "tags", "categories"] {
                    let filter = ItemFilter(.init(must: [.attribute(key, .match(.text(brand)))]))
                    #expect(try Array(snapshot.filters.items(passing: filter)) == [Int32(number)])
                }
                let values = snapshot.filters.attributes.values(of: Int32(number))
                #expect(values.contains { $0 == ("tags", .texts([brand, "red"])) })
                #expect(snapshot.categories.names(of: Int32(number)) == [brand, "Even"])
            }
            let old = ItemFilter(.init(must: [.attribute("brand", .match(.text("brand \(round - 41) 0")))]))
            #expect(try snapshot.filters.items(passing: old).count == 0)
        }
        // Each of the 40 items has one text of its own in each of the lists; the rest is what has yet to be dropped.
        let bound = 64 + 3 * 40 + items
        #expect(snapshot.filters.attributes.textCount <= built + 2 * (bound + 40))
        #expect(snapshot.categories.categories.categoryCount <= 3 + bound + 40)
    }

    @Test("a version skips values that do not suit its own attributes, and items that it does not have")
    func skips() throws {
        let snapshot = try testBuilder.build(makeCheckpoint(version: 1), generation: 1)
        let changes = [
            AttributeChange(
                model: "m",
                item: "i1",
                values: ["price": .text("x"), "stock": .boolean(false), "no": .number(1)]
            ),
            AttributeChange(model: "m", item: "nope", values: ["price": .number(1)]),
        ]
        let next = snapshot.applying([], attributes: changes).snapshot
        let values = next.filters.attributes.values(of: 1)
        #expect(
            values.contains { $0 == ("price", .number(0.5)) } && values.contains { $0 == ("stock", .boolean(false)) }
        )
        #expect(snapshot.filters.attributes.values(of: 1).contains { $0 == ("stock", .boolean(true)) })
    }

    // MARK: The controller

    private func controller(_ source: MemorySource, _ holder: RoutingHolder) -> ServingController {
        ServingController(source: source, holder: holder, builder: testBuilder, logger: quietLogger)
    }

    private func prices(_ holder: RoutingHolder, _ item: Int32) -> AttributeValue? {
        holder.snapshot?.filters.attributes.values(of: item).first { $0.name == "price" }?.value
    }

    @Test("values are checked, stored, applied at once, and there again after a restart and in a newer version")
    func persists() async throws {
        let source = MemorySource([1, 2], active: 1)
        let holder = RoutingHolder()
        let controller = controller(source, holder)
        await controller.poll()
        let outcome = try await controller.changeAttributes(
            [
                .init(item: "i1", values: ["price": .number(7)], replaces: false),
                .init(item: "nope", values: ["price": .number(8)], replaces: false),
                .init(item: "i2", values: ["price": nil, "tags": .texts(["x", "y"])], replaces: false),
            ],
            model: nil
        )
        #expect(outcome.model == "m" && outcome.version == 1 && outcome.changed == 2 && outcome.unknown == ["nope"])
        #expect(prices(holder, 1) == .number(7) && prices(holder, 2) == nil)
        _ = try await controller.changeItem(
            "new",
            to: .init(like: ["i1"]),
            attributes: ["price": .number(3), "released": .text("2024-05-01")],
            model: nil
        )
        #expect(prices(holder, 40) == .number(3))
        let restarted = RoutingHolder()
        let second = self.controller(source, restarted)
        await second.poll()
        #expect(
            prices(restarted, 1) == .number(7) && prices(restarted, 2) == nil && prices(restarted, 40) == .number(3)
        )
        // Prices outlive a version: the newest value counts until it is changed again or withdrawn.
        _ = try await second.activate(model: "m", version: 2, wait: true)
        #expect(restarted.snapshot?.version == 2 && prices(restarted, 1) == .number(7))
        _ = try await second.changeAttributes([.init(item: "i1", values: [:], replaces: true)], model: "m")
        #expect(prices(restarted, 1) == .number(0.5))
        // The other process follows by its next poll.
        await controller.poll()
        #expect(prices(holder, 1) == .number(0.5))
    }

    @Test("an item that a version gets later has its changed values, as after a restart")
    func valuesOfAddedItems() async throws {
        let source = MemorySource([1], active: 1)
        // Version 2 knows one item more.
        source.state.withLock { $0.checkpoints[2] = makeCheckpoint(version: 2, items: 41) }
        let split = [1, 2].map { Alias.Share(version: $0, percent: 50) }
        _ = try source.setAlias(Alias(name: "both", model: "m", split: split), ifRevision: nil)
        let holder = RoutingHolder()
        let controller = controller(source, holder)
        await controller.poll()
        let edits = [ServingController.AttributeEdit(item: "i40", values: ["price": .number(9)], replaces: false)]
        #expect(try await controller.changeAttributes(edits, model: "m").changed == 1)
        _ = try await controller.changeItem("i40", to: .init(like: ["i1"]), model: "m")
        func values(_ holder: RoutingHolder) throws -> [[String: AttributeValue]] {
            try [1, 2].map { version in
                let snapshot = try #require(holder.current.arm(of: "m", version: version)?.snapshot)
                let number = try #require(snapshot.number(of: "i40"))
                return Dictionary(uniqueKeysWithValues: snapshot.filters.attributes.values(of: number).map { ($0, $1) })
            }
        }
        let restarted = RoutingHolder()
        await self.controller(source, restarted).poll()
        #expect(try values(restarted).map { $0["price"] } == [.number(9), .number(9)])
        #expect(try values(holder) == values(restarted))
        // Given values replace the stored ones.
        _ = try await controller.changeItem(
            "i40",
            to: .init(like: ["i2"]),
            attributes: ["brand": .text("b9")],
            model: "m"
        )
        #expect(try values(holder).map { $0["brand"] } == [.text("b9"), .text("b9")])
        #expect(try values(holder)[0]["price"] == nil)
    }

    @Test(
        "a wrong value is refused with its place, its type and the attributes, and nothing changes",
        arguments: [
            ("prize", .number(1), "items/1/attributes/prize", "attributes are brand (keyword), price (number)"),
            ("a/b~", .number(1), "items/1/attributes/a~1b~0", "is no attribute"),
            ("price", .text("5"), "items/1/attributes/price", "of type number; give a number, or null"),
            ("price", .number(.infinity), "items/1/attributes/price", "of type number"),
            ("stock", .number(1), "items/1/attributes/stock", "give true or false"),
            ("brand", .texts(["b0"]), "items/1/attributes/brand", "of type keyword; give a string"),
            ("brand", .text(String(repeating: "x", count: 257)), "items/1/attributes/brand", "at most 256 bytes"),
            ("tags", .text("red"), "items/1/attributes/tags", "of type keywords; give a list"),
            ("released", .text("yesterday"), "items/1/attributes/released", "give a time"),
        ] as [(String, AttributeValue, String, String)]
    )
    func refuses(name: String, value: AttributeValue, field: String, message: String) async throws {
        let source = MemorySource([1], active: 1)
        let holder = RoutingHolder()
        let controller = controller(source, holder)
        await controller.poll()
        do throws(ServingError) {
            _ = try await controller.changeAttributes(
                [
                    .init(item: "i1", values: ["price": .number(7)], replaces: false),
                    .init(item: "i2", values: [name: value], replaces: false),
                ],
                model: nil
            )
            Issue.record("the value was accepted")
        } catch {
            guard case .invalidAttribute(field, let found) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(found.contains(message), "\(found)")
        }
        #expect(prices(holder, 1) == .number(0.5) && source.attributeChanges(of: "m").isEmpty)
        // If the store refuses, nothing is in service either.
        source.state.withLock { $0.refusal = .diskFull(path: "store") }
        await #expect(throws: ServingError.self) {
            try await controller.changeAttributes(
                [.init(item: "i1", values: ["price": .number(7)], replaces: false)],
                model: nil
            )
        }
        #expect(prices(holder, 1) == .number(0.5))
    }
}
