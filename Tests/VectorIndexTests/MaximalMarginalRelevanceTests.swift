import Kernels
import TestSupport
import Testing
import VectorIndex

@Suite("MaximalMarginalRelevance") struct MaximalMarginalRelevanceTests {
    /// Vectors with categories, and the candidates of a query.
    private struct Case {
        let vectors: Matrix
        let lists: [[Int32]]
        let candidates: [Scored]

        init(_ vectors: Matrix, lists: [[Int32]] = [], candidates: Int, query: Int = 0) {
            self.vectors = vectors
            self.lists = lists
            let scores = vectors.scores(of: vectors.row(query))
            self.candidates = Array(
                scores.indices.map { Scored(id: Int32($0), score: scores[$0]) }.sorted().prefix(candidates)
            )
        }

        func rerank(
            k: Int,
            diversity: Float,
            in workspace: MaximalMarginalRelevance = MaximalMarginalRelevance()
        ) -> [Scored] {
            let categoryCount = Int((lists.joined().max() ?? -1) + 1)
            workspace.rerank(
                candidates,
                keeping: k,
                diversity: diversity,
                vectors: vectors,
                categories: ItemCategories(lists, itemCount: vectors.rows, categoryCount: categoryCount)
            )
            return workspace.results
        }

        func similarity(_ a: Int32, _ b: Int32) -> Double {
            let cosine = zip(vectors.row(Int(a)), vectors.row(Int(b))).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            guard !lists.isEmpty, !lists[Int(a)].isEmpty, !lists[Int(b)].isEmpty else { return cosine }
            let (left, right) = (Set(lists[Int(a)]), Set(lists[Int(b)]))
            return (cosine + Double(left.intersection(right).count) / Double(left.union(right).count)) / 2
        }

        /// The formula, in Double, for a candidate that joins an answer.
        func value(_ candidate: Scored, after answer: some Sequence<Scored>, diversity: Float) -> Double {
            let nearest = answer.map { similarity(candidate.id, $0.id) }.max() ?? 0
            return (1 - Double(diversity)) * Double(candidate.score) - Double(diversity) * nearest
        }

        /// The mean similarity of all pairs of an answer.
        func meanSimilarity(_ answer: [Scored]) -> Double {
            var total = 0.0
            for i in answer.indices {
                for j in 0..<i { total += similarity(answer[i].id, answer[j].id) }
            }
            return total / Double(answer.count * (answer.count - 1) / 2)
        }
    }

    /// Categories that follow the vectors' clusters loosely; every seventh item has none.
    private func lists(_ count: Int, categories: Int32) -> [[Int32]] {
        (0..<Int32(count)).map { $0 % 7 == 0 ? [] : $0 % 2 == 0 ? [$0 % categories] : [$0 % categories, $0 % 3] }
    }

    @Test(
        "each choice equals the formula's, up to rounding",
        arguments: [Float(0.05), 0.3, 0.5, 0.8, 1],
        [true, false]
    )
    func matchesFormula(diversity: Float, hasCategories: Bool) throws {
        let vectors = UnitVectors.clustered(600, dimension: 24, clusters: 15, seed: 8)
        let lists = hasCategories ? lists(600, categories: 9) : []
        try expectFormula(Case(vectors, lists: lists, candidates: 160), k: 40, diversity: diversity)
    }

    @Test("any dimension and number of candidates", arguments: [1, 2, 7, 65], [1, 2, 63, 64, 65])
    func matchesFormula(dimension: Int, candidates: Int) throws {
        let vectors = UnitVectors.uniform(100, dimension: dimension, seed: 9)
        let item = Case(vectors, lists: lists(100, categories: 5), candidates: candidates)
        try expectFormula(item, k: candidates, diversity: 0.4)
    }

    private func expectFormula(_ item: Case, k: Int, diversity: Float) throws {
        let answer = item.rerank(k: k, diversity: diversity)
        try #require(answer.count == k && Set(answer.map(\.id)).count == k)
        for place in answer.indices {
            let before = answer[..<place]
            let left = item.candidates.filter { !before.contains($0) }
            let best = left.map { item.value($0, after: before, diversity: diversity) }.max() ?? 0
            #expect(item.value(answer[place], after: before, diversity: diversity) > best - 1e-5)
            #expect(item.candidates.contains(answer[place]))
        }
    }

    /// Here every cosine and value is exact in Float, and many are equal.
    @Test("ties go to the earlier candidate", arguments: [Float(0.25), 0.5, 0.75, 1])
    func breaksTies(diversity: Float) throws {
        let signs = CounterBasedGenerator(seed: 4, purpose: .simulation).integers(below: 2, stream: 0, count: 4 * 120)
        let vectors = Matrix(rows: 120, columns: 4, elements: signs.map { $0 == 0 ? -0.5 : 0.5 })
        let item = Case(vectors, candidates: 100)
        var expected: [Scored] = []
        for _ in 0..<50 {
            let left = item.candidates.filter { !expected.contains($0) }
            let values = left.map { item.value($0, after: expected, diversity: diversity) }
            let best = try #require(values.indices.min { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 })
            expected.append(left[best])
        }
        #expect(item.rerank(k: 50, diversity: diversity) == expected)
    }

    @Test("diversity 0 keeps the candidates' order", arguments: [0, 1, 10, 99, 100, 101, Int.max])
    func identity(k: Int) {
        let vectors = UnitVectors.clustered(300, dimension: 16, clusters: 5)
        let item = Case(vectors, lists: lists(300, categories: 4), candidates: 100)
        #expect(item.rerank(k: k, diversity: 0) == Array(item.candidates.prefix(k)))
        #expect(Set(item.rerank(k: k, diversity: 0.7).map(\.id)).count == min(k, 100))
    }

    @Test("a k of all candidates or more reorders all; the best stays first")
    func reorders() {
        let item = Case(UnitVectors.clustered(300, dimension: 16, clusters: 5), candidates: 60)
        let answer = item.rerank(k: 100, diversity: 1)
        #expect(answer.sorted() == item.candidates && answer != item.candidates)
        #expect(answer.first == item.candidates.first)
        #expect(Case(UnitVectors.uniform(5, dimension: 8), candidates: 0).rerank(k: 3, diversity: 1).isEmpty)
    }

    @Test("of equal vectors one is chosen; the others follow all other items")
    func duplicates() {
        let distinct = UnitVectors.uniform(10, dimension: 32, seed: 2)
        let vectors = distinct.gatheringRows((0..<40).map { Int32($0 % 10) })
        let answer = Case(vectors, candidates: 40).rerank(k: 40, diversity: 1)
        #expect(Set(answer.prefix(10).map { $0.id % 10 }).count == 10)
    }

    @Test("answers become less similar as diversity grows, with and without categories", arguments: [false, true])
    func diversifies(hasCategories: Bool) {
        let vectors = UnitVectors.clustered(2000, dimension: 32, clusters: 60, spread: 0.7, seed: 5)
        let lists = hasCategories ? lists(2000, categories: 11) : []
        var means: [Double] = []
        for diversity: Float in [0, 0.25, 0.5, 0.75, 1] {
            var total = 0.0
            for query in 0..<10 {
                let item = Case(vectors, lists: lists, candidates: 200, query: query)
                total += item.meanSimilarity(item.rerank(k: 50, diversity: diversity))
            }
            means.append(total / 10)
        }
        for (less, more) in zip(means, means.dropFirst()) { #expect(more < less + 0.01) }
        #expect(means[4] < 0.8 * means[0])
    }

    @Test("changed items count with their new vectors", arguments: [1, 7, 65])
    func changedItems(dimension: Int) throws {
        let count = 150
        let vectors = UnitVectors.uniform(count, dimension: dimension, seed: 3)
        let fresh = UnitVectors.uniform(60, dimension: dimension, seed: 4)
        var live = LiveIndex(try FlatIndex(vectors: vectors))
        var rows = (0..<count).map(vectors.row)
        for row in 0..<60 {
            if row % 2 == 0 {
                try live.add(fresh.row(row))
                rows.append(fresh.row(row))
            } else {
                try live.replace(Int32(row), with: fresh.row(row))
                rows[row] = fresh.row(row)
            }
        }
        let item = Case(Matrix(rows), lists: lists(rows.count, categories: 5), candidates: 130)
        let workspace = MaximalMarginalRelevance()
        for diversity: Float in [0.2, 0.7, 1] {
            workspace.rerank(
                item.candidates,
                keeping: 100,
                diversity: diversity,
                vectors: vectors,
                changes: live,
                categories: ItemCategories(item.lists, itemCount: rows.count, categoryCount: 5)
            )
            #expect(workspace.results == item.rerank(k: 100, diversity: diversity))
        }
        #expect(
            item.candidates.contains { $0.id >= count } && item.candidates.contains { $0.id < 60 && $0.id % 2 == 1 }
        )
    }

    @Test("a re-ranking does not affect the next one")
    func reuses() {
        let workspace = MaximalMarginalRelevance()
        let vectors = UnitVectors.clustered(400, dimension: 16, clusters: 8)
        for (candidates, k) in [(200, 50), (20, 20), (0, 5), (300, 3), (120, 119)] {
            let item = Case(vectors, candidates: candidates, query: k)
            #expect(item.rerank(k: k, diversity: 0.6, in: workspace) == item.rerank(k: k, diversity: 0.6))
        }
    }
}
