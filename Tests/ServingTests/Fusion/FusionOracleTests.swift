import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing

/// Compares fused answers with a brute-force merge of the single models' answers.
@Suite("Several sources, against an oracle") struct FusionOracleTests {
    /// A random request to random sources.
    private func request(
        _ catalogues: BlendedCatalogues,
        _ random: inout SequentialGenerator
    ) -> RetrievalRequest {
        func chance(_ share: Int) -> Bool { Int.random(in: 0..<share, using: &random) == 0 }
        let items = 0..<BlendedCatalogues.universe
        let length = chance(8) ? 0 : Int.random(in: 1...4, using: &random)
        let history = (0..<length).map { _ in Int.random(in: items, using: &random) }
        var request = RetrievalRequest(
            history: history.map(BlendedCatalogues.id) + (chance(4) ? ["unknown"] : []),
            k: Int.random(in: 1...40, using: &random)
        )
        request.seed = random.next()
        request.excludeHistory = !chance(4)
        request.exclude = IdentifierList(items.filter { _ in chance(12) }.map(BlendedCatalogues.id))
        if chance(3) { request.filter = CategoryFilter(anyOf: ["Even"], noneOf: chance(2) ? ["Third"] : []) }
        if chance(3) {
            let most = Double(Int.random(in: 0...30, using: &random))
            let bound = ItemFilter.Bound(.number(most), isInclusive: true)
            request.conditions = ItemFilter(.init(must: [.attribute("price", .range(lower: nil, upper: bound))]))
        }
        var names: [String?] = ["a", "b", "c", nil].shuffled(using: &random)
        names.removeLast(Int.random(in: 0...2, using: &random))
        if !names.contains(where: { $0 != nil }) { names = ["b"] }
        var left = request.k
        let sources = names.map { name in
            let quota = chance(3) && left > 0 ? Int.random(in: 1...left, using: &random) : nil
            left -= quota ?? 0
            let weight = [1, 0.25, 3.5][Int.random(in: 0..<3, using: &random)]
            return SourceBlend.Source(model: name, weight: weight, quota: quota)
        }
        request.sources = SourceBlend(
            sources,
            fusion: chance(2) ? .reciprocalRank : .score,
            constant: [0, 1, 20, 60, 10_000][Int.random(in: 0..<5, using: &random)],
            window: [1, 5, 20, 200][Int.random(in: 0..<4, using: &random)]
        )
        return request
    }

    /// What the oracle makes of a request, by the answers of the single models.
    private func oracle(
        _ request: RetrievalRequest,
        _ catalogues: BlendedCatalogues
    ) throws -> (oracle: FusionOracle, isFallback: Bool, eligible: Set<String>) {
        let blend = try #require(request.sources)
        let first = try #require(blend.models.first)
        let leading = try #require(BlendedCatalogues.names.firstIndex(of: first))
        var single = request
        single.sources = nil
        func answer(_ model: String, k: Int) throws -> RetrievalResponse {
            single.model = model
            single.k = k
            return try catalogues.service.retrieve(single, workspace: RetrievalWorkspace())
        }
        let numbers = Dictionary(
            uniqueKeysWithValues: catalogues.orders[leading].enumerated().map { (BlendedCatalogues.id($1), $0) }
        )
        let all = try answer(BlendedCatalogues.names[leading], k: 200).items
        let eligible = Set(all.map { BlendedCatalogues.id(catalogues.orders[leading][Int($0.id)]) })
        let window = max(blend.window, request.k)
        var fallbacks = 0
        let lists = try blend.sources.map { source in
            guard let model = source.model else {
                let list = catalogues.popularity(of: leading).filter(eligible.contains).prefix(window)
                return FusionOracle.List(source: source, takesPart: true, items: list.map { ($0, 0) })
            }
            let response = try answer(model, k: window)
            let position = try #require(BlendedCatalogues.names.firstIndex(of: model))
            let order = catalogues.orders[position]
            if response.fallback != nil { fallbacks += 1 }
            return FusionOracle.List(
                source: source,
                takesPart: response.fallback == nil,
                items: response.items.map { (BlendedCatalogues.id(order[Int($0.id)]), $0.score) }
                    .filter { eligible.contains($0.0) }
            )
        }
        return (
            FusionOracle(blend: blend, lists: lists, numbers: numbers), fallbacks == blend.models.count, eligible
        )
    }

    @Test("answers are those of the oracle, with the ranks of every source", arguments: [1, 2, 3, 4] as [UInt64])
    func equalsOracle(seed: UInt64) throws {
        let catalogues = try BlendedCatalogues(seed: seed)
        var random = SequentialGenerator(CounterBasedGenerator(seed: seed + 100, purpose: .simulation))
        let workspace = RetrievalWorkspace()
        var (filtered, withQuota, fallbacks, full) = (0, 0, 0, 0)
        for number in 0..<250 {
            let request = request(catalogues, &random)
            let (oracle, isFallback, eligible) = try oracle(request, catalogues)
            let response = try catalogues.service.retrieve(request, workspace: workspace)
            let expected = oracle.best(request.k)
            let found = response.items.map { response.snapshot.identifiers.id($0.id) }
            let note: Comment = "request \(number): \(request)"
            #expect(found == expected.map(\.id), note)
            #expect(response.items.map(\.score) == expected.map(\.score), note)
            let fused = try #require(response.fused)
            for (place, id) in found.enumerated() {
                #expect(fused.sources.indices.map { fused.rank(ofItem: place, in: $0) } == oracle.ranks(of: id), note)
            }
            #expect(response.fallback == (isFallback ? .popular : nil), note)
            #expect(Set(found).isSubset(of: eligible) && Set(found).count == found.count, note)
            #expect(found.count == min(request.k, eligible.count), note)
            #expect(response.truncated == (found.count < request.k), note)
            #expect(fused.sources.map(\.name) == oracle.blend.sources.map(\.name))
            if request.conditions != nil || !request.filter.isEmpty { filtered += 1 }
            if oracle.blend.quotas > 0 { withQuota += 1 }
            if isFallback { fallbacks += 1 }
            if !response.truncated { full += 1 }
        }
        // The cases are many of every kind.
        #expect(min(filtered, withQuota, full) > 50 && fallbacks > 5, "\(filtered) \(withQuota) \(fallbacks) \(full)")
    }

    @Test("the answers of a batch are those of the single requests")
    func batches() throws {
        let catalogues = try BlendedCatalogues(seed: 9)
        var random = SequentialGenerator(CounterBasedGenerator(seed: 10, purpose: .simulation))
        var requests = (0..<40).map { _ in request(catalogues, &random) }
        requests[3].sources?.sources[0].model = "nope"
        requests[5].sources = nil
        let workspace = RetrievalWorkspace()
        let together = catalogues.service.retrieve(requests, workspace: workspace)
        for (request, result) in zip(requests, together) {
            let alone = Result { () throws(RetrievalError) in
                try catalogues.service.retrieve(request, workspace: workspace)
            }
            switch (alone, result) {
            case (.success(let alone), .success(let together)):
                #expect(alone.items == together.items && alone.fused == together.fused)
                #expect(alone.snapshot === together.snapshot && alone.seed == together.seed)
            case (.failure(let alone), .failure(let together)): #expect(alone == together)
            default: Issue.record("\(alone) and \(result)")
            }
        }
    }
}
