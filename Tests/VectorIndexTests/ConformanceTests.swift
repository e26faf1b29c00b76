import Kernels
import TestSupport
import Testing
import VectorIndex

/// The contract of every index, at the effort at which it is exact.
@Suite("every index") struct ConformanceTests {
    private static let kinds: [IndexConfiguration.Kind] = [.flat, .partitioned]

    private func build(_ kind: IndexConfiguration.Kind, _ vectors: Matrix, partitions: Int? = nil) throws
        -> any VectorIndex
    {
        try IndexFormat.build(vectors: vectors, configuration: IndexConfiguration(kind: kind, partitions: partitions))
    }

    private func query(_ dimension: Int, _ number: UInt64) -> [Float] {
        UnitVectors.uniform(1, dimension: dimension, seed: 1000 + number).row(0)
    }

    @Test(
        "equals a Double sort at full effort",
        arguments: kinds,
        [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 300]
    )
    func matchesBruteForce(kind: IndexConfiguration.Kind, dimension: Int) throws {
        let vectors = UnitVectors.uniform(500, dimension: dimension, seed: UInt64(dimension))
        let index = try build(kind, vectors)
        let excluded = (0..<300).map { Int32(($0 * 7) % 499) }
        for (number, excluding) in [[], excluded, [3, 3, -1, 500, .max, .min]].enumerated() {
            let query = query(dimension, UInt64(number))
            let found = index.search(query.span, k: 40, effort: .max, excluding: excluding)
            let truth = bruteForceNeighbours(of: query, in: vectors, k: 41, excluding: Set(excluding))
            try expectSame(found, truth, k: 40)
        }
    }

    /// Scores agree position by position; ids agree unless the next score is closer than rounding.
    private func expectSame(_ found: [Scored], _ truth: [(id: Int32, score: Double)], k: Int) throws {
        try #require(found.count == min(k, truth.count))
        #expect(found == found.sorted())
        for (position, (ours, theirs)) in zip(found, truth).enumerated() {
            #expect(abs(Double(ours.score) - theirs.score) < 1e-5)
            let neighbours = truth[max(0, position - 1)..<min(truth.count, position + 2)]
            let isTie = neighbours.contains { $0.id != theirs.id && abs($0.score - theirs.score) < 1e-5 }
            #expect(isTie || ours.id == theirs.id)
        }
    }

    @Test("scans beyond one block of rows", arguments: kinds, [2047, 2048, 2049, 5000])
    func spansBlocks(kind: IndexConfiguration.Kind, count: Int) throws {
        let vectors = UnitVectors.uniform(count, dimension: 16)
        let index = try build(kind, vectors, partitions: 2)
        let query = query(16, 0)
        let excluded: [Int32] = [0, 2046, 2047, 2048, Int32(count - 1)]
        let found = index.search(query.span, k: count, effort: .max, excluding: excluded)
        let truth = bruteForceNeighbours(of: query, in: vectors, k: count, excluding: Set(excluded))
        #expect(Set(found.map(\.id)) == Set(truth.map(\.id)))
        #expect(found.count == truth.count)
    }

    @Test("k is 0, one, all, and more than all items", arguments: kinds, [0, 1, 99, 100, 101, Int.max])
    func everyK(kind: IndexConfiguration.Kind, k: Int) throws {
        let index = try build(kind, UnitVectors.uniform(100, dimension: 8))
        let found = index.search(query(8, 0).span, k: k, effort: nil, excluding: [])
        #expect(found.count == min(k, 100))
        #expect(Set(found.map(\.id)).count == found.count)
    }

    @Test("equal vectors come in the order of their numbers", arguments: kinds)
    func duplicates(kind: IndexConfiguration.Kind) throws {
        let distinct = UnitVectors.uniform(20, dimension: 24)
        let vectors = distinct.gatheringRows((0..<400).map { Int32($0 % 20) })
        let index = try build(kind, vectors)
        let found = index.search(distinct.row(5).span, k: 19, effort: nil, excluding: [25])
        let expected = [5] + stride(from: Int32(45), to: 400, by: 20)
        #expect(found.map(\.id) == expected)
        #expect(Set(found.map(\.score)).count == 1)
        let same = try build(kind, distinct.gatheringRows([Int32](repeating: 3, count: 50)))
        let all = same.search(distinct.row(3).span, k: 60, effort: 1, excluding: [])
        #expect(all.map(\.id) == (0..<50).map { Int32($0) })
    }

    @Test("exclusions never shorten the answer if enough other items exist", arguments: kinds)
    func exclusions(kind: IndexConfiguration.Kind) throws {
        let vectors = UnitVectors.clustered(1000, dimension: 16, clusters: 20)
        let index = try build(kind, vectors)
        let query = vectors.row(0)
        let near = index.search(query.span, k: 950, effort: .max, excluding: []).map(\.id)
        let found = index.search(query.span, k: 30, effort: 1, excluding: near)
        #expect(found.count == 30)
        #expect(Set(found.map(\.id)).isDisjoint(with: near))
        let left = index.search(query.span, k: 80, effort: 1, excluding: near)
        #expect(left.count == 50)
        let everything = (0..<1000).map { Int32($0) }
        #expect(index.search(query.span, k: 10, effort: nil, excluding: everything + everything).isEmpty)
    }

    @Test("removed items are never returned with any filter, and never shorten the answer", arguments: kinds)
    func removals(kind: IndexConfiguration.Kind) throws {
        let vectors = UnitVectors.clustered(1000, dimension: 16, clusters: 20)
        let index = try build(kind, vectors)
        let workspace = SearchWorkspace()
        let near = index.search(vectors.row(0).span, k: 900, effort: .max, excluding: []).map(\.id)
        let removed = ItemSet(near, bound: 1000)
        for (bound, step) in [(1000, 1), (1000, 2), (1000, 20), (1100, 1), (1100, 20), (500, 1), (500, 20)] {
            let allowed = ItemSet(stride(from: Int32(0), to: Int32(bound), by: step), bound: bound)
            let left = Set(allowed).subtracting(near).filter { $0 < 1000 && $0 != 8 }
            let eligible = Eligibility(allowed: allowed, excluded: [8, 1099], removed: removed)
            for k in [1, 3, 200] {
                index.search(vectors.row(0).span, k: k, effort: 1, among: eligible, in: workspace)
                #expect(workspace.results.count == min(k, left.count))
                #expect(left.isSuperset(of: workspace.results.map(\.id)))
            }
        }
    }

    @Test("each item finds itself", arguments: kinds)
    func findsItself(kind: IndexConfiguration.Kind) throws {
        let vectors = UnitVectors.clustered(2000, dimension: 32, clusters: 50)
        let index = try build(kind, vectors)
        for item in 0..<2000 {
            let best = index.search(vectors.row(item).span, k: 1, effort: nil, excluding: []).first
            #expect(best?.id == Int32(item))
        }
    }

    @Test("the length of a query does not change the order", arguments: kinds)
    func scale(kind: IndexConfiguration.Kind) throws {
        let vectors = UnitVectors.uniform(3000, dimension: 20)
        let index = try build(kind, vectors)
        let query = query(20, 4)
        let ids = index.search(query.span, k: 25, effort: nil, excluding: []).map(\.id)
        for factor in [Float(0.25), 1024] {
            let scaled = query.map { $0 * factor }
            #expect(index.search(scaled.span, k: 25, effort: nil, excluding: []).map(\.id) == ids)
        }
    }

    @Test("two builds give the same bytes and answers", arguments: kinds)
    func deterministic(kind: IndexConfiguration.Kind) throws {
        let vectors = UnitVectors.clustered(3000, dimension: 16, clusters: 30)
        let (first, second) = (try build(kind, vectors), try build(kind, vectors))
        #expect(first.serialised() == second.serialised())
        for number in 0..<20 {
            let query = query(16, UInt64(number))
            let answer = first.search(query.span, k: 20, effort: nil, excluding: [1, 2])
            #expect(answer == second.search(query.span, k: 20, effort: nil, excluding: [1, 2]))
        }
    }

    @Test("no items, one item", arguments: kinds, [0, 1, 2])
    func tiny(kind: IndexConfiguration.Kind, count: Int) throws {
        let index = try build(kind, UnitVectors.uniform(count, dimension: 5))
        #expect(index.count == count)
        #expect(index.dimension == 5)
        #expect(index.search(query(5, 0).span, k: 3, effort: nil, excluding: []).count == count)
        let vectors = UnitVectors.uniform(count, dimension: 5)
        let loaded = try IndexFormat.load(index.serialised(), vectors: vectors)
        #expect(loaded.search(query(5, 0).span, k: 3, effort: nil, excluding: []).count == count)
    }

    @Test("bad vectors are refused with the item's number", arguments: kinds)
    func badVectors(kind: IndexConfiguration.Kind) throws {
        let good = UnitVectors.uniform(5000, dimension: 6)
        let cases: [([Float], IndexError)] = [
            ([1, .nan, 0, 0, 0, 0], .notFinite(item: 4711)),
            ([1, 0, .infinity, 0, 0, 0], .notFinite(item: 4711)),
            ([1, 0, -.infinity, 0, 0, 0], .notFinite(item: 4711)),
            ([0, 0, 0, 0, 0, 0], .zeroVector(item: 4711)),
            ([2, 0, 0, 0, 0, 0], .notUnit(item: 4711, length: 2)),
        ]
        let saved = try build(kind, good).serialised()
        for (row, error) in cases {
            var vectors = good
            vectors.setRow(4711, to: row)
            #expect(throws: error) { try build(kind, vectors) }
            #expect(throws: error) { try IndexFormat.load(saved, vectors: vectors) }
        }
    }
}
