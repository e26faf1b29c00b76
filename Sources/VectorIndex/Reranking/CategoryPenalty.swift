public import Kernels

/// Re-ranks a search's candidates so that no category crowds out the others.
///
/// ComiRec's controllable diversity (Cen et al., KDD 2020, section 3.4; method, section 11): each step adds the
/// candidate `i` with the largest value to the answer:
///
/// `score(i) - penalty * (number of items in the answer with i's main category)`
///
/// Ties go to the earlier candidate. An item's main category is the first in its list. Items without a category get and
/// cause no penalty.
///
/// All candidates of a category have the same penalty, so they keep their order, and only the first remaining one can
/// be chosen.
///
/// Owns the buffers of one thread's re-rankings, and the result of the last one.
public final class CategoryPenalty {
    /// The candidates of one main category, best first.
    private struct Queue {
        /// The best remaining candidate and the last one, as positions among all candidates.
        var next: Int
        var last: Int
        /// The number of items of the category in the answer; always 0 for items without a category.
        var chosen = 0
    }

    /// The items that the last re-ranking chose, in that order, with their original scores.
    public private(set) var results: [Scored] = []

    private var queues: [Queue] = []
    private var queueOfCategory: [Int32: Int] = [:]
    /// The position of the next candidate of the same main category, or `end`.
    private var following: [Int] = []
    private static let end = -1
    private static let noCategory: Int32 = -1

    /// Empty buffers.
    public init() {}

    /// Chooses `k` of the candidates and leaves them in ``results``.
    ///
    /// - Parameters:
    ///   - candidates: Items with their scores, best first.
    ///   - k: The number of items to choose; all if there are fewer candidates.
    ///   - penalty: At least 0 and finite, in units of the scores; 0 keeps the candidates' own order.
    ///   - categories: The categories of the items.
    /// - Complexity: O(candidates + k * main categories among them); allocates nothing once the buffers are large
    ///   enough.
    public func rerank(_ candidates: [Scored], keeping k: Int, penalty: Double, categories: ItemCategories) {
        precondition(penalty >= 0 && penalty.isFinite, "a penalty of \(penalty)")
        precondition(k >= 0, "k is \(k)")
        queue(candidates, categories)
        results.removeAll(keepingCapacity: true)
        func value(_ queue: Queue) -> Double {
            Double(candidates[queue.next].score) - penalty * Double(queue.chosen)
        }
        while results.count < min(k, candidates.count) {
            var best: Int?
            for place in queues.indices where queues[place].next != Self.end {
                guard let other = best else {
                    best = place
                    continue
                }
                let (own, others) = (value(queues[place]), value(queues[other]))
                if own > others || own == others && queues[place].next < queues[other].next { best = place }
            }
            guard let best else { break }
            results.append(candidates[queues[best].next])
            queues[best].next = following[queues[best].next]
            if best != queueOfCategory[Self.noCategory] { queues[best].chosen += 1 }
        }
    }

    private func queue(_ candidates: [Scored], _ categories: ItemCategories) {
        queues.removeAll(keepingCapacity: true)
        queueOfCategory.removeAll(keepingCapacity: true)
        following.removeAll(keepingCapacity: true)
        for (position, candidate) in candidates.enumerated() {
            following.append(Self.end)
            let category = categories.categories(of: candidate.id).first ?? Self.noCategory
            if let place = queueOfCategory[category] {
                following[queues[place].last] = position
                queues[place].last = position
            } else {
                queueOfCategory[category] = queues.count
                queues.append(Queue(next: position, last: position))
            }
        }
    }
}
