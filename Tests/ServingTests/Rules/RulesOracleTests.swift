import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

@Suite("Rules, against an oracle") struct RulesOracleTests {
    /// A request with random rules, filters, exclusions and paging.
    private func request(
        _ catalogue: RandomCatalogue,
        history: [Int],
        _ random: inout SequentialGenerator
    ) -> RetrievalRequest {
        var request = RetrievalRequest(history: history.map { catalogue.items[$0].id })
        request.k = [1, 5, 20, 60][Int.random(in: 0..<4, using: &random)]
        request.rules = catalogue.rules(&random)
        if Bool.random(using: &random) { request.conditions = catalogue.filter(&random) }
        if Int.random(in: 0..<3, using: &random) == 0 { request.filter = CategoryFilter(noneOf: ["Rare"]) }
        request.excludeHistory = Bool.random(using: &random)
        for item in catalogue.items where Int.random(in: 0..<10, using: &random) == 0 {
            request.exclude.append(item.id)
        }
        if Int.random(in: 0..<3, using: &random) == 0 { request.rules.offset = Int.random(in: 0...70, using: &random) }
        request.seed = UInt64.random(in: 0..<100, using: &random)
        request.explain = true
        return request
    }

    private func eligible(_ request: RetrievalRequest, _ catalogue: RandomCatalogue, history: [Int]) -> [Int32] {
        let excluded = Set(request.exclude.strings)
        return catalogue.items.indices.filter { index in
            let item = catalogue.items[index]
            return !excluded.contains(item.id) && !(request.excludeHistory && history.contains(index))
                && (request.conditions.map { FilterOracle.passes(item, $0.group) } ?? true)
                && (request.filter.isEmpty || !item.categories.contains("Rare"))
        }.map(Int32.init)
    }

    private func names(_ rules: RetrievalRules) -> [String] {
        switch rules.calibration {
        case "brand": RandomCatalogue.brands
        case "tags": RandomCatalogue.tags
        default: RandomCatalogue.categories
        }
    }

    @Test(
        "every answer is the oracle's, with and without a history",
        arguments: [(12, 300), (60, 500), (300, 500), (2000, 60)]
    )
    func answers(items: Int, requests: Int) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: UInt64(items) + 5, purpose: .simulation))
        let catalogue = RandomCatalogue(items: items, &random)
        let (snapshot, encoder, vectors) = try catalogue.snapshot(.flat)
        let service = service(snapshot)
        let workspace = RetrievalWorkspace()
        let exact = SearchWorkspace()
        var (changed, short, reasons) = (0, 0, Set<String>())
        for number in 0..<requests {
            let isCold = number % 5 == 0
            let history = isCold ? [] : (0..<4).map { _ in Int.random(in: 0..<items, using: &random) }
            let request = request(catalogue, history: history, &random)
            let allowed = eligible(request, catalogue, history: history)
            var ranked: [Scored]
            if isCold {
                ranked = allowed.reversed().map { Scored(id: $0, score: 0) }
            } else {
                let user = encoder.userVector(history.map(Int32.init), seed: request.seed ?? 0, steps: 20)
                let among = Eligibility(allowed: ItemSet(allowed, bound: items))
                try FlatIndex(vectors: vectors).search(user.span, k: items, effort: nil, among: among, in: exact)
                ranked = exact.results
            }
            let oracle = RulesOracle(
                items: catalogue.items,
                rules: request.rules,
                history: history,
                names: names(request.rules)
            )
            let offset = request.rules.offset ?? 0
            let expected = Array(oracle.list(ranked, count: offset + request.k).dropFirst(offset))
            let response = try service.retrieve(request, workspace: workspace)
            #expect(response.items == expected.map(\.item), "request \(number): \(request.rules)")
            let why = request.rules.isEmpty ? [] : expected.map(\.reason)
            #expect(response.reasons == why, "request \(number): \(request.rules)")
            #expect(response.truncated == (expected.count < request.k))
            let effects = response.effects
            #expect((effects == nil) == request.rules.isEmpty)
            #expect(effects?[.pinned] ?? 0 == why.count { $0.position == .pin })
            #expect(effects?[.new] ?? 0 == why.count { $0.position == .new })
            #expect(effects?[.shared] ?? 0 == why.count { if case .share = $0.position { true } else { false } })
            if response.items.map(\.id) != ranked.dropFirst(offset).prefix(request.k).map(\.id) { changed += 1 }
            if expected.count < request.k { short += 1 }
            for reason in response.reasons { reasons.insert("\(reason.position)".prefix(5).description) }
        }
        // The requests cover every kind of choice, and rules change most answers.
        #expect(reasons == ["score", "pin", "new", "share"] && short > 0)
        #expect(changed > requests / 4, "\(changed) of \(requests)")
    }

    @Test(
        "pages together are one long answer, with an exact and an approximate index, and after changes of items",
        arguments: [(IndexConfiguration.Kind.flat, 300), (.partitioned, 3000)]
    )
    func pages(kind: IndexConfiguration.Kind, items: Int) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: 11, purpose: .simulation))
        let catalogue = RandomCatalogue(items: items, &random)
        let built = try catalogue.snapshot(kind).snapshot
        let removed = (0..<10).map { ItemChange(model: "m", item: catalogue.items[$0].id, version: 1, content: nil) }
        let values: [String: AttributeValue?] = ["brand": .text("brand-1"), "released": .number(1.8e9)]
        let patched = (20..<40).map { AttributeChange(model: "m", item: catalogue.items[$0].id, values: values) }
        let service = service(built.applying(removed, attributes: patched).snapshot)
        let workspace = RetrievalWorkspace()
        for number in 0..<80 {
            let history = number % 6 == 0 ? [] : (0..<4).map { _ in Int.random(in: 0..<items, using: &random) }
            var request = request(catalogue, history: history, &random)
            (request.k, request.rules.offset) = (60, 0)
            let whole = try service.retrieve(request, workspace: workspace).items
            #expect(whole.allSatisfy { $0.id >= 10 } && Set(whole.map(\.id)).count == whole.count)
            var pages: [Scored] = []
            for (offset, k) in [(0, 7), (7, 20), (27, 1), (28, 32)] {
                (request.k, request.rules.offset) = (k, offset)
                let page = try service.retrieve(request, workspace: workspace)
                #expect(page.truncated == (page.items.count < k))
                pages += page.items
            }
            #expect(pages == whole, "request \(number): \(request.rules)")
        }
    }

    @Test("with an approximate index an answer has k items whenever k items keep the rules", arguments: [3000])
    func never(items: Int) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: 12, purpose: .simulation))
        let catalogue = RandomCatalogue(items: items, &random)
        let (snapshot, encoder, vectors) = try catalogue.snapshot(.partitioned)
        let service = service(snapshot)
        let workspace = RetrievalWorkspace()
        let exact = SearchWorkspace()
        var (found, best) = (0, 0)
        for _ in 0..<100 {
            let history = (0..<4).map { _ in Int.random(in: 0..<items, using: &random) }
            var request = request(catalogue, history: history, &random)
            request.rules.offset = nil
            let user = encoder.userVector(history.map(Int32.init), seed: request.seed ?? 0, steps: 20)
            let allowed = ItemSet(eligible(request, catalogue, history: history), bound: items)
            let among = Eligibility(allowed: allowed)
            try FlatIndex(vectors: vectors).search(user.span, k: items, effort: nil, among: among, in: exact)
            let oracle = RulesOracle(
                items: catalogue.items,
                rules: request.rules,
                history: history,
                names: names(request.rules)
            )
            let expected = oracle.list(exact.results, count: request.k)
            let answer = try service.retrieve(request, workspace: workspace).items
            #expect(answer.count == expected.count, "\(request.rules)")
            let ids = Set(answer.map(\.id))
            found += expected.count { ids.contains($0.item.id) }
            best += expected.count
        }
        #expect(Double(found) >= 0.98 * Double(best), "recall \(Double(found) / Double(best))")
    }
}
