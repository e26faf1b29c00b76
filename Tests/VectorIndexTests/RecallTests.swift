import Kernels
import TestSupport
import Testing
import VectorIndex

/// Recall of the partitioned index at its default effort, against the exact index.
@Suite("Recall") struct RecallTests {
    private static let vectors = UnitVectors.clustered(30000, dimension: 64, clusters: 300, spread: 0.6)
    private static let index = Result { try PartitionedIndex(vectors: vectors) }

    /// Items with added noise; not the random numbers of the build.
    private func queries(_ vectors: Matrix, count: Int) -> Matrix {
        let step = vectors.rows / count
        var queries = vectors.gatheringRows((0..<Int32(count)).map { $0 * Int32(step) })
        queries.add(UnitVectors.uniform(count, dimension: vectors.columns, seed: 78), scale: 0.3)
        return queries.normalisedRows().unit
    }

    private func recall(_ index: any VectorIndex, _ vectors: Matrix, k: Int, _ eligible: Eligibility) throws -> Double {
        let flat = try FlatIndex(vectors: vectors)
        let (workspace, exact) = (SearchWorkspace(), SearchWorkspace())
        let queries = queries(vectors, count: 100)
        var (found, wanted) = (0, 0)
        for row in 0..<queries.rows {
            let query = queries.row(row)
            index.search(query.span, k: k, effort: nil, among: eligible, in: workspace)
            flat.search(query.span, k: k, effort: nil, among: eligible, in: exact)
            let truth = Set(exact.results.map(\.id))
            #expect(workspace.results.count == exact.results.count, "as many results as the exact index")
            #expect(workspace.results == workspace.results.sorted())
            found += workspace.results.count { truth.contains($0.id) }
            wanted += truth.count
        }
        return Double(found) / Double(wanted)
    }

    @Test("at least 0.99 when a filter leaves 50, 10, 1 and 0.1 percent", arguments: [2, 10, 100, 1000])
    func randomFilters(part: Int) throws {
        let draws = CounterBasedGenerator(seed: 4, purpose: .simulation).uniforms(stream: 0, count: 30000)
        let left = (0..<Int32(30000)).filter { draws[Int($0)] * Double(part) < 1 }
        let allowed = ItemSet(left, bound: 30000)
        let excluded = Array(left.prefix(5))
        let eligible = Eligibility(allowed: allowed, excluded: excluded)
        let found = try recall(Self.index.get(), Self.vectors, k: 50, eligible)
        #expect(found >= 0.99)
    }

    @Test("at least 0.99 when a filter leaves whole regions", arguments: [2, 10])
    func regionalFilters(part: Int) throws {
        let direction = UnitVectors.uniform(1, dimension: 64, seed: 8).row(0)
        let scores = Self.vectors.scores(of: direction)
        let limit = scores.sorted(by: >)[30000 / part]
        let allowed = ItemSet((0..<Int32(30000)).filter { scores[Int($0)] > limit }, bound: 30000)
        let found = try recall(Self.index.get(), Self.vectors, k: 50, Eligibility(allowed: allowed))
        #expect(found >= 0.99)
    }

    @Test("at least 0.99 when a filter leaves out the nearest percent, or the nearest tenth", arguments: [100, 10])
    func filtersOfTheNearest(part: Int) throws {
        let index = try Self.index.get()
        let exact = try FlatIndex(vectors: Self.vectors)
        let queries = queries(Self.vectors, count: 40)
        var found = 0
        for row in 0..<queries.rows {
            let query = queries.row(row)
            var allowed = ItemSet(bound: 30000, full: true)
            for item in exact.search(query.span, k: 30000 / part) { allowed.remove(item.id) }
            let (workspace, truth) = (SearchWorkspace(), SearchWorkspace())
            let eligible = Eligibility(allowed: allowed)
            index.search(query.span, k: 20, effort: nil, among: eligible, in: workspace)
            exact.search(query.span, k: 20, effort: nil, among: eligible, in: truth)
            found += Set(truth.results.map(\.id)).intersection(workspace.results.map(\.id)).count
        }
        #expect(Double(found) / Double(20 * queries.rows) >= 0.99)
    }

    @Test("excluding the best thousand gives the next best", arguments: [1000])
    func manyExclusions(count: Int) throws {
        let index = try Self.index.get()
        let exact = try FlatIndex(vectors: Self.vectors)
        let queries = queries(Self.vectors, count: 40)
        var found = 0
        for row in 0..<queries.rows {
            let query = queries.row(row)
            let near = exact.search(query.span, k: count).map(\.id)
            let truth = Set(exact.search(query.span, k: 50, excluding: near).map(\.id))
            let answer = index.search(query.span, k: 50, excluding: near).map(\.id)
            #expect(Set(answer).isDisjoint(with: near) && answer.count == 50)
            found += truth.intersection(answer).count
        }
        #expect(Double(found) / Double(50 * queries.rows) >= 0.99)
    }

    @Test("holds for few and many answers", arguments: [1, 10, 100, 1000])
    func everyK(k: Int) throws {
        let found = try recall(Self.index.get(), Self.vectors, k: k, Eligibility())
        #expect(found >= 0.985)
    }

    @Test("holds for any dimension", arguments: [8, 20, 100, 256])
    func dimensions(dimension: Int) throws {
        let vectors = UnitVectors.clustered(8000, dimension: dimension, clusters: 80, spread: 0.6)
        let index = try PartitionedIndex(vectors: vectors)
        try index.checkInvariants()
        let found = try recall(index, vectors, k: 50, Eligibility())
        #expect(found >= 0.985)
    }

    @Test("a higher recall costs more effort")
    func recallTarget() throws {
        let vectors = UnitVectors.clustered(8000, dimension: 32, clusters: 40, spread: 0.8)
        let indexes = try [0.8, 0.95, 0.999].map {
            try PartitionedIndex(vectors: vectors, configuration: IndexConfiguration(recall: $0))
        }
        let efforts = indexes.map(\.defaultEffort)
        #expect(efforts == efforts.sorted())
        #expect(efforts[0] < efforts[2])
        let recalls = try indexes.map { try recall($0, vectors, k: 50, Eligibility()) }
        #expect(zip(recalls, [0.79, 0.94, 0.995]).allSatisfy { $0 >= $1 })
    }

    @Test("given queries set the effort: more for hard ones, less for easy ones")
    func givenQueries() throws {
        let vectors = UnitVectors.clustered(8000, dimension: 32, clusters: 40, spread: 0.5)
        let easy = try PartitionedIndex(vectors: vectors, queries: vectors.rows(0..<500))
        let hard = try PartitionedIndex(vectors: vectors, queries: UnitVectors.uniform(500, dimension: 32, seed: 3))
        #expect(easy.defaultEffort < hard.defaultEffort)
    }

    @Test("thousands of copies of some items do not hide other items")
    func heavyDuplicates() throws {
        let distinct = UnitVectors.clustered(4000, dimension: 32, clusters: 40)
        let copies = [Int32](repeating: 7, count: 3000) + [Int32](repeating: 8, count: 3000)
        let vectors = distinct.gatheringRows((0..<4000).map { Int32($0) } + copies)
        let index = try PartitionedIndex(vectors: vectors)
        for item in stride(from: 0, to: 4000, by: 37) where item != 7 && item != 8 {
            #expect(index.search(vectors.row(item).span, k: 1).first?.id == Int32(item))
        }
        let all = index.search(vectors.row(7).span, k: 3001).map(\.id)
        #expect(all == [7] + (4000..<7000).map { Int32($0) })
    }
}
