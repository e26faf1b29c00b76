import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing

@Suite("Counts and facets") struct FilterCountTests {
    @Test("equal a count item by item, also after changes of items", arguments: [1, 2, 3] as [UInt64])
    func matchesOracle(seed: UInt64) throws {
        var random = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let catalogue = RandomCatalogue(items: 300, &random)
        let built = try testBuilder.build(catalogue.checkpoint(), generation: 1)
        let removed = ["0", "i1", "i5", "i250"]
        let removals = removed.map { ItemChange(model: "m", item: $0, version: 1, content: nil) }
        let content = ItemChange.Content(like: ["i2"], categories: ["Comedy"])
        let added = try built.completed(ItemChange(model: "m", item: "added", version: 1, content: content))
        let changed = built.applying(removals + [added]).snapshot
        var plain = catalogue.items.filter { !removed.contains($0.id) }
        plain.append(PlainItem(id: "added", categories: ["Comedy"]))
        for (snapshot, items) in [(built, catalogue.items), (changed, plain)] {
            for _ in 0..<100 {
                var request = RetrievalRequest()
                let filter = catalogue.filter(&random)
                request.conditions = filter
                let passing = items.filter { FilterOracle.passes($0, filter.group) }
                let found = try service(snapshot).count(
                    request,
                    facets: ["brand", "categories", "sold", "price"],
                    limit: 100
                )
                #expect(found.items.count == passing.count && found.snapshot === snapshot)
                try expect(found.facets[0], passing.compactMap { $0.texts["brand"] })
                try expect(found.facets[1], passing.map(\.categories))
                let sold = passing.compactMap { $0.numbers["sold"] }
                #expect(found.facets[2].count == sold.count)
                #expect(
                    found.facets[2].values.first { $0.value == .boolean(true) }?.count ?? 0 == sold.count { $0 == 1 }
                )
                let prices = passing.compactMap { $0.numbers["price"] }
                #expect(found.facets[3].count == prices.count && found.facets[3].values.isEmpty)
                #expect(found.facets[3].range?.least == prices.min().map { .number($0) })
                #expect(found.facets[3].range?.greatest == prices.max().map { .number($0) })
            }
        }
    }

    private func expect(_ facet: Facet, _ texts: [[String]]) throws {
        var counts: [String: Int] = [:]
        for text in texts.joined() { counts[text, default: 0] += 1 }
        #expect(facet.count == texts.count { !$0.isEmpty } && facet.values.count == counts.count)
        for value in facet.values {
            guard case .text(let text) = value.value else {
                Issue.record("\(value)")
                continue
            }
            #expect(value.count == counts[text])
        }
        #expect(facet.values.map(\.count) == facet.values.map(\.count).sorted(by: >))
    }
}
