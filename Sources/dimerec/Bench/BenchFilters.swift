import ArgumentParser
import Kernels
import Serving
import VectorIndex

/// `bench filters`: recall and time of filtered searches, and the time of new filters.
struct FiltersBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filters",
        abstract: "Measure filtered searches by the share of items that pass, and new filters by their clauses.",
        discussion: "The catalogue is made up. The search is that of a retrieval, without network and rules."
    )
    @Option(help: "Number of items.") var items = 1_000_000
    @Option(name: .customShort("k"), help: "How many items a search finds.") var k = 20
    @Option(help: "Number of queries for each filter.") var queries = 200
    @Option(help: "Number of new filters for each number of clauses.") var filters = 100
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        try ValidationError.require("--items", items, in: 2000...10_000_000)
        try ValidationError.require("-k", k, in: 1...1000)
        try ValidationError.require("--queries", queries, in: 1...100_000)
        try ValidationError.require("--filters", filters, in: 1...1000)
    }

    /// Searches among the items that pass.
    private struct Selection {
        let name: String
        /// The share of items that pass.
        let share: Double
        let recall: Double
        let times: Percentiles
    }

    func run() throws {
        Allocator.keepFreedMemory()
        let snapshot = try RetrievalBench.syntheticSnapshot(items: items, model: "a", seed: 1)
        let asked = SyntheticCatalogue.vectors(items: items, queries: queries).queries
        var selections = [try measure("none", nil, asked, snapshot)]
        for (name, key, end) in [
            ("50 percent", "amount", 56.0), ("10 percent", "price", 111.0 / 8), ("1 percent", "price", 11.0 / 8),
            ("0.1 percent", "price", 0.1),
        ] {
            let upper = ItemFilter.Bound(.number(end), isInclusive: false)
            let filter = ItemFilter(ItemFilter.Group(must: [.attribute(key, .range(lower: nil, upper: upper))]))
            let passing = try snapshot.filters.items(passing: filter)
            selections.append(try measure(name, { _ in passing }, asked, snapshot))
        }
        let workspace = SearchWorkspace()
        let far = try measure(
            "without the nearest percent",
            { query in
                var passing = ItemSet(bound: items, full: true)
                let near = snapshot.exactIndex
                near.search(query.span, k: items / 100, effort: nil, among: Eligibility(), in: workspace)
                for item in workspace.results { passing.remove(item.id) }
                return passing
            },
            asked,
            snapshot
        )
        selections.append(far)
        let clauses = try [1, 2, 3, 5, 8].map { (count: $0, times: try newFilters(clauses: $0, snapshot)) }
        print(selections, clauses)
    }

    private func print(_ selections: [Selection], _ clauses: [(count: Int, times: Percentiles)]) {
        if json {
            let searches = selections.map { row in
                [
                    "filter": row.name, "share": row.share, "recall": row.recall, "p50_us": row.times[0.5],
                    "p99_us": row.times[0.99],
                ] as [String: Any]
            }
            let made = clauses.map {
                ["clauses": $0.count, "p50_us": $0.times[0.5], "p99_us": $0.times[0.99]] as [String: Any]
            }
            let object = JSONObject(["searches": searches, "new_filters": made, "items": items, "k": k])
            return Terminal.print(object.line)
        }
        func text(_ number: Double, _ digits: Double) -> String { "\((number * digits).rounded() / digits)" }
        for row in selections {
            Terminal.print(
                "\(row.name): share \(text(row.share, 1e5)), recall \(text(row.recall, 1e4)), p50 "
                    + "\(text(row.times[0.5], 10)) us, p99 \(text(row.times[0.99], 10)) us"
            )
        }
        for row in clauses {
            let (median, tail) = (text(row.times[0.5], 10), text(row.times[0.99], 10))
            Terminal.print("new filter of \(row.count) clauses: p50 \(median) us, p99 \(tail) us")
        }
    }

    /// Recall and times of the searches among the items that pass; nil for all items.
    private func measure(
        _ name: String,
        _ passing: (([Float]) -> ItemSet)?,
        _ asked: Matrix,
        _ snapshot: ServingSnapshot
    ) throws -> Selection {
        let workspace = SearchWorkspace()
        var times: [Double] = []
        var (found, wanted, passed) = (0, 0, 0)
        for row in 0..<asked.rows {
            let query = asked.row(row)
            let allowed = passing?(query)
            let eligible = Eligibility(allowed: allowed)
            passed += allowed?.count ?? items
            snapshot.exactIndex.search(query.span, k: k, effort: nil, among: eligible, in: workspace)
            let truth = Set(workspace.results.map(\.id))
            // The first search fetches what the exact one displaced from the cache.
            for isTimed in [false, true] {
                let start = ContinuousClock.now
                snapshot.index.search(query.span, k: k, effort: nil, among: eligible, in: workspace)
                if isTimed { times.append((ContinuousClock.now - start) / .microseconds(1)) }
            }
            found += workspace.results.count { truth.contains($0.id) }
            wanted += truth.count
        }
        return Selection(
            name: name,
            share: Double(passed) / Double(items * asked.rows),
            recall: Double(found) / Double(max(1, wanted)),
            times: Percentiles(times)
        )
    }

    /// The times of filters that no cache holds.
    private func newFilters(clauses count: Int, _ snapshot: ServingSnapshot) throws -> Percentiles {
        var times: [Double] = []
        for number in 0..<filters {
            let clauses = (0..<count).map { clause(kind: $0, number: number) }
            let filter = ItemFilter(ItemFilter.Group(must: clauses))
            let start = ContinuousClock.now
            _ = try snapshot.filters.items(passing: filter)
            times.append((ContinuousClock.now - start) / .microseconds(1))
        }
        return Percentiles(times)
    }

    /// A clause of one of eight kinds; the first kind makes filters of different numbers different.
    private func clause(kind: Int, number: Int) -> ItemFilter.Clause {
        func below(_ end: Double) -> ItemFilter.Test {
            .range(lower: nil, upper: ItemFilter.Bound(.number(end), isInclusive: true))
        }
        func above(_ start: Double) -> ItemFilter.Test {
            .range(lower: ItemFilter.Bound(.number(start), isInclusive: true), upper: nil)
        }
        switch kind {
        case 0: return .attribute("price", below(10 + Double(number)))
        case 1: return .attribute("stock", .match(.boolean(true)))
        case 2: return .attribute("brand", .any([.text("brand-\(number % 20)"), .text("brand-\((number + 7) % 20)")]))
        case 3: return .attribute("tags", .none([.text("tags-\(number % 10)")]))
        case 4: return .attribute("released", above(1_704_067_200 + Double(number % 300) * 86_400))
        case 5: return .attribute("amount", below(30 + Double(number % 60)))
        case 6: return .attribute("tags", .exists(true))
        default: return .attribute("brand", .none([.text("brand-\((number + 3) % 20)")]))
        }
    }
}
