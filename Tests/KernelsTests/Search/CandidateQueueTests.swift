import Kernels
import TestSupport
import Testing

@Suite("Candidate queue") struct CandidateQueueTests {
    private static let count = 1000
    private static let rows = UnitVectors.uniform(count, dimension: 16)
    private static let codes: NibbleCodes = {
        let (codes, factors) = NibbleCodes.encode(rows, dimension: 16)
        let items = factors.indices.map { $0 < count ? Int32((($0 * 7) % count)) : -1 }
        return NibbleCodes(codes: codes, factors: factors, items: items, dimension: 16)
    }()
    private static let query: QuantisedQuery = {
        var query = QuantisedQuery()
        query.set(UnitVectors.uniform(1, dimension: 16, seed: 5).row(0), count: 16)
        return query
    }()

    private func drained(_ k: Int, margin: Float, _ restriction: ItemRestriction) -> (Set<Int32>, threshold: Float) {
        let queue = CandidateQueue()
        queue.reset(k: k)
        for first in stride(from: 0, to: Self.codes.count / 16, by: 5) {
            queue.scan(
                Self.codes,
                blocks: first..<min(first + 5, Self.codes.count / 16),
                query: Self.query,
                base: 0,
                margin: margin,
                restriction: restriction
            )
        }
        var items: [Int32] = []
        queue.drain(into: &items)
        #expect(Set(items).count == items.count)
        return (Set(items), queue.threshold)
    }

    @Test("keeps every eligible item within the margin of the k-th best, and few others", arguments: [1, 7, 50, 400])
    func keeps(k: Int) {
        let bound = Self.count
        let excluded = ItemSet(stride(from: Int32(0), to: 1000, by: 3), bound: bound)
        let allowed = ItemSet(stride(from: Int32(0), to: 900, by: 2), bound: 900)
        let removed = ItemSet(100..<200, bound: bound)
        let estimates = Self.codes.estimates(of: Self.query)
        for restriction in [[], [0], [1], [2], [0, 1, 2]] {
            let isEligible: (Int32) -> Bool = { item in
                (!restriction.contains(0) || allowed.contains(item))
                    && !(restriction.contains(1) && excluded.contains(item))
                    && !(restriction.contains(2) && removed.contains(item))
            }
            let eligible = zip(Self.codes.items, estimates).filter { $0.0 >= 0 && isEligible($0.0) }
            let ranked = eligible.map(\.1).sorted(by: >)
            let (found, threshold) = drained(
                k,
                margin: 0.05,
                ItemRestriction(
                    bound: bound,
                    allowed: restriction.contains(0) ? allowed : nil,
                    excluded: restriction.contains(1) ? excluded : nil,
                    removed: restriction.contains(2) ? removed : nil
                )
            )
            guard ranked.count >= k else {
                #expect(found == Set(eligible.map(\.0)))
                #expect(threshold == -.infinity)
                continue
            }
            #expect(threshold <= ranked[k - 1] + 1e-6)
            #expect(threshold >= ranked[k - 1] - 0.0011)
            #expect(found == Set(eligible.filter { $0.1 + 0.05 >= threshold }.map(\.0)))
        }
    }

    @Test("sorts like Scored, ties by the lower id, for any k", arguments: [0, 1, 10, 48, 49, 100, 300, 3000, 70000])
    func sortedBest(count: Int) {
        let draws = CounterBasedGenerator(seed: 3, purpose: .simulation).uniforms(stream: 0, count: count)
        for levels in [3.0, 1e6] {
            let entries = draws.enumerated().map {
                Scored(id: Int32(($0.offset * 7919) % 100_003), score: Float(($0.element * levels).rounded() / levels))
            }
            for k in [0, 1, 5, 50, 1500, min(count, 5000)] {
                var list = ScoreList()
                var (scores, ids) = (entries.map(\.score), entries.map(\.id))
                var best: [Scored] = []
                list.best(k, of: &scores, &ids, count: count, into: &best)
                #expect(best == Array(entries.sorted().prefix(k)))
            }
        }
    }

    @Test("selects a half-open range, sorted, or reports too many entries")
    func selects() {
        let values = (0..<100).map { Float(($0 * 37) % 100) }
        var list = ScoreList()
        let isSelected = list.select(values, count: 90, in: 20..<40, limit: 20)
        #expect(isSelected)
        let expected = values[..<90].enumerated().filter { 20..<40 ~= $0.element }
            .map { Scored(id: Int32($0.offset), score: $0.element) }.sorted()
        #expect((0..<list.count).map { list[$0] } == expected)
        let isTooMuch = !list.select(values, count: 100, in: 20..<41, limit: 20)
        #expect(isTooMuch)
        #expect(list.count == 0)
    }

    @Test("eigenvectors: A v = lambda v, orthonormal, largest first")
    func eigenvectors() {
        let rows = UnitVectors.uniform(40, dimension: 12)
        let matrix = Matrix.product(rows, transposed: true, rows)
        let (values, vectors) = matrix.symmetricEigenvectors()
        #expect(values == values.sorted(by: >))
        let products = Matrix.product(matrix, vectors)
        let gram = Matrix.product(vectors, transposed: true, vectors)
        for row in 0..<12 {
            for column in 0..<12 {
                #expect(abs(products[row, column] - Float(values[column]) * vectors[row, column]) < 1e-4)
                #expect(abs(gram[row, column] - (row == column ? 1 : 0)) < 1e-5)
            }
        }
    }
}
