import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

/// An item's attributes as the oracle sees them.
struct PlainItem {
    var id: String
    var categories: [String]
    var numbers: [String: Double] = [:]
    var texts: [String: [String]] = [:]
}

/// Decides item by item, without sets, whether an item passes a filter.
enum FilterOracle {
    static func passes(_ item: PlainItem, _ group: ItemFilter.Group) -> Bool {
        let should = group.should.count { passes(item, $0) }
        return group.must.allSatisfy { passes(item, $0) }
            && (group.should.isEmpty || should >= group.minimum)
            && !group.mustNot.contains { passes(item, $0) }
    }

    private static func passes(_ item: PlainItem, _ clause: ItemFilter.Clause) -> Bool {
        switch clause {
        case .group(let group): return passes(item, group)
        case .ids(let ids): return ids.contains(item.id)
        case .attribute(let key, let test):
            var values: [ItemFilter.Value] = (item.texts[key] ?? []).map { .text($0) }
            if key == "categories" { values = item.categories.map { .text($0) } }
            if let number = item.numbers[key] { values = [key == "sold" ? .boolean(number == 1) : .number(number)] }
            switch test {
            case .match(let value): return values.contains(value)
            case .any(let list): return values.contains { list.contains($0) }
            case .none(let list): return !values.contains { list.contains($0) }
            case .exists(let isThere): return values.isEmpty != isThere
            case .range(let lower, let upper):
                guard let number = item.numbers[key] else { return false }
                func below(_ bound: ItemFilter.Bound?) -> Bool {
                    guard let bound, case .number(let end) = bound.value else { return true }
                    return bound.isInclusive ? number >= end : number > end
                }
                func above(_ bound: ItemFilter.Bound?) -> Bool {
                    guard let bound, case .number(let end) = bound.value else { return true }
                    return bound.isInclusive ? number <= end : number < end
                }
                return below(lower) && above(upper)
            }
        }
    }
}

/// A catalogue with every type of attribute, missing values, repeated values and correlated ones.
struct RandomCatalogue {
    static let categories = ["Comedy", "Horror", "Rare"]
    static let brands = (0..<12).map { "brand-\($0)" }
    static let tags = ["red", "green", "blue", "\"quoted\"", ""]

    var items: [PlainItem] = []
    let attributes: [AttributeColumn]
    let categories: [[Int32]]

    init(items count: Int, _ random: inout SequentialGenerator) {
        func chosen(_ names: [String], of share: Int) -> [Int32] {
            names.indices.filter { _ in Int.random(in: 0..<share, using: &random) == 0 }.map(Int32.init)
        }
        var numbers: [String: [Double]] = [:]
        var lists: [String: [[Int32]]] = [:]
        var categories: [[Int32]] = []
        for item in 0..<count {
            func number(_ name: String, _ value: Double) {
                numbers[name, default: []].append(Int.random(in: 0..<10, using: &random) == 0 ? .nan : value)
            }
            number("price", Double(Int.random(in: -20...20, using: &random)) / 4)
            number("unique", Double(item) * 1.5)
            number("stock", Double(Int.random(in: 0...3, using: &random)))
            number("sold", Bool.random(using: &random) ? 1 : 0)
            number("released", 1.7e9 + Double(Int.random(in: 0..<1000, using: &random)) * 3600)
            lists["brand", default: []].append(Array(chosen(Self.brands, of: 12).prefix(1)))
            lists["tags", default: []].append(chosen(Self.tags, of: 3))
            categories.append(chosen(Self.categories, of: 4))
        }
        let types: [String: AttributeType] = [
            "price": .number, "unique": .number, "stock": .integer, "sold": .boolean, "released": .time,
        ]
        let texts = ["brand": (AttributeType.keyword, Self.brands), "tags": (.keywords, Self.tags)]
        attributes =
            types.map { AttributeColumn(name: $0, type: $1, values: .numbers(numbers[$0] ?? [])) }
            + texts.map {
                AttributeColumn(name: $0, type: $1.0, values: .texts(names: $1.1, lists: lists[$0] ?? []))
            }
        self.categories = categories
        items = (0..<count).map { item in
            PlainItem(
                id: item % 3 == 0 ? "\(item)" : "i\(item)",
                categories: categories[item].map { Self.categories[Int($0)] },
                numbers: numbers.compactMapValues { $0[item].isNaN ? nil : $0[item] },
                texts: lists.mapValues { $0[item] }.reduce(into: [:]) { texts, list in
                    let names = list.key == "brand" ? Self.brands : Self.tags
                    texts[list.key] = list.value.map { names[Int($0)] }
                }
            )
        }
    }

    /// A checkpoint of these items.
    func checkpoint(dimension: Int = 8) -> Checkpoint {
        var checkpoint = makeCheckpoint(version: 1, items: items.count, dimension: dimension)
        checkpoint.catalogue = Catalogue(
            ids: items.map(\.id),
            categoryNames: Self.categories,
            categories: categories,
            attributes: attributes
        )
        return checkpoint
    }

    /// A random filter over these attributes.
    func filter(_ random: inout SequentialGenerator) -> ItemFilter { ItemFilter(group(depth: 0, &random)) }

    private func group(depth: Int, _ random: inout SequentialGenerator) -> ItemFilter.Group {
        func clauses(_ counts: ClosedRange<Int>) -> [ItemFilter.Clause] {
            (0..<Int.random(in: counts, using: &random)).map { _ in clause(depth: depth, &random) }
        }
        var group = ItemFilter.Group(must: clauses(0...2), should: clauses(0...4), mustNot: clauses(0...1))
        group.minimum = Int.random(in: 0...max(1, group.should.count), using: &random)
        return group
    }

    private func clause(depth: Int, _ random: inout SequentialGenerator) -> ItemFilter.Clause {
        if depth < 3, Int.random(in: 0..<5, using: &random) == 0 { return .group(group(depth: depth + 1, &random)) }
        func some(_ values: [ItemFilter.Value]) -> [ItemFilter.Value] {
            values.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
        }
        let names: [(String, [ItemFilter.Value])] = [
            ("brand", Self.brands.map { .text($0) } + [.text("unknown")]), ("tags", Self.tags.map { .text($0) }),
            ("categories", Self.categories.map { .text($0) }), ("sold", [.boolean(true), .boolean(false)]),
            ("price", (-21...21).map { .number(Double($0) / 4) }), ("stock", (-1...4).map { .number(Double($0)) }),
            ("unique", (-1...(items.count + 1)).map { .number(Double($0) * 1.5) }),
            ("released", stride(from: 0, to: 1000, by: 7).map { .number(1.7e9 + Double($0) * 3600) }),
        ]
        let kind = Int.random(in: 0..<8, using: &random)
        if kind == 0 {
            return .ids(items.filter { _ in Int.random(in: 0..<9, using: &random) == 0 }.map(\.id) + ["nope"])
        }
        let (key, values) = names[Int.random(in: kind < 4 ? 0..<names.count : 4..<names.count, using: &random)]
        switch kind {
        case 1: return .attribute(key, .match(values.randomElement(using: &random) ?? .number(0)))
        case 2: return .attribute(key, .any(some(values)))
        case 3: return .attribute(key, .none(some(values)))
        case 4: return .attribute(key, .exists(Bool.random(using: &random)))
        default:
            func bound() -> ItemFilter.Bound? {
                guard Int.random(in: 0..<4, using: &random) > 0, let value = values.randomElement(using: &random)
                else { return nil }
                return ItemFilter.Bound(value, isInclusive: Bool.random(using: &random))
            }
            return .attribute(key, .range(lower: bound(), upper: bound()))
        }
    }
}

@Suite("Filters, against an oracle") struct FilterOracleTests {
    /// A size of catalogue, and how many filters are tried on it.
    static let sizes: [(items: Int, filters: Int)] = [(1, 200), (40, 600), (65, 400), (700, 400), (20_000, 60)]

    @Test("the items that pass are those of a test item by item", arguments: sizes)
    func sets(items: Int, filters: Int) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: UInt64(items), purpose: .simulation))
        let catalogue = RandomCatalogue(items: items, &random)
        let snapshot = try testBuilder.build(catalogue.checkpoint(), generation: 1)
        var partial = 0
        for _ in 0..<filters {
            let filter = catalogue.filter(&random)
            let expected = catalogue.items.indices.filter { FilterOracle.passes(catalogue.items[$0], filter.group) }
            let found = try snapshot.filters.items(passing: filter)
            #expect(found.map { Int($0) } == expected && found.count == expected.count && found.bound == items)
            // The second answer comes from the cache.
            let copy = ItemFilter(filter.group)
            #expect(snapshot.filters.isCached(copy))
            #expect(try snapshot.filters.items(passing: copy) == found)
            if !expected.isEmpty, expected.count < items { partial += 1 }
        }
        // Many filters tell items apart.
        #expect(items == 1 || partial > filters / 4)
    }

    @Test(
        "answers are the best items that pass, never fewer than k when k pass",
        arguments: [(IndexConfiguration.Kind.flat, 300), (.partitioned, 3000)]
    )
    func answers(kind: IndexConfiguration.Kind, items: Int) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: 77, purpose: .simulation))
        let catalogue = RandomCatalogue(items: items, &random)
        let (snapshot, encoder, vectors) = try catalogue.snapshot(kind)
        let service = service(snapshot)
        let workspace = RetrievalWorkspace()
        var (found, best) = (0, 0)
        for number in 0..<400 {
            let filter = catalogue.filter(&random)
            let history = (0..<3).map { _ in Int32.random(in: 0..<Int32(items), using: &random) }
            var request = RetrievalRequest(history: history.map { catalogue.items[Int($0)].id }, k: 20)
            request.conditions = filter
            request.seed = UInt64(number)
            request.exact = number % 4 == 0
            if number % 3 == 0 { request.filter = CategoryFilter(anyOf: ["Comedy"], noneOf: ["Rare"]) }
            let passing = catalogue.items.indices.filter { index in
                let item = catalogue.items[index]
                return FilterOracle.passes(item, filter.group) && !history.contains(Int32(index))
                    && (number % 3 > 0 || item.categories.contains("Comedy") && !item.categories.contains("Rare"))
            }
            let user = encoder.userVector(history, seed: UInt64(number), steps: 20)
            let allowed = Eligibility(allowed: ItemSet(passing.map(Int32.init), bound: items))
            let exact = SearchWorkspace()
            try FlatIndex(vectors: vectors).search(user.span, k: 20, effort: nil, among: allowed, in: exact)
            let response = try service.retrieve(request, workspace: workspace)
            #expect(response.items.count == min(20, passing.count))
            #expect(response.truncated == (passing.count < 20))
            #expect(response.items.allSatisfy { passing.contains(Int($0.id)) })
            if request.exact || kind == .flat { #expect(response.items == exact.results) }
            found += exact.results.count { expected in response.items.contains { $0.id == expected.id } }
            best += exact.results.count
            // Popularity is filtered alike.
            request.history = IdentifierList()
            request.excludeHistory = false
            let popular = try service.retrieve(request, workspace: workspace)
            let all = catalogue.items.indices.filter { index in
                let item = catalogue.items[index]
                return FilterOracle.passes(item, filter.group)
                    && (number % 3 > 0 || item.categories.contains("Comedy") && !item.categories.contains("Rare"))
            }
            #expect(popular.items.count == min(20, all.count))
            #expect(popular.items.allSatisfy { all.contains(Int($0.id)) })
        }
        #expect(Double(found) >= 0.99 * Double(best), "recall \(Double(found) / Double(best))")
    }
}
