public import Kernels

/// Which prefixes of a sequence are evaluated: the model ranks candidates for the item after each.
public enum EvaluationProtocol: String, Codable, Sendable, CaseIterable {
    /// Every prefix of one item or more.
    case allPrefixes = "all-prefixes"
    /// The first four fifths.
    case nextAfter80 = "next-after-80"
    /// The first 80, 84, 88, 92 and 96 percent; prefixes that coincide count once.
    case fiveCuts = "five-cuts"
    /// All but the last item.
    case lastItem = "last-item"

    /// Lengths of the evaluated prefixes of a sequence of `count` items, ascending, all in `1..<count`.
    ///
    /// Shares are rounded down. A sequence of fewer than two items has none.
    public func cuts(count: Int) -> [Int] {
        guard count > 1 else { return [] }
        switch self {
        case .allPrefixes: return Array(1..<count)
        case .nextAfter80: return [count * 80 / 100].filter { $0 > 0 }
        case .fiveCuts:
            var cuts: [Int] = []
            for percent in [80, 84, 88, 92, 96] where count * percent / 100 > cuts.last ?? 0 {
                cuts.append(count * percent / 100)
            }
            return cuts
        case .lastItem: return [count - 1]
        }
    }

    /// Whether the protocol suits a part: a part with only last items as targets excludes cuts by share.
    public func suits(_ targets: DataPart.Targets) -> Bool {
        switch (targets, self) {
        case (.any, _), (.last, .allPrefixes), (.last, .lastItem): true
        case (.last, .nextAfter80), (.last, .fiveCuts): false
        }
    }

    /// This protocol, or ``lastItem`` where it does not suit the targets.
    public func suited(to targets: DataPart.Targets) -> EvaluationProtocol { suits(targets) ? self : .lastItem }
}

/// The rows of an evaluation: each has a history and a target, the item that came next.
public struct EvaluationRows: Sendable {
    /// The evaluated sequences; unknown items are negative.
    public let sequences: RaggedRows
    private let users: [Int32]
    private let cuts: [Int32]

    /// The rows of a part under a protocol; one row a sequence when only last items are targets.
    ///
    /// Where not every item judges, because it is no target or an earlier version has learnt from it, a row of another
    /// item moves to the next one that does, and with ``EvaluationProtocol/lastItem`` to the last one. Rows that coincide
    /// count once.
    ///
    /// - Precondition: The protocol suits the part's targets.
    public init(_ part: DataPart, protocol: EvaluationProtocol) {
        precondition(`protocol`.suits(part.targets), "\(`protocol`.rawValue) on a part that only asks for last items")
        sequences = part.sequences
        let `protocol` = part.targets == .last ? .lastItem : `protocol`
        var (users, cuts): ([Int32], [Int32]) = ([], [])
        for user in 0..<sequences.count {
            for cut in Self.cuts(part.judgingItems(of: user), of: sequences[user].count, `protocol`) {
                users.append(Int32(user))
                cuts.append(Int32(cut))
            }
        }
        self.users = users
        self.cuts = cuts
    }

    /// The places of the targets of a sequence of `count` items, ascending, among those that judge.
    private static func cuts(_ judging: [Int], of count: Int, _ protocol: EvaluationProtocol) -> [Int] {
        switch `protocol` {
        case .allPrefixes: return judging
        case .lastItem: return judging.suffix(1)
        case .nextAfter80, .fiveCuts:
            var cuts: [Int] = []
            for cut in `protocol`.cuts(count: count) {
                guard let cut = judging.first(where: { $0 >= cut }), cut > cuts.last ?? 0 else { continue }
                cuts.append(cut)
            }
            return cuts
        }
    }

    /// One row for each item from a place of each sequence on; an item without an item before it is no target.
    ///
    /// - Precondition: There is one place a sequence.
    init(_ sequences: RaggedRows, from places: [Int]) {
        precondition(places.count == sequences.count, "\(places.count) places for \(sequences.count) sequences")
        self.sequences = sequences
        var (users, cuts): ([Int32], [Int32]) = ([], [])
        for (user, place) in places.enumerated() {
            for cut in max(1, place)..<max(1, place, sequences[user].count) {
                users.append(Int32(user))
                cuts.append(Int32(cut))
            }
        }
        (self.users, self.cuts) = (users, cuts)
    }

    /// The same rows in the numbers of another catalogue.
    init(_ rows: EvaluationRows, renumbered number: (Int32) -> Int32) {
        sequences = rows.sequences.mapIDs(number)
        (users, cuts) = (rows.users, rows.cuts)
    }

    /// At most `limit` of some rows, evenly spaced.
    ///
    /// - Precondition: `limit` is at least 1.
    public init(_ rows: EvaluationRows, limit: Int) {
        precondition(limit > 0, "a limit of \(limit) rows")
        sequences = rows.sequences
        let kept = min(limit, rows.count)
        let indices = (0..<kept).map { $0 * rows.count / kept }
        users = indices.map { rows.users[$0] }
        cuts = indices.map { rows.cuts[$0] }
    }

    /// How many rows there are; includes rows with an unknown target, which count as misses.
    public var count: Int { users.count }

    /// The sequence of a row.
    public func user(of row: Int) -> Int { Int(users[row]) }

    /// How many items of the sequence are before a row's target, unknown ones included.
    public func cut(of row: Int) -> Int { Int(cuts[row]) }

    /// The last `limit` known items before a row's target, oldest first; empty when none is known.
    public func history(of row: Int, limit: Int) -> [Int32] {
        var history: [Int32] = []
        for item in sequences[user(of: row)].prefix(cut(of: row)).reversed() where item >= 0 {
            if history.count == limit { break }
            history.append(item)
        }
        history.reverse()
        return history
    }

    /// The target of a row; nil when it is unknown, so no ranking can hold it.
    public func target(of row: Int) -> Int32? {
        let target = sequences.ids[sequences.offsets[user(of: row)] + cut(of: row)]
        return target < 0 ? nil : target
    }
}

extension EvaluationRows {
    /// All rows of the validation part, by a recipe's protocol.
    init(validating recipe: Recipe, _ split: DataSplit) {
        let validation = split.validation
        self.init(validation, protocol: recipe.data.evaluation.suited(to: validation.targets))
    }

    /// How many targets are items of their row's history.
    package var repeatedTargets: Int {
        (0..<count).count { row in
            target(of: row).map { sequences[user(of: row)].prefix(cut(of: row)).contains($0) } ?? false
        }
    }

    /// How many targets do not occur in some sequences: nobody can learn them from these.
    package func unseenTargets(in sequences: RaggedRows, items: Int) -> Int {
        var isSeen = [Bool](repeating: false, count: items)
        for item in sequences.ids { isSeen[Int(item)] = true }
        return (0..<count).count { row in target(of: row).map { !isSeen[Int($0)] } ?? true }
    }
}
