import Kernels

/// One attempt to fill the positions of a list from the items that were read.
struct Filling {
    /// How far the items that meet a condition were read.
    private enum End {
        /// Nothing is known.
        case unknown
        /// All of them.
        case whole
        /// Up to this one.
        case after(Candidate)

        init(_ end: Candidate??) {
            switch end {
            case nil: self = .unknown
            case .some(nil): self = .whole
            case .some(let last?): self = .after(last)
            }
        }

        /// Whether no unread item comes before an item.
        func follows(_ candidate: Candidate) -> Bool {
            switch self {
            case .unknown: false
            case .whole: true
            case .after(let end): !end.precedes(candidate)
            }
        }

        var isWhole: Bool { if case .whole = self { true } else { false } }
    }

    private enum Pick {
        case found(Int)
        /// No item that was read or is unread meets the condition.
        case none
        /// An unread item may come first.
        case unknown
    }

    private let rules: PreparedRules
    private let ends: [PositionCondition: Candidate?]
    /// The end of all items, and the end that a condition without an entry has.
    private let endOfAll: End
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
    /// The room in the groups of the entries, and then of the pinned items; nil without a limit.
    private var rooms: GroupRooms?
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
        endOfAll = End(ends[.any])
        self.pinned = pinned
        isTaken = []
        if rules.changesRanks { orderByRank(candidates) } else { entries = candidates }
        isTaken = entries.map { pinned[$0.item] != nil }
        guard let groups = rules.groups else { return }
        rooms = GroupRooms(entries.count + pinned.count, by: groups.column, limit: groups.limit)
        for (place, pin) in pinned.keys.enumerated() { rooms?.occupy(pin, at: entries.count + place) }
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
    var closedGroups: [Int32] { rooms?.full ?? [] }

    /// How many items before the last chosen one found no room in their groups.
    mutating func crowdedOut() -> Int { (0..<lastTaken).reduce(0) { !isTaken[$1] && !hasRoom($1) ? $0 + 1 : $0 } }

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
        // Most rules want nothing but the best item.
        guard rules.hasShares else { return next(.any) ?? .end }
        for condition in conditions(at: position) {
            if let step = next(condition) { return step }
        }
        return .end
    }

    /// Chooses the best item that meets a condition; nil if there is none.
    private mutating func next(_ condition: PositionCondition) -> Step? {
        guard !finished.contains(condition) else { return nil }
        switch pick(condition) {
        case .unknown: return .unknown(condition)
        case .none:
            finished.insert(condition)
            return nil
        case .found(let entry):
            isTaken[entry] = true
            lastTaken = max(lastTaken, entry)
            rooms?.occupy(entries[entry].item, at: entry)
            place(entries[entry], condition.isFresh ? .fresh : condition.group.map { .group($0) } ?? .score)
            return .placed
        }
    }

    /// The conditions that the item at a position should meet, the most wanted first.
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
        while firstOpen < entries.count, isTaken[firstOpen] || !hasRoom(firstOpen) { firstOpen += 1 }
        var entry = firstOpen
        while entry < entries.count,
            isTaken[entry] || !meets(entries[entry].item, condition)
                || entry > firstOpen && !hasRoom(entry)
        {
            entry += 1
        }
        let isFound = entry < entries.count
        if let settledByRank {
            guard isFound, entry < settledByRank else { return endOfAll.isWhole ? .none : .unknown }
            return .found(entry)
        }
        guard isFound else { return endOfAll.isWhole || end(of: condition).isWhole ? .none : .unknown }
        let candidate = entries[entry]
        return endOfAll.follows(candidate) || end(of: condition).follows(candidate) ? .found(entry) : .unknown
    }

    private func end(of condition: PositionCondition) -> End { condition == .any ? endOfAll : End(ends[condition]) }

    private func meets(_ item: Int32, _ condition: PositionCondition) -> Bool {
        if condition == .any { return true }
        if condition.isFresh, rules.fresh?.items.contains(item) != true { return false }
        guard let group = condition.group else { return true }
        return rules.calibrated?.groups(of: item).contains(group) == true
    }

    private mutating func hasRoom(_ entry: Int) -> Bool {
        rooms?.isOpen(to: entries[entry].item, at: entry) ?? true
    }

    private mutating func place(_ candidate: Candidate, _ reason: RuledList.Choice.Reason) {
        choices.append(RuledList.Choice(candidate: candidate, reason: reason))
        if rules.fresh?.items.contains(candidate.item) == true { freshCount += 1 }
        guard let groups = rules.calibrated?.groups(of: candidate.item) else { return }
        for group in groups { held[group, default: 0] += 1 / Double(groups.count) }
    }
}
