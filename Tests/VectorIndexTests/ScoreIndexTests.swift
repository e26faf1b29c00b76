import Kernels
import Testing
import VectorIndex

@Suite("ScoreIndex") struct ScoreIndexTests {
    private static func scores(_ count: Int) -> [Float] {
        // Few distinct values give many ties.
        CounterBasedGenerator(seed: 3, purpose: .simulation).uniforms(stream: 1, count: count)
            .map { Float(($0 * 20).rounded()) }
    }

    @Test("equals a sort of the eligible scores", arguments: [1, 7, 100, 3000], [0, 1, 10, 5000])
    func equalsSort(count: Int, k: Int) {
        let scores = Self.scores(count)
        let excluded = stride(from: 0, to: Int32(count), by: 3).map(\.self) + [-1, Int32(count), 0]
        let allowed = ItemSet(stride(from: 0, to: Int32(count), by: 2), bound: count)
        let removed = ItemSet([4, 10].filter { $0 < count }.map { Int32($0) }, bound: count)
        let workspace = SearchWorkspace()
        ScoreIndex(count: count).search(
            scores.span,
            k: k,
            effort: nil,
            among: Eligibility(allowed: allowed, excluded: excluded, removed: removed),
            in: workspace
        )
        let truth = scores.indices.map { Scored(id: Int32($0), score: scores[$0]) }
            .filter { !excluded.contains($0.id) && allowed.contains($0.id) && !removed.contains($0.id) }
            .sorted().prefix(k)
        #expect(workspace.results == Array(truth))
    }

    @Test("loads from its bytes, and only for the same number of items")
    func roundTrip() throws {
        let bytes = ScoreIndex(count: 12).serialised()
        let index = try IndexFormat.load(bytes, vectors: Matrix(rows: 12, columns: 0))
        #expect(index.count == 12)
        #expect(index.dimension == 12)
        #expect(throws: IndexError.self) { try IndexFormat.load(bytes, vectors: Matrix(rows: 11, columns: 0)) }
    }
}
