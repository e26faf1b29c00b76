import ArgumentParser
import CheckpointStore
import Kernels
import Serving
import Training

/// `bench retrieval`: whole requests with filters, rules and sources, beside the plain request.
struct RetrievalBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrieval",
        abstract: "Time whole retrievals with filters, rules and two sources beside plain ones, in one run.",
        discussion: """
            The catalogue is made up and the networks are random. The kinds of requests take turns. Ratios \
            compare each kind with the first one, and the recall is against exact searches.
            """
    )
    @Option(help: "Number of items.") var items = 100_000
    @Option(name: .customShort("k"), help: "How many items.") var k = 50
    @Option(help: "Items of each history, drawn at random.") var historyLength = 20
    @Option(help: "Number of timed requests of each kind.") var requests = 2000
    @Option(parsing: .upToNextOption, help: "The kinds of requests by name; all unless given.")
    var kinds: [String] = []
    @Flag(help: "Print one JSON object.") var json = false

    /// Requests of each kind that are not timed.
    private static let warmUps = 50

    func validate() throws {
        try ValidationError.require("--items", items, in: 100...10_000_000)
        try ValidationError.require("-k", k, in: 1...1000)
        try ValidationError.require("--history-length", historyLength, in: 1...1000)
        try ValidationError.require("--requests", requests, in: 1...10_000_000)
        let names = Self.allKinds.map { $0.name }
        if let unknown = kinds.first(where: { !names.contains($0) }) {
            throw ValidationError("--kinds: '\(unknown)' is none of: \(names.joined(separator: "; ")).")
        }
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let service = RetrievalService(holder: RoutingHolder(try Self.table(items: items)))
        let kinds = Self.allKinds.filter { self.kinds.isEmpty || self.kinds.contains($0.name) }
        let workspace = RetrievalWorkspace()
        let random = CounterBasedGenerator(seed: 1, purpose: .simulation)
        var times = [[Double]](repeating: [], count: kinds.count)
        var hits = [Int](repeating: 0, count: kinds.count)
        var wanted = hits
        for number in 0..<requests + Self.warmUps {
            let history = random.integers(below: items, stream: UInt64(number), count: historyLength).map { "\($0)" }
            for (place, kind) in kinds.enumerated() {
                var request = RetrievalRequest(history: history, k: k)
                kind.change(&request)
                let start = ContinuousClock.now
                _ = try service.retrieve(request, workspace: workspace)
                if number >= Self.warmUps { times[place].append((ContinuousClock.now - start) / .microseconds(1)) }
                guard number < Self.warmUps else { continue }
                let found = Set(try service.retrieve(request, workspace: workspace).items.map(\.id))
                request.exact = true
                let exact = try service.retrieve(request, workspace: workspace).items
                wanted[place] += exact.count
                hits[place] += exact.count { found.contains($0.id) }
            }
        }
        let recalls = zip(hits, wanted).map { Double($0) / Double(max(1, $1)) }
        let rows = zip(zip(kinds, times), recalls).map { (name: $0.0.name, times: Percentiles($0.1), recall: $1) }
        let first = rows[0].times
        if json {
            let list = rows.map { name, times, recall in
                [
                    "name": name, "p50_us": times[0.5], "p99_us": times[0.99], "p50_ratio": times[0.5] / first[0.5],
                    "p99_ratio": times[0.99] / first[0.99], "recall": recall,
                ] as [String: Any]
            }
            return Terminal.print(JSONObject(["rows": list, "items": items, "requests": requests]).line)
        }
        for (name, times, recall) in rows {
            let numbers = [times[0.5], times[0.5] / first[0.5], times[0.99], times[0.99] / first[0.99]]
                .map { "\(($0 * 100).rounded() / 100)" }
            Terminal.print(
                "\(name): p50 \(numbers[0]) us (\(numbers[1]) x), p99 \(numbers[2]) us (\(numbers[3]) x), "
                    + "recall \((recall * 10_000).rounded() / 10_000)"
            )
        }
    }

    /// Two models of the same made-up catalogue.
    private static func table(items: Int) throws -> RoutingTable {
        let names = ["a", "b"]
        let routes = try names.enumerated().map { position, name in
            let snapshot = try syntheticSnapshot(items: items, model: name, seed: UInt64(position + 1))
            return (name, TrafficRoute(name: name, arms: [TrafficArm(snapshot)]))
        }
        return RoutingTable(routes: Dictionary(uniqueKeysWithValues: routes), standard: "a", expected: [])
    }

    /// A snapshot of a made-up catalogue with attributes and a random network.
    static func syntheticSnapshot(items: Int, model: String, seed: UInt64) throws -> ServingSnapshot {
        let vectors = SyntheticCatalogue.vectors(items: items, queries: 1).items
        var checkpoint = try VectorImport(vectors: vectors, seed: seed, model: model).checkpoint()
        checkpoint.catalogue.attributes = SyntheticCatalogue.attributes(items: items)
            .sorted { $0.name < $1.name }
        return try SnapshotBuilder.standard(warmUpRequests: 1, minRecall: 0).build(checkpoint, generation: seed)
    }

    private typealias Kind = (name: String, change: (inout RetrievalRequest) -> Void)

    /// The kinds of requests, the plain one first.
    private static var allKinds: [Kind] {
        let cheap = ItemFilter.Test.range(lower: nil, upper: ItemFilter.Bound(.number(100), isInclusive: false))
        let filter = ItemFilter(
            ItemFilter.Group(must: [.attribute("stock", .match(.boolean(true))), .attribute("price", cheap)])
        )
        let brand = ItemFilter(ItemFilter.Group(must: [.attribute("brand", .match(.text("brand-1")))]))
        return [
            ("plain", { _ in }), ("cached filter", { $0.conditions = filter }),
            (
                "cached filter, group limit",
                { request in
                    request.conditions = filter
                    request.rules.groupLimit = .init("brand", limit: 5)
                }
            ),
            ("two sources", { $0.sources = SourceBlend([.init(model: "a"), .init(model: "b")]) }),
            (
                "two sources, cached filter, group limit",
                { request in
                    request.sources = SourceBlend([.init(model: "a"), .init(model: "b")])
                    request.conditions = filter
                    request.rules.groupLimit = .init("brand", limit: 5)
                }
            ),
            ("boost by rank", { $0.rules.boosts = [.init(brand, .rankFactor(2))] }),
            ("boost of the score", { $0.rules.boosts = [.init(brand, .add(0.05))] }),
            ("pins", { $0.rules.pins = [.init("7", at: 1), .init("9", at: 5)] }),
        ]
    }
}
