import Kernels

/// Chooses the first items of a list by rules.
///
/// It reads some of the best items and fills the positions from the first on. When a choice depends on an item that was
/// not read yet, it reads deeper and starts again: choices are final as soon as no unread item can change them. So the
/// result is the same as from the complete list.
struct RuledList {
    /// A chosen item.
    struct Choice {
        /// Why an item is at its position.
        enum Reason: Equatable {
            /// It was the best that was left.
            case score
            /// It is pinned.
            case pin
            /// New items lagged behind their share.
            case fresh
            /// This value of the calibrated attribute lagged behind its share.
            case group(Int32)
        }

        let candidate: Candidate
        let reason: Reason
    }

    /// How much deeper a stream is read each time.
    private static let deepening = 4

    private let rules: PreparedRules
    private let source: RankedItems
    /// Sets of items to which boosts add the same amount.
    private let classes: [(items: ItemSet?, amount: Float)]
    private var streams: [CandidateStream]
    private var pinned: [Int32: Candidate] = [:]
    /// How many items found no room in their groups, though items behind them are in the list.
    private(set) var crowdedOut = 0

    /// Prepares a choice.
    init(_ rules: PreparedRules, from source: RankedItems) {
        self.rules = rules
        self.source = source
        classes =
            source.keepsScores ? Self.classes(rules.boosts, in: source) : [(items: nil, amount: rules.largestAmount)]
        streams = classes.map { CandidateStream(.any, items: $0.items, amount: $0.amount) }
    }

    /// Divides the items by the boosts that add to their scores.
    private static func classes(
        _ boosts: [PreparedRules.Boost],
        in source: RankedItems
    ) -> [(items: ItemSet?, amount: Float)] {
        let adding = boosts.filter { $0.amount != 0 }
        guard !adding.isEmpty else { return [(nil, 0)] }
        var classes = [(items: source.everything, amount: Float(0))]
        for boost in adding {
            classes = classes.flatMap { part in
                var (inside, outside) = (part, part)
                inside.items.formIntersection(boost.items)
                inside.amount += boost.amount
                outside.items.subtract(boost.items)
                return [inside, outside].filter { $0.items.count > 0 }
            }
        }
        // Without an item that may be answered, one empty stream says that everything was read.
        guard !classes.isEmpty else { return [(items: source.everything, amount: 0)] }
        return classes.map { ($0.items, $0.amount) }
    }

    /// The first items of the list.
    ///
    /// - Parameter count: How many positions to fill.
    /// - Returns: Fewer only if no more items keep the rules.
    mutating func first(_ count: Int) -> [Choice] {
        let start = count + rules.pins.count + (rules.groups == nil ? 0 : count)
        // The product of all factors may be larger than any integer.
        let wanted = (Double(start) * rules.largestFactor).rounded(.up)
        let depth = wanted < Double(source.bound) ? Int(wanted) : source.bound
        for stream in streams.indices { streams[stream].read(depth, from: source, threshold: rules.threshold) }
        readPins()
        while true {
            var filling = Filling(rules, candidates(), ends: ends, pinned: pinned)
            guard let lacking = filling.fill(count) else {
                crowdedOut = filling.crowdedOut()
                return filling.choices
            }
            deepen(lacking, closed: filling.closedGroups, start: start)
        }
    }

    /// Scores the pinned items.
    private mutating func readPins() {
        guard !rules.pins.isEmpty else { return }
        let items = ItemSet(rules.pins.values, bound: source.bound)
        var scores: [Int32: Float] = [:]
        let known = source.keepsScores ? source.best(items.count, items) : streams.flatMap(\.read)
        for entry in known where items.contains(entry.id) { scores[entry.id] = entry.score }
        for item in items {
            let base = scores[item] ?? 0
            pinned[item] = Candidate(item: item, base: base, score: base + rules.amount(of: item), order: item)
        }
    }

    /// All items that were read, in the order of their boosted scores, without those below the threshold.
    private func candidates() -> [Candidate] {
        // A list that was read once repeats nothing.
        var seen = streams.count > 1 || streams[0].wasDeepened ? ItemSet(bound: source.bound) : nil
        var list: [Candidate] = []
        for stream in streams {
            for (position, entry) in stream.read.enumerated() where seen?.contains(entry.id) != true {
                seen?.insert(entry.id)
                let score = entry.score + rules.amount(of: entry.id)
                guard score >= rules.threshold else { continue }
                let order = source.keepsScores ? entry.id : Int32(position)
                list.append(Candidate(item: entry.id, base: entry.score, score: score, order: order))
            }
        }
        list.sort { $0.precedes($1) }
        return list
    }

    /// The last item that was read for each condition; `.some(nil)` if all items were read.
    private var ends: [PositionCondition: Candidate?] {
        var ends: [PositionCondition: Candidate?] = [:]
        for stream in streams {
            switch (ends[stream.condition], stream.end) {
            case (nil, let end): ends[stream.condition] = .some(end)
            case (.some(nil), let end): ends[stream.condition] = .some(end)
            case (.some(let known?), let end?): if end.precedes(known) { ends[stream.condition] = .some(end) }
            case (.some(.some), nil): break
            }
        }
        return ends
    }

    /// Reads more of the items that meet a condition.
    ///
    /// - Parameters:
    ///   - condition: The condition.
    ///   - closed: Groups without room: their items are not read any more.
    ///   - start: How many items to read of a new stream.
    private mutating func deepen(_ condition: PositionCondition, closed: [Int32], start: Int) {
        // Ranks and the lists of sources cover all items, not only those that meet the condition.
        let isWhole = rules.changesRanks || !source.keepsScores
        let condition = isWhole ? .any : condition
        let known = streams.indices.filter { streams[$0].condition == condition }
        guard !known.isEmpty else {
            for part in classes {
                var items = part.items ?? source.everything
                if condition.isFresh, let fresh = rules.fresh { items.formIntersection(fresh.items) }
                if let group = condition.group, let column = rules.calibrated {
                    items.formIntersection(column.items(of: group, bound: source.bound))
                }
                var stream = CandidateStream(condition, items: items, amount: part.amount)
                stream.read(start, from: source, threshold: rules.threshold)
                streams.append(stream)
            }
            return
        }
        for stream in known where streams[stream].end != nil {
            if !isWhole, !closed.isEmpty, let groups = rules.groups {
                var items = streams[stream].items ?? source.everything
                for group in closed { items.subtract(groups.column.items(of: group, bound: source.bound)) }
                streams[stream].items = items
            }
            let depth = streams[stream].depth * Self.deepening
            streams[stream].read(depth, from: source, threshold: rules.threshold)
        }
    }
}
