public import Kernels

/// Re-ranks a search's candidates so that the answer does not repeat itself.
///
/// Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): each step adds the candidate `i` with the largest
/// value to the answer:
///
/// `(1 - d) * relevance(i) - d * max over j in the answer of similarity(i, j)`
///
/// Here `d` is the diversity, and the relevance is the candidate's score. The first item is the most relevant one;
/// ties go to the earlier candidate. Similarity is the cosine of the two items' vectors. If both items have
/// categories, it is the mean of the cosine and of Jaccard's index of the categories (shared ones divided by all of
/// both). Vectors alone leave runs of one category in the answer. Categories alone cannot decide once each of them
/// has appeared.
///
/// Owns the buffers of one thread's re-rankings, and the result of the last one.
public final class MaximalMarginalRelevance {
    /// The items that the last re-ranking chose, in that order, with their original scores.
    public private(set) var results: [Scored] = []

    private var panels = CandidatePanels()
    private var overlaps = CategoryOverlaps()

    /// Empty buffers.
    public init() {}

    /// Chooses `k` of the candidates and leaves them in ``results``.
    ///
    /// - Parameters:
    ///   - candidates: Items with their relevance, best first.
    ///   - k: The number of items to choose; all if there are fewer candidates.
    ///   - diversity: `d`, from 0 (the candidates' own order) to 1 (relevance decides only the first item and ties).
    ///   - vectors: Unit vectors, row `i` for item `i`.
    ///   - changes: The live index over `vectors`; its vectors of added and replaced items take precedence.
    ///   - categories: The categories of the items.
    /// - Complexity: O(k * candidates * columns); allocates nothing once the buffers are large enough, unless changed
    ///   items are among the candidates.
    public func rerank(
        _ candidates: [Scored],
        keeping k: Int,
        diversity: Float,
        vectors: Matrix,
        changes: LiveIndex? = nil,
        categories: ItemCategories
    ) {
        precondition(0...1 ~= diversity, "diversity must be from 0 to 1; got \(diversity)")
        precondition(k >= 0, "k is \(k)")
        let items = changes?.bound ?? vectors.rows
        precondition(items == categories.itemCount, "\(items) items, categories of \(categories.itemCount)")
        results.removeAll(keepingCapacity: true)
        let k = min(k, candidates.count)
        if diversity == 0 {
            results.append(contentsOf: candidates.prefix(k))
            return
        }
        var others: [CandidateVector] = []
        if let changes {
            for (position, candidate) in candidates.enumerated() {
                guard let place = changes.place(of: candidate.id) else { continue }
                others.append(CandidateVector(position: position, vectors: place.vectors, row: place.row))
            }
        }
        panels.fill(candidates, from: vectors, except: others)
        overlaps.fill(candidates, padded: panels.paddedCount, categories)
        var position = 0
        while results.count < k {
            results.append(candidates[position])
            overlaps.count(sharedWith: candidates[position].id, categories)
            position = panels.choose(
                position,
                from: vectors,
                diversity: diversity,
                categories: overlaps.categories,
                shared: overlaps.shared
            )
        }
    }
}

/// Counts the categories that candidates share with one of them.
private struct CategoryOverlaps {
    /// The number of categories of each candidate, then padding of zeros.
    private(set) var categories: [Float] = []
    /// The number of categories that each candidate shares with the last counted item.
    private(set) var shared: [Float] = []
    /// The first link of each category's chain of candidates, or `end`.
    private var first: [Int32] = []
    private var links: [(candidate: Int32, category: Int32, next: Int32)] = []
    private let end: Int32 = -1

    mutating func fill(_ candidates: [Scored], padded: Int, _ itemCategories: ItemCategories) {
        // Resets only the categories of the last call: there may be far more categories than candidates.
        for link in links where Int(link.category) < first.count { first[Int(link.category)] = end }
        while first.count < itemCategories.categoryCount { first.append(end) }
        links.removeAll(keepingCapacity: true)
        categories.removeAll(keepingCapacity: true)
        shared.removeAll(keepingCapacity: true)
        for (position, candidate) in candidates.enumerated() {
            let ofItem = itemCategories.categories(of: candidate.id)
            categories.append(Float(ofItem.count))
            for category in ofItem {
                links.append((Int32(position), category, first[Int(category)]))
                first[Int(category)] = Int32(links.count - 1)
            }
        }
        while categories.count < padded { categories.append(0) }
        while shared.count < padded { shared.append(0) }
    }

    /// - Complexity: O(padded + candidates of each of the item's categories).
    mutating func count(sharedWith item: Int32, _ itemCategories: ItemCategories) {
        let ofItem = itemCategories.categories(of: item)
        if ofItem.isEmpty { return }
        for position in shared.indices { shared[position] = 0 }
        for category in ofItem {
            var link = first[Int(category)]
            while link != end {
                shared[Int(links[Int(link)].candidate)] += 1
                link = links[Int(link)].next
            }
        }
    }
}
