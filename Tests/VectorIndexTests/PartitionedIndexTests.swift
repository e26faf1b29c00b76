import Kernels
import TestSupport
import Testing
import VectorIndex

@Suite("PartitionedIndex") struct PartitionedIndexTests {
    private static let vectors = UnitVectors.clustered(20000, dimension: 64, clusters: 200, spread: 0.7)
    /// Items with added noise, like user vectors, which are near items; not the random numbers of the build.
    private static let queries: Matrix = {
        var queries = vectors.gatheringRows((0..<200).map { Int32($0 * 97) })
        queries.add(UnitVectors.uniform(200, dimension: 64, seed: 77), scale: 0.3)
        return queries.normalisedRows().unit
    }()

    private func recall(_ index: PartitionedIndex, effort: Int?) throws -> Double {
        let flat = try FlatIndex(vectors: Self.vectors)
        var found = 0
        for row in 0..<Self.queries.rows {
            let query = Self.queries.row(row)
            let truth = Set(flat.search(query.span, k: 50, effort: nil, excluding: []).map(\.id))
            found += index.search(query.span, k: 50, effort: effort, excluding: []).count { truth.contains($0.id) }
        }
        return Double(found) / Double(50 * Self.queries.rows)
    }

    @Test("recall@50 is at least 0.99 by default with only some of the partitions")
    func defaultRecall() throws {
        let index = try PartitionedIndex(vectors: Self.vectors)
        try index.checkInvariants()
        #expect(try recall(index, effort: nil) >= 0.99)
        #expect(index.defaultEffort <= index.partitions / 4)
    }

    @Test("recall grows with effort to exactly 1")
    func recallGrows() throws {
        let index = try PartitionedIndex(vectors: Self.vectors, configuration: IndexConfiguration(partitions: 400))
        let efforts = [1, 2, 4, 8, 16, 50, index.partitions]
        let recalls = try efforts.map { try recall(index, effort: $0) }
        #expect(recalls == recalls.sorted())
        #expect(recalls[0] < 0.9)
        #expect(recalls.last == 1)
    }

    @Test("a query's length changes nothing, even if its square overflows", arguments: [1e-30, 1e-20, 1e20, 1e36])
    func queryLength(length: Float) throws {
        let index = try PartitionedIndex(vectors: Self.vectors)
        for row in 0..<20 {
            let query = Self.queries.row(row)
            let scaled = query.map { $0 * length }
            // Rounding of the scaled elements may reorder the last few answers.
            let found = Set(index.search(scaled.span, k: 50, effort: nil, excluding: []).map(\.id))
            let expected = index.search(query.span, k: 50, effort: nil, excluding: [])
            #expect(expected.prefix(40).allSatisfy { found.contains($0.id) })
        }
    }

    @Test("an effort above the default widens the tuned bounds and finds more")
    func widerBounds() throws {
        let vectors = UnitVectors.uniform(6000, dimension: 32)
        let index = try PartitionedIndex(vectors: vectors, configuration: IndexConfiguration(recall: 0.8))
        let flat = try FlatIndex(vectors: vectors)
        func recall(_ effort: Int?) -> Double {
            let found = stride(from: 0, to: 6000, by: 60).map { item in
                let truth = Set(flat.search(vectors.row(item).span, k: 50).map(\.id))
                return index.search(vectors.row(item).span, k: 50, effort: effort).count { truth.contains($0.id) }
            }
            return Double(found.reduce(0, +)) / 5000
        }
        #expect(recall(nil) < 0.95)
        #expect(recall(index.partitions - 1) > 0.99)
    }

    @Test("vectors without clusters get enough effort")
    func uniformVectors() throws {
        let vectors = UnitVectors.uniform(4000, dimension: 64)
        let index = try PartitionedIndex(vectors: vectors)
        let flat = try FlatIndex(vectors: vectors)
        var found = 0
        for item in stride(from: 0, to: 4000, by: 40) {
            let query = vectors.row(item)
            let truth = Set(flat.search(query.span, k: 50, effort: nil, excluding: []).map(\.id))
            found += index.search(query.span, k: 50, effort: nil, excluding: []).count { truth.contains($0.id) }
        }
        #expect(Double(found) / 5000 >= 0.98)
    }

    @Test("invariants hold for any number of partitions", arguments: [1, 2, 3, 50, 999, 1000, 5000])
    func invariants(partitions: Int) throws {
        let vectors = UnitVectors.clustered(1000, dimension: 12, clusters: 10, spread: 0.2)
        let index = try PartitionedIndex(vectors: vectors, configuration: IndexConfiguration(partitions: partitions))
        try index.checkInvariants()
        #expect(index.partitions <= min(partitions, 1000))
        #expect((1...index.partitions).contains(index.defaultEffort))
        #expect(index.partitions >= min(partitions, 1000) / 2, "empty partitions are refilled, not lost")
    }

    @Test("opposite pairs, whose mean is zero, can be partitioned")
    func cancellingMeans() throws {
        let half = UnitVectors.uniform(100, dimension: 4)
        var opposite = half
        opposite.scale(by: -1)
        let vectors = Matrix(rows: 200, columns: 4, elements: half.elements + opposite.elements)
        for partitions in [1, 2, 7] {
            let index = try PartitionedIndex(
                vectors: vectors,
                configuration: IndexConfiguration(partitions: partitions)
            )
            try index.checkInvariants()
        }
    }

    @Test("another seed gives another clustering")
    func seeds() throws {
        let vectors = UnitVectors.clustered(1000, dimension: 12, clusters: 10)
        let first = try PartitionedIndex(vectors: vectors, configuration: IndexConfiguration(seed: 1))
        let second = try PartitionedIndex(vectors: vectors, configuration: IndexConfiguration(seed: 2))
        #expect(first.serialised() != second.serialised())
    }

    @Test("the default effort scans a fraction of the items")
    func work() throws {
        let index = try PartitionedIndex(vectors: Self.vectors)
        let visited = index.partitions + index.defaultEffort * index.count / index.partitions
        #expect(visited * 4 < index.count)
    }
}
