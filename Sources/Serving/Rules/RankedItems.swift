import Kernels

/// The items that may be answered, best first, as deep as rules need them.
struct RankedItems {
    /// The best `count` items, of all that may be answered or of a set of these; fewer only if there are no more.
    let best: (_ count: Int, _ among: ItemSet?) -> [Scored]
    /// Whether an item has the same score among any set, and ties are ordered by number.
    ///
    /// False for lists that were merged from several sources, and for the popularity list. Rules then read one list
    /// deeper instead of searching among sets.
    let keepsScores: Bool
    /// All items that may be answered, or more; nil for all items.
    let allowed: ItemSet?
    /// A bound of the items' numbers.
    let bound: Int

    /// All items, as a set.
    var everything: ItemSet { allowed ?? ItemSet(bound: bound, full: true) }
}

/// An item with its scores before and after boosts.
struct Candidate {
    let item: Int32
    /// The score before boosts.
    let base: Float
    /// The score after boosts.
    let score: Float
    /// Orders items with equal scores.
    let order: Int32

    /// Whether it comes before another one in the order of the boosted scores.
    func precedes(_ other: Candidate) -> Bool {
        if score != other.score { return score > other.score }
        if base != other.base { return base > other.base }
        return order < other.order
    }
}

/// A condition of an item for a position.
struct PositionCondition: Hashable {
    /// Whether the item must be new.
    var isFresh = false
    /// A value that the calibrated attribute must have.
    var group: Int32?

    /// Every item.
    static let any = PositionCondition()
}

/// The best items of one set, as far as they were read.
struct CandidateStream {
    /// All items of the set are in the list, or come after ``end``.
    let condition: PositionCondition
    /// The set; nil for all items.
    var items: ItemSet?
    /// The amount that boosts add to each of its items; the largest one if the amounts differ.
    let amount: Float
    /// How many items were asked for.
    private(set) var depth = 0
    /// All items that were read so far.
    private(set) var read: [Scored] = []
    /// Whether the list was read several times, so that items repeat.
    private(set) var wasDeepened = false
    /// The items that were not read yet come after this one; nil if there are none.
    private(set) var end: Candidate?

    /// A stream of which nothing was read.
    init(_ condition: PositionCondition, items: ItemSet?, amount: Float) {
        self.condition = condition
        self.items = items
        self.amount = amount
    }

    /// Reads the best `depth` items.
    mutating func read(_ depth: Int, from source: RankedItems, threshold: Float) {
        let found = source.best(min(depth, source.bound), items)
        self.depth = depth
        wasDeepened = !read.isEmpty
        read += found
        end = nil
        guard let last = found.last, found.count >= depth, depth < source.bound else { return }
        let highest = last.score + amount
        guard highest >= threshold else { return }
        if source.keepsScores {
            end = Candidate(item: last.id, base: last.score, score: highest, order: last.id)
        } else if amount > 0 {
            // An item further down may get the whole amount.
            end = Candidate(item: -1, base: .infinity, score: highest, order: -1)
        } else {
            end = Candidate(item: last.id, base: last.score, score: highest, order: Int32(found.count - 1))
        }
    }
}
