import Kernels
import Recommenders
import VectorIndex

/// A slot of rule-based guidance, for explanations.
public struct FilledSlot: Sendable, Equatable {
    /// The rule that chose the item of a slot.
    public enum Rule: String, Sendable, CaseIterable {
        /// A promising item that users rarely see.
        case exploring
        /// A popular item of the catalogue.
        case popular
        /// A popular item of the history.
        case historyPopular = "history_popular"
        /// One of the newest items of the history.
        case newest
    }

    /// The rule.
    public let rule: Rule
    /// The item; nil for an empty slot.
    public let item: Int32?
}

/// Fills the slots of rule-based guidance with items of a snapshot.
extension ServingSnapshot {
    /// The items that ``guidanceItems(_:after:seed:)`` puts into the slots, with their rules; empty for other guidance.
    func filledSlots(_ asked: GuidanceSlots?, after history: ArraySlice<Int32>, seed: UInt64) -> [FilledSlot] {
        let slots = encoder.guidanceSlots
        guard slots > 0 else { return [] }
        let (rules, items) = (asked ?? encoder.defaultSlots, guidanceItems(asked, after: history, seed: seed))
        guard !items.isEmpty else {
            let last = history.suffix(slots)
            let empty = [FilledSlot](repeating: FilledSlot(rule: .newest, item: nil), count: slots - last.count)
            return empty + last.map { FilledSlot(rule: .newest, item: $0) }
        }
        let counts: [(FilledSlot.Rule, Int)] = [
            (.exploring, rules.exploring), (.popular, rules.popular), (.historyPopular, rules.historyPopular),
            (.newest, slots - rules.count),
        ]
        let names = counts.flatMap { rule, count in [FilledSlot.Rule](repeating: rule, count: count) }
        return zip(names, items).map { FilledSlot(rule: $0, item: $1 == Self.empty ? nil : $1) }
    }

    /// How many items are compared for a slot of exploration.
    private static let explored = 64
    /// A slot without an item.
    private static let empty: Int32 = -1

    /// The items of the guidance's slots.
    ///
    /// - Parameters:
    ///   - asked: The request's rules; nil for the rules of the recipe.
    ///   - history: Built items, oldest first, not empty.
    ///   - seed: The request's seed, which decides the items to explore.
    /// - Returns: An item for each slot, first to last, -1 for an empty slot; none for the newest items of the history.
    /// - Complexity: O(h log h) for `h` items of history, O(passed over items) for popular ones, and O(64 d) for each
    ///   slot of exploration.
    func guidanceItems(_ asked: GuidanceSlots?, after history: ArraySlice<Int32>, seed: UInt64) -> [Int32] {
        let rules = asked ?? encoder.defaultSlots
        // Shadow traffic may reach a version with fewer slots than the one that answers.
        guard rules.count > 0, rules.count <= encoder.guidanceSlots, let newest = history.last else { return [] }
        let known = Set(history)
        let explored = promising(rules.exploring, near: newest, but: known, seed: seed)
        let popular = popularity.lazy.filter { self.isInService($0) && !known.contains($0) }.prefix(rules.popular)
        let favourites = known.sorted { popularityRank(of: $0) < popularityRank(of: $1) }.prefix(rules.historyPopular)
        let last = history.suffix(encoder.guidanceSlots - rules.count)
        func filled(_ items: some Collection<Int32>, to count: Int) -> [Int32] {
            [Int32](repeating: Self.empty, count: count - items.count) + items
        }
        return filled(explored, to: rules.exploring) + filled(Array(popular), to: rules.popular)
            + filled(favourites, to: rules.historyPopular) + filled(last, to: encoder.guidanceSlots - rules.count)
    }

    /// For each slot, the item nearest to another one among some of the less popular half, drawn at random.
    private func promising(_ count: Int, near item: Int32, but known: Set<Int32>, seed: UInt64) -> [Int32] {
        let tail = popularity.suffix(popularity.count / 2)
        guard count > 0, !tail.isEmpty else { return [] }
        let generator = CounterBasedGenerator(seed: seed, purpose: .exploration)
        let vector = itemVectors.row(Int(item))
        var chosen: [Int32] = []
        var scores: [Float] = []
        for slot in 0..<count {
            let rows = generator.integers(below: tail.count, stream: UInt64(slot), count: Self.explored)
                .map { tail[tail.startIndex + Int($0)] }
                .filter { isInService($0) && !known.contains($0) && !chosen.contains($0) }
            itemVectors.scores(of: vector.span, atRows: rows, into: &scores)
            guard let best = rows.indices.max(by: { scores[$0] < scores[$1] }) else { continue }
            chosen.append(rows[best])
        }
        return chosen
    }

    private func isInService(_ item: Int32) -> Bool { live?.index.contains(item) != false }

    /// The place of an item in the popularity list, then its number.
    private func popularityRank(of item: Int32) -> Int {
        popularityRanks.indices.contains(Int(item)) ? Int(popularityRanks[Int(item)]) : .max
    }
}

extension GuidanceSlots {
    /// Checks the rules of a request against the version that answers.
    ///
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)``.
    func check(for snapshot: ServingSnapshot) throws(RetrievalError) {
        let slots = snapshot.encoder.guidanceSlots
        let version = "version \(snapshot.version) of '\(snapshot.model)'"
        guard slots > 0 else {
            let message =
                "needs a model with rule-based guidance, and \(version) has none; leave it out, or train a recipe with "
                + "model.guidance.kind 'rule-based'."
            throw .invalidArgument(field: "guidance", message: message)
        }
        guard count <= slots else {
            let message = "fills \(count) slots, but \(version) has \(slots); fill at most as many."
            throw .invalidArgument(field: "guidance", message: message)
        }
    }
}
