import CheckpointStore
import Kernels
import Serving
import TestSupport

/// Three models whose catalogues share most items, in other orders and with other vectors.
struct BlendedCatalogues {
    static let names = ["a", "b", "c"]
    static let universe = 70

    /// The items of each model's catalogue, as numbers of the universe in the order of the model's own numbers.
    let orders: [[Int]]
    let service: RetrievalService
    let holder: RoutingHolder

    static func id(_ item: Int) -> String { item % 3 == 0 ? "\(item)" : "i\(item)" }

    init(seed: UInt64) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        var routes: [String: TrafficRoute] = [:]
        var orders: [[Int]] = []
        for (position, name) in Self.names.enumerated() {
            // Model c has the catalogue of model a, as models of the same data do.
            let shuffled = (0..<Self.universe).shuffled(using: &random)
            let order = Array(shuffled.dropLast(Int.random(in: 5...30, using: &random)))
            orders.append(position == 2 ? orders[0] : order)
            let checkpoint = Self.checkpoint(name, version: position + 1, orders[position])
            let snapshot = try testBuilder.build(checkpoint, generation: UInt64(position + 1))
            routes[name] = TrafficRoute(name: name, arms: [TrafficArm(snapshot)])
        }
        self.orders = orders
        holder = RoutingHolder(RoutingTable(routes: routes, standard: "a", expected: ["late"]))
        service = RetrievalService(holder: holder, limits: RetrievalLimits(maxK: 200))
    }

    static func checkpoint(_ model: String, version: Int, _ order: [Int]) -> Checkpoint {
        var checkpoint = makeCheckpoint(version: version, items: order.count)
        checkpoint.manifest.model = model
        let prices = AttributeColumn(name: "price", type: .number, values: .numbers(order.map { Double($0) / 2 }))
        checkpoint.catalogue = Catalogue(
            ids: order.map(id),
            categoryNames: ["Even", "Third"],
            categories: order.map { ($0 % 2 == 0 ? [0] : []) + ($0 % 3 == 0 ? [1] : []) },
            attributes: [prices]
        )
        return checkpoint
    }

    /// The items of a model from most to least popular; see `makeCheckpoint`.
    func popularity(of model: Int) -> [String] { orders[model].reversed().map(Self.id) }
}

/// Merges lists of ids by dictionaries and sorts, from the definition.
struct FusionOracle {
    struct List {
        var source: SourceBlend.Source
        var takesPart: Bool
        var items: [(id: String, score: Float)]
    }

    let blend: SourceBlend
    var lists: [List]
    /// The number of each item in the leading catalogue.
    let numbers: [String: Int]

    /// The best `k` items with their scores.
    func best(_ k: Int) -> [(id: String, score: Float)] {
        let fused = lists.filter { $0.takesPart && $0.source.quota == nil }
        let whole = fused.reduce(0) { $0 + $1.source.weight }
        var scores: [String: Double] = [:]
        for list in fused {
            for (place, item) in list.items.enumerated() {
                scores[item.id, default: 0] += list.source.weight / whole * value(of: item.score, at: place, in: list)
            }
        }
        let order = scores.map { (id: $0.key, score: Float($0.value)) }
            .sorted { ($1.score, numbers[$0.id] ?? -1) < ($0.score, numbers[$1.id] ?? -1) }
        var answer = Array(order.prefix(max(0, k - blend.quotas)))
        func add(_ candidates: [String], _ count: Int) {
            let new = candidates.filter { id in !answer.contains { $0.id == id } }.prefix(max(0, count))
            answer += new.map { ($0, Float(scores[$0] ?? 0)) }
        }
        for list in lists where list.takesPart {
            if let quota = list.source.quota { add(list.items.map(\.id), min(quota, k - answer.count)) }
        }
        add(order.map(\.id), k - answer.count)
        for list in lists { add(list.items.map(\.id), k - answer.count) }
        return answer
    }

    private func value(of score: Float, at place: Int, in list: List) -> Double {
        if blend.fusion == .reciprocalRank { return (blend.constant + 1) / (blend.constant + Double(place + 1)) }
        if list.source.model == nil { return Double(list.items.count - place) / Double(list.items.count) }
        let scores = list.items.map { Double($0.score) }
        guard let most = scores.max(), let least = scores.min(), most > least else { return 1 }
        return (Double(score) - least) / (most - least)
    }

    /// The rank of an item in each source's list.
    func ranks(of id: String) -> [Int?] {
        func rank(_ list: List) -> Int? { list.items.firstIndex { $0.id == id }.map { $0 + 1 } }
        let given = lists.map { $0.takesPart ? rank($0) : nil }
        return given.contains { $0 != nil } ? given : lists.map(rank)
    }
}
