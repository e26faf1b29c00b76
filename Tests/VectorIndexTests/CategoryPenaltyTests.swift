import Kernels
import TestSupport
import Testing
import VectorIndex

@Suite("CategoryPenalty") struct CategoryPenaltyTests {
    /// Candidates with some equal scores and up to `categories` main categories; every seventh item has no category,
    /// and some have a second one, which must not matter.
    private struct Case {
        let candidates: [Scored]
        let lists: [[Int32]]

        init(_ count: Int, categories: Int, seed: UInt64) {
            let generator = CounterBasedGenerator(seed: seed, purpose: .simulation)
            let steps = generator.integers(below: 3, stream: 0, count: count)
            let mains = generator.integers(below: categories, stream: 1, count: count)
            var score: Float = 0.75
            candidates = (0..<count).map { place in
                score -= Float(steps[place]) / 64
                return Scored(id: Int32(place), score: score)
            }
            lists = (0..<count).map { item in
                item % 7 == 0 ? [] : item % 2 == 0 ? [mains[item]] : [mains[item], Int32(item % categories)]
            }
        }

        func rerank(k: Int, penalty: Double, in workspace: CategoryPenalty = CategoryPenalty()) -> [Scored] {
            let categories = Int((lists.joined().max() ?? -1) + 1)
            workspace.rerank(
                candidates,
                keeping: k,
                penalty: penalty,
                categories: ItemCategories(lists, itemCount: lists.count, categoryCount: categories)
            )
            return workspace.results
        }

        /// The definition: each place gets the first of the best remaining candidates.
        func greedy(k: Int, penalty: Double) -> [Scored] {
            var answer: [Scored] = []
            while answer.count < min(k, candidates.count) {
                var best: (candidate: Scored, value: Double)?
                for candidate in candidates where !answer.contains(candidate) {
                    let main = lists[Int(candidate.id)].first
                    let chosen = main == nil ? 0 : answer.count { lists[Int($0.id)].first == main }
                    let value = Double(candidate.score) - penalty * Double(chosen)
                    if best.map({ value > $0.value }) ?? true { best = (candidate, value) }
                }
                if let best { answer.append(best.candidate) }
            }
            return answer
        }
    }

    @Test(
        "the answer equals a greedy choice by brute force",
        arguments: [0, 1.0 / 128, 1.0 / 64, 0.1, 3, 1e300],
        [1, 2, 5, 60]
    )
    func matchesGreedyChoice(penalty: Double, categories: Int) {
        let workspace = CategoryPenalty()
        for (count, k) in [(0, 3), (1, 1), (40, 10), (90, 90), (50, 200), (60, 0)] {
            let item = Case(count, categories: categories, seed: UInt64(count))
            #expect(item.rerank(k: k, penalty: penalty, in: workspace) == item.greedy(k: k, penalty: penalty))
        }
    }

    @Test("with a large penalty a category repeats only after all others")
    func takesTurns() {
        let item = Case(80, categories: 5, seed: 3)
        let mains = item.rerank(k: 80, penalty: 10).compactMap { item.lists[Int($0.id)].first }
        #expect(Set(mains.prefix(5)).count == 5 && Set(mains.prefix(10).suffix(5)).count == 5)
    }

    @Test("items without categories keep their order and get no penalty")
    func withoutCategories() {
        let scores: [Float] = [0.9, 0.8, 0.7, 0.6]
        let candidates = scores.enumerated().map { Scored(id: Int32($0.offset), score: $0.element) }
        let workspace = CategoryPenalty()
        let none = ItemCategories([], itemCount: 4, categoryCount: 0)
        workspace.rerank(candidates, keeping: 4, penalty: 1, categories: none)
        #expect(workspace.results == candidates)
        let one = ItemCategories([[0], [0], [], []], itemCount: 4, categoryCount: 1)
        workspace.rerank(candidates, keeping: 4, penalty: 1, categories: one)
        #expect(workspace.results.map(\.id) == [0, 2, 3, 1])
    }
}
