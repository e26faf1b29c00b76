import Kernels
import TestSupport
import Testing

@Suite("TopK") struct TopKTests {
    /// The best `k` by sorting everything: higher score first, lower id on ties.
    private func reference(_ candidates: [Scored], _ k: Int) -> [Scored] {
        Array(
            candidates.sorted { $0.score != $1.score ? $0.score > $1.score : $0.id < $1.id }.prefix(k)
        )
    }

    /// `levels` distinct scores; few levels give many ties.
    private func scores(_ count: Int, levels: Float, seed: UInt64) -> [Float] {
        normalMatrix(rows: 1, columns: count, seed: seed).elements.map { ($0 * levels).rounded() / levels }
    }

    @Test("equals a sort, ties included", arguments: tailLengths + [1000], [0, 1, 2, 10, 64, 300])
    func matchesSort(count: Int, k: Int) {
        for levels in [1, 4, 1e6] as [Float] {
            let scores = scores(count, levels: levels, seed: UInt64(count * 31 + k))
            // Ids in another order than positions: ties are broken by id.
            let identify = { (position: Int) in Int32((position * 7919) % 10007) }
            let candidates = scores.indices.map { Scored(id: identify($0), score: scores[$0]) }
            let expected = reference(candidates, k)
            var single = TopK(k: k)
            for candidate in candidates { single.offer(candidate) }
            #expect(single.sorted() == expected)
            var reversed = TopK(k: k)
            for candidate in candidates.reversed() { reversed.offer(candidate) }
            #expect(reversed.sorted() == expected)
            var block = TopK(k: k)
            block.offer(scores + [.infinity], count: count, id: identify)
            #expect(block.sorted() == expected)
            var blocks = TopK(k: k)
            for start in stride(from: 0, to: count, by: 100) {
                let part = Array(scores[start..<min(count, start + 100)])
                blocks.offer(part, count: part.count) { identify(start + $0) }
            }
            #expect(blocks.sorted() == expected)
        }
    }

    @Test("ascending and descending scores give the same selection", arguments: [500, 5000])
    func orderedScores(count: Int) {
        for ascending in [true, false] {
            let scores = (0..<count).map { Float(ascending ? $0 : count - $0) }
            var selection = TopK(k: 100)
            selection.offer(scores, count: count) { Int32($0) }
            #expect(
                selection.sorted() == reference(scores.indices.map { Scored(id: Int32($0), score: scores[$0]) }, 100)
            )
        }
    }

    @Test("the threshold refuses exactly the scores that cannot enter")
    func threshold() {
        var selection = TopK(k: 2)
        #expect(selection.threshold == -.infinity)
        selection.offer(Scored(id: 5, score: 1))
        #expect(selection.threshold == -.infinity)
        selection.offer(Scored(id: 6, score: 3))
        #expect(selection.threshold == 1)
        selection.offer(Scored(id: 9, score: 1))
        #expect(selection.sorted() == [Scored(id: 6, score: 3), Scored(id: 5, score: 1)])
        selection.offer(Scored(id: 2, score: 1))
        #expect(selection.sorted() == [Scored(id: 6, score: 3), Scored(id: 2, score: 1)])
        #expect(TopK(k: 0).threshold == .infinity)
    }
}
