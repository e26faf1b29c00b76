import Kernels
import TestSupport
import Testing
import VectorIndex

@Suite("LiveIndex") struct LiveIndexTests {
    private static let kinds: [IndexConfiguration.Kind] = [.flat, .partitioned]

    private func base(_ kind: IndexConfiguration.Kind, _ vectors: Matrix) throws -> any VectorIndex {
        try IndexFormat.build(vectors: vectors, configuration: IndexConfiguration(kind: kind, partitions: 9))
    }

    /// The reference for a live index: its items with their vectors.
    private typealias Model = [Int32: [Float]]

    private func model(_ vectors: Matrix) -> Model {
        Model(uniqueKeysWithValues: (0..<vectors.rows).map { (Int32($0), vectors.row($0)) })
    }

    /// Compares a search among `eligible` with a sort in Double.
    private func expectEqual(_ index: LiveIndex, _ model: Model, _ query: [Float], k: Int, _ eligible: Eligibility) {
        let workspace = SearchWorkspace()
        index.search(query.span, k: k, effort: .max, among: eligible, in: workspace)
        let items = model.keys.sorted().filter {
            !eligible.excluded.contains($0) && eligible.allowed?.contains($0) != false
        }
        let truth = bruteForceNeighbours(of: query, in: Matrix(items.map { model[$0, default: []] }), k: k)
        let results = workspace.results
        #expect(results.count == truth.count)
        #expect(Set(results.map(\.id)).count == results.count && Set(results.map(\.id)).isSubset(of: items))
        // A Float cannot tell two scores that are closer than this: at some CPU levels their items change places.
        let rounding = 1e-6
        let agree = zip(results, truth).allSatisfy { result, expected in
            let score = zip(query, model[result.id, default: []]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            return abs(score - expected.score) < rounding && abs(Double(result.score) - score) < rounding
        }
        #expect(agree)
        // Equal vectors have equal scores, and equal scores come in the order of ids.
        #expect(zip(results, results.dropFirst()).allSatisfy { ($1.score, $0.id) < ($0.score, $1.id) })
        let scores = Dictionary(grouping: results) { model[$0.id, default: []] }.mapValues { Set($0.map(\.score)) }
        #expect(scores.values.allSatisfy { $0.count == 1 })
    }

    @Test("any sequence of changes gives the answers of a sort", arguments: kinds, [0, 1, 40, 700])
    func randomChanges(kind: IndexConfiguration.Kind, count: Int) throws {
        let dimension = 6
        let vectors = UnitVectors.uniform(count, dimension: dimension)
        let fresh = UnitVectors.uniform(1700, dimension: dimension, seed: 2)
        var index = LiveIndex(try base(kind, vectors))
        var model = model(vectors)
        var random = SequentialGenerator(CounterBasedGenerator(seed: UInt64(count), purpose: .simulation))
        var kept: (LiveIndex, Model)?
        for step in 0..<1700 {
            let item = Int32.random(in: -1...Int32(index.bound), using: &random)
            // Sometimes the vector of another item, for equal scores.
            let vector =
                step % 5 == 0 ? model[Int32.random(in: 0...40, using: &random)] ?? fresh.row(step) : fresh.row(step)
            switch Int.random(in: 0..<17, using: &random) {
            case 0..<4:
                #expect(try index.add(vector) == Int32(index.bound - 1))
                model[Int32(index.bound - 1)] = vector
            case 4..<12 where item >= 0 && item < index.bound:
                try index.replace(item, with: vector)
                model[item] = vector
            case 4..<12:
                #expect(throws: IndexError.unknownItem(Int(item))) { try index.replace(item, with: vector) }
            case 12 where item >= 0 && item < count:
                try index.restore(item)
                model[item] = vectors.row(Int(item))
            case 12:
                #expect(throws: IndexError.unknownItem(Int(item))) { try index.restore(item) }
            case _ where model.removeValue(forKey: item) != nil:
                try index.remove(item)
            default:
                #expect(throws: IndexError.unknownItem(Int(item))) { try index.remove(item) }
            }
            #expect(index.count == model.count)
            #expect(index.contains(item) == (model[item] != nil))
            let isOfBase = item >= 0 && item < count && model[item] == vectors.row(Int(item))
            if !isOfBase { #expect(index.changedVector(of: item) == model[item] && !index.isInBase(item)) }
            guard step % 30 == 0 else { continue }
            let share = [1, 2, 12][step / 30 % 3]
            let allowed = ItemSet(
                (0..<Int32(index.bound)).filter { _ in Int.random(in: 0..<share, using: &random) == 0 },
                bound: [index.bound, index.bound / 2, index.bound + 70][step / 90 % 3]
            )
            let excluded = (0..<20).map { _ in Int32.random(in: -1...Int32(index.bound), using: &random) }
            let query = UnitVectors.uniform(1, dimension: dimension, seed: 9000 + UInt64(step)).row(0)
            for k in [0, 1, 25, Int.max] {
                expectEqual(index, model, query, k: k, Eligibility())
                expectEqual(index, model, query, k: k, Eligibility(excluded: excluded))
                expectEqual(index, model, query, k: k, Eligibility(allowed: allowed, excluded: excluded))
            }
            if let (old, oldModel) = kept { expectEqual(old, oldModel, query, k: 25, Eligibility()) }
            if step % 90 == 0 { kept = (index, model) }
        }
        #expect(index.changed > 256, "the delta fills more than a chunk")
    }

    @Test("all items are removed, then all are added back")
    func emptied() throws {
        let vectors = UnitVectors.uniform(600, dimension: 8)
        var index = LiveIndex(try base(.partitioned, vectors))
        for item in 0..<Int32(600) { try index.remove(item) }
        #expect(index.count == 0)
        #expect(index.search(vectors.row(0).span, k: 5).isEmpty)
        #expect(index.merged(baseVectors: vectors).items.isEmpty)
        for item in 0..<Int32(600) { try index.replace(item, with: vectors.row(Int(item))) }
        expectEqual(index, model(vectors), vectors.row(3), k: 700, Eligibility())
        for item in 0..<Int32(600) { try index.remove(item) }
        #expect(index.count == 0)
        #expect(index.changed == 0)
    }

    @Test("an index over the merged vectors gives the answers of the live index")
    func merged() throws {
        let vectors = UnitVectors.clustered(3000, dimension: 16, clusters: 30)
        let fresh = UnitVectors.clustered(700, dimension: 16, clusters: 30, seed: 5)
        var live = LiveIndex(try FlatIndex(vectors: vectors))
        for row in 0..<700 {
            switch row % 3 {
            case 0: try live.add(fresh.row(row))
            case 1: try live.replace(Int32(row * 4), with: row % 2 == 0 ? vectors.row(row) : fresh.row(row))
            default: try live.remove(Int32(row * 4))
            }
        }
        try live.remove(3001)
        let (merged, items) = live.merged(baseVectors: vectors)
        let rebuilt = try FlatIndex(vectors: merged)
        #expect(rebuilt.count == live.count)
        for query in 0..<100 {
            let found = rebuilt.search(vectors.row(query * 30).span, k: 40)
            let expected = live.search(vectors.row(query * 30).span, k: 40)
            #expect(found.map { Scored(id: items[Int($0.id)], score: $0.score) } == expected)
        }
    }

    @Test("recall at 5 percent churn equals the base's recall", arguments: [16, 64])
    func recallUnderChurn(dimension: Int) throws {
        func draw(_ count: Int, _ stream: UInt64) -> Matrix {
            // Copies of the same items with noise, so that changes stay within the groups.
            var rows = UnitVectors.clustered(count, dimension: dimension, clusters: 200, spread: 0.7)
            rows.add(UnitVectors.uniform(count, dimension: dimension, seed: stream), scale: stream > 0 ? 0.3 : 0)
            return rows.normalisedRows().unit
        }
        let vectors = draw(20000, 0)
        let fresh = draw(20000, 70)
        let queries = draw(20000, 71)
        let built = try PartitionedIndex(vectors: vectors)
        var live = LiveIndex(built)
        for row in stride(from: 0, to: 20000, by: 60) {
            try live.add(fresh.row(row))
            try live.replace(Int32(row + 1), with: fresh.row(row + 2))
            try live.remove(Int32(row + 3))
        }
        let (merged, items) = live.merged(baseVectors: vectors)
        let (exactBefore, exactAfter) = (try FlatIndex(vectors: vectors), try FlatIndex(vectors: merged))
        var (before, after) = (0, 0)
        for row in stride(from: 0, to: 20000, by: 67) {
            let query = queries.row(row)
            let truth = Set(exactBefore.search(query.span, k: 50).map(\.id))
            before += built.search(query.span, k: 50).count { truth.contains($0.id) }
            let changed = Set(exactAfter.search(query.span, k: 50).map { items[Int($0.id)] })
            after += live.search(query.span, k: 50).count { changed.contains($0.id) }
        }
        #expect(abs(Double(after - before)) / (50 * 299) < 0.005)
    }

    @Test("removals and exclusions near the query never shorten the answer", arguments: kinds)
    func neverShort(kind: IndexConfiguration.Kind) throws {
        let vectors = UnitVectors.clustered(2000, dimension: 16, clusters: 10)
        var index = LiveIndex(try base(kind, vectors))
        let query = vectors.row(0)
        let near = index.search(query.span, k: 1500, effort: .max).map(\.id)
        for item in near.prefix(1200) { try index.remove(item) }
        for item in near.prefix(100) { try index.replace(item, with: vectors.row(Int(item))) }
        #expect(index.count == 900)
        let found = index.search(query.span, k: 650, effort: 1, excluding: Array(near[50...]))
        #expect(found.count == 550)
        #expect(found.prefix(50).map(\.id) == Array(near.prefix(50)))
    }

    @Test("a filter made before an item was added does not allow it")
    func olderFilter() throws {
        let vectors = UnitVectors.uniform(100, dimension: 8)
        var index = LiveIndex(try FlatIndex(vectors: vectors))
        let older = ItemSet(bound: index.bound, full: true)
        let added = try index.add(vectors.row(7))
        let workspace = SearchWorkspace()
        index.search(vectors.row(7).span, k: 2, effort: nil, among: Eligibility(), in: workspace)
        #expect(workspace.results.map(\.id) == [7, added])
        index.search(vectors.row(7).span, k: 200, effort: nil, among: Eligibility(allowed: older), in: workspace)
        #expect(workspace.results.count == 100)
        #expect(!workspace.results.contains { $0.id == added })
        let only = ItemSet([added], bound: index.bound)
        index.search(vectors.row(7).span, k: 200, effort: nil, among: Eligibility(allowed: only), in: workspace)
        #expect(workspace.results.map(\.id) == [added])
    }

    @Test("bad vectors are refused with the item's number, and change nothing")
    func badVectors() throws {
        let vectors = UnitVectors.uniform(10, dimension: 3)
        var index = LiveIndex(try FlatIndex(vectors: vectors))
        let cases: [([Float], (Int) -> IndexError)] = [
            ([1, 0], { .wrongLength(item: $0, length: 2, dimension: 3) }),
            ([1, .nan, 0], { .notFinite(item: $0) }),
            ([0, 0, 0], { .zeroVector(item: $0) }),
            ([0, 2, 0], { .notUnit(item: $0, length: 2) }),
        ]
        for (vector, error) in cases {
            #expect(throws: error(10)) { try index.add(vector) }
            #expect(throws: error(4)) { try index.replace(4, with: vector) }
        }
        #expect(index.bound == 10)
        expectEqual(index, model(vectors), vectors.row(4), k: 20, Eligibility())
    }

    @Test("changes can move to another index of the same items")
    func over() throws {
        let vectors = UnitVectors.uniform(300, dimension: 8)
        var index = LiveIndex(try base(.partitioned, vectors))
        try index.add(vectors.row(5))
        try index.replace(4, with: vectors.row(9))
        try index.remove(7)
        var exact = index.over(try FlatIndex(vectors: vectors))
        #expect(exact.base is FlatIndex && index.base is PartitionedIndex && exact.bound == 301)
        var model = model(vectors)
        model[300] = vectors.row(5)
        model[4] = vectors.row(9)
        model[7] = nil
        expectEqual(exact, model, vectors.row(5), k: 400, Eligibility())
        try exact.remove(300)
        expectEqual(index, model, vectors.row(9), k: 400, Eligibility())
    }

    @Test("a live index over a live index is a copy of it")
    func copy() throws {
        let vectors = UnitVectors.uniform(50, dimension: 4)
        var first = LiveIndex(try FlatIndex(vectors: vectors))
        try first.remove(3)
        let added = try first.add(vectors.row(3))
        let second = LiveIndex(first)
        #expect(second.base is FlatIndex)
        #expect(second.search(vectors.row(3).span, k: 1).map(\.id) == [added])
        #expect(second.serialised() == (try FlatIndex(vectors: vectors)).serialised())
    }
}
