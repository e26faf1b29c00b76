import Kernels

/// One attempt to fill the positions of a list from the items that were read.
struct Filling {
    private enum Pick {
        case found(Int)
        /// No item that was read or is unread meets the condition.
        case none
        /// An unread item may come first.
        case unknown
    }

    private let rules: PreparedRules
    private let ends: [PositionCondition: Candidate?]
    private let pinned: [Int32: Candidate]
    /// The items in the order of the list, without pinned ones.
    private var entries: [Candidate] = []
    /// The first entries, before which no unread item can come; only for an order by changed ranks.
    private var settledByRank: Int?
    private var isTaken: [Bool]
    /// All entries before this one are taken or have no room.
    private var firstOpen = 0
    /// The last entry that was taken, or the first one.
    private var lastTaken = 0
    private var counts: [Int32: Int] = [:]
    private var held: [Int32: Double] = [:]
    private var freshCount = 0
    private var finished: Set<PositionCondition> = []
    /// The chosen items so far.
    private(set) var choices: [RuledList.Choice] = []

    /// An attempt with the items that were read, in the order of their boosted scores.
    init(
        _ rules: PreparedRules,
        _ candidates: [Candidate],
        ends: [PositionCondition: Candidate?],
        pinned: [Int32: Candidate]
    ) {
        self.rules = rules
        self.ends = ends
        self.pinned = pinned
        isTaken = []
        if rules.changesRanks { orderByRank(candidates) } else { entries = candidates }
        isTaken = entries.map { pinned[$0.item] != nil }
        for pin in pinned.keys { occupy(pin) }
    }

    /// Divides each item's rank by its factors.
    private mutating func orderByRank(_ candidates: [Candidate]) {
        let end = ends[.any] ?? nil
        let known = end.map { end in candidates.prefix { !end.precedes($0) } } ?? candidates[...]
        let ranked = known.enumerated().map { (rank: Double($0 + 1) / rules.factor(of: $1.item), candidate: $1) }
        // The sort is stable, so ties keep their order.
        let sorted = ranked.sorted { $0.rank < $1.rank }
        entries = sorted.map(\.candidate)
        let unread = Double(known.count + 1) / rules.largestFactor
        settledByRank = end == nil ? entries.count : sorted.prefix { $0.rank <= unread }.count
    }

    /// Groups without room.
    var closedGroups: [Int32] {
        guard let groups = rules.groups else { return [] }
        return counts.filter { $0.value >= groups.limit }.map(\.key)
    }

    /// How many items before the last chosen one found no room in their groups.
    var crowdedOut: Int { (0..<lastTaken).count { !isTaken[$0] && !hasRoom(entries[$0].item) } }

    /// Fills the first positions; returns a condition of which more items must be read, or nil when it is done.
    mutating func fill(_ count: Int) -> PositionCondition? {
        for position in 1...max(1, count) {
            if let pin = rules.pins[position], let candidate = pinned[pin] {
                place(candidate, .pin)
                continue
            }
            switch next(at: position) {
            case .unknown(let condition): return condition
            case .placed: continue
            case .end:
                for (_, pin) in rules.pins.sorted(by: { $0.key < $1.key }) where choices.count < count {
                    guard let candidate = pinned[pin], !choices.contains(where: { $0.candidate.item == pin })
                    else { continue }
                    place(candidate, .pin)
                }
                return nil
            }
        }
        return nil
    }

    private enum Step {
        case placed
        case end
        case unknown(PositionCondition)
    }

    /// Chooses an item for a position without a pin.
    private mutating func next(at position: Int) -> Step {
        for condition in conditions(at: position) where !finished.contains(condition) {
            switch pick(condition) {
            case .unknown: return .unknown(condition)
            case .none: finished.insert(condition)
            case .found(let entry):
                isTaken[entry] = true
                lastTaken = max(lastTaken, entry)
                occupy(entries[entry].item)
                place(entries[entry], condition.isFresh ? .fresh : condition.group.map { .group($0) } ?? .score)
                return .placed
            }
        }
        return .end
    }

    /// What the item at a position should be, most wanted first.
    private func conditions(at position: Int) -> [PositionCondition] {
        let lagging = rules.shares.enumerated()
            .map { place, entry in
                let lack = entry.share * Double(position) - held[entry.group, default: 0]
                return (place: place, group: entry.group, lack: PreparedRules.comparable(lack))
            }
            .sorted { ($1.lack, $0.place) < ($0.lack, $1.place) }
            .map { PositionCondition(group: $0.group) }
        let usual = lagging + [.any]
        guard freshCount < rules.freshItems(among: position) else { return usual }
        return usual.map { PositionCondition(isFresh: true, group: $0.group) } + usual
    }

    private mutating func pick(_ condition: PositionCondition) -> Pick {
        while firstOpen < entries.count, isTaken[firstOpen] || !hasRoom(entries[firstOpen].item) { firstOpen += 1 }
        let entry = (firstOpen..<entries.count).first { entry in
            !isTaken[entry] && meets(entries[entry].item, condition) && hasRoom(entries[entry].item)
        }
        if let settledByRank {
            guard let entry, entry < settledByRank else { return isWhole(.any) ? .none : .unknown }
            return .found(entry)
        }
        guard let entry else { return isWhole(.any) || isWhole(condition) ? .none : .unknown }
        return isBeforeEnd(entries[entry], .any) || isBeforeEnd(entries[entry], condition) ? .found(entry) : .unknown
    }

    /// Whether all items that meet a condition were read.
    private func isWhole(_ condition: PositionCondition) -> Bool {
        if case .some(.none) = ends[condition] { true } else { false }
    }

    /// Whether no unread item that meets a condition comes before an item.
    private func isBeforeEnd(_ candidate: Candidate, _ condition: PositionCondition) -> Bool {
        switch ends[condition] {
        case nil: false
        case .some(.none): true
        case .some(.some(let end)): !end.precedes(candidate)
        }
    }

    private func meets(_ item: Int32, _ condition: PositionCondition) -> Bool {
        if condition.isFresh, rules.fresh?.items.contains(item) != true { return false }
        guard let group = condition.group else { return true }
        return rules.calibrated?.groups(of: item).contains(group) == true
    }

    private func hasRoom(_ item: Int32) -> Bool {
        guard let groups = rules.groups else { return true }
        return groups.column.groups(of: item).allSatisfy { counts[$0, default: 0] < groups.limit }
    }

    /// Takes room in the groups of an item.
    private mutating func occupy(_ item: Int32) {
        guard let groups = rules.groups else { return }
        for group in groups.column.groups(of: item) { counts[group, default: 0] += 1 }
    }

    private mutating func place(_ candidate: Candidate, _ reason: RuledList.Choice.Reason) {
        choices.append(RuledList.Choice(candidate: candidate, reason: reason))
        if rules.fresh?.items.contains(candidate.item) == true { freshCount += 1 }
        guard let groups = rules.calibrated?.groups(of: candidate.item) else { return }
        for group in groups { held[group, default: 0] += 1 / Double(groups.count) }
    }
}
