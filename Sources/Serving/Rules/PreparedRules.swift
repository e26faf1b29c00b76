import CheckpointStore
import Kernels

/// The rules of a request, resolved to the items of a snapshot.
///
/// An object, because copies of its columns and sets would cost more than most of its uses.
final class PreparedRules {
    /// A boost's items and its effect on them: an amount that is added, and a factor that divides the rank.
    struct Boost {
        let items: ItemSet
        let amount: Float
        let factor: Double
    }

    let boosts: [Boost]
    /// The pinned items that may be answered, by position.
    let pins: [Int: Int32]
    /// The items of the groups that have a limit, and the limit.
    let groups: (column: TextColumn, limit: Int)?
    /// The new items, and their share.
    let fresh: (items: ItemSet, share: Double)?
    /// The attribute whose values have shares.
    let calibrated: TextColumn?
    /// The largest shares of its values in the history, largest first.
    let shares: [(group: Int32, share: Double)]
    let threshold: Float
    /// The most that boosts add to an item.
    let largestAmount: Float
    /// The product of all factors above 1.
    let largestFactor: Double
    /// Whether boosts change ranks.
    let changesRanks: Bool

    /// Resolves rules.
    ///
    /// - Parameters:
    ///   - rules: The rules.
    ///   - snapshot: The snapshot that answers.
    ///   - history: The items of the history.
    ///   - isEligible: Whether an item may be answered.
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)`` for a filter or an attribute that does not suit.
    init(
        _ rules: RetrievalRules,
        in snapshot: ServingSnapshot,
        history: [Int32],
        isEligible: (Int32) -> Bool
    ) throws(RetrievalError) {
        let filters = snapshot.filters
        var boosts: [Boost] = []
        for (position, boost) in rules.boosts.enumerated() {
            let items = try filters.items(passing: boost.filter, at: "boosts/\(position)/filter")
            switch boost.effect {
            case .add(let amount): boosts.append(Boost(items: items, amount: amount, factor: 1))
            case .rankFactor(let factor): boosts.append(Boost(items: items, amount: 0, factor: factor))
            }
        }
        self.boosts = boosts
        largestAmount = boosts.reduce(0) { $0 + max(0, $1.amount) }
        largestFactor = boosts.reduce(1) { $0 * max(1, $1.factor) }
        changesRanks = boosts.contains { $0.factor != 1 }
        var pins: [Int: Int32] = [:]
        for pin in rules.pins {
            if let number = snapshot.number(of: pin.id), isEligible(number) { pins[pin.position] = number }
        }
        self.pins = pins
        groups = try rules.groupLimit.map { (limit) throws(RetrievalError) in
            (try filters.texts(of: limit.key, at: "group_by/key"), limit.limit)
        }
        fresh = try rules.newShare.map { (new) throws(RetrievalError) in (try filters.items(of: new), new.share) }
        threshold = rules.scoreThreshold ?? -.infinity
        calibrated = try rules.calibration.map { (key) throws(RetrievalError) in
            try filters.texts(of: key, at: "calibrate/key")
        }
        shares = calibrated.map { Self.shares(of: $0, in: history) } ?? []
    }

    /// Whether an item may have to be new, or have a value that lags behind its share.
    var hasShares: Bool { fresh != nil || !shares.isEmpty }

    /// The amount that boosts add to an item's score.
    func amount(of item: Int32) -> Float {
        boosts.reduce(0) { $1.amount != 0 && $1.items.contains(item) ? $0 + $1.amount : $0 }
    }

    /// The factor by which boosts divide an item's rank.
    func factor(of item: Int32) -> Double {
        boosts.reduce(1) { $1.factor != 1 && $1.items.contains(item) ? $0 * $1.factor : $0 }
    }

    /// How many of the first `count` items are new at least, while there are new ones.
    func freshItems(among count: Int) -> Int {
        // The product may lie a rounding error below a whole number.
        fresh.map { Int(($0.share * Double(count) + 1e-9).rounded(.down)) } ?? 0
    }

    /// A share in billionths, so that equal shares are equal in whatever order their parts were added.
    static func comparable(_ share: Double) -> Double { (share * 1e9).rounded() }

    /// The most values that get shares: each position compares all of them.
    static let mostShares = 64

    /// The largest shares of values in a history, in which an item counts once, divided among its values.
    private static func shares(of column: TextColumn, in history: [Int32]) -> [(group: Int32, share: Double)] {
        var counts: [Int32: Double] = [:]
        var items = 0.0
        for item in history where !column.isEmpty(item) {
            let groups = column.groups(of: item)
            for group in groups { counts[group, default: 0] += 1 / Double(groups.count) }
            items += 1
        }
        let sorted = counts.map { ($0, $1 / items) }
            .sorted { (comparable($1.1), $0.0) < (comparable($0.1), $1.0) }
        return Array(sorted.prefix(mostShares))
    }
}

extension FilterIndex {
    /// The attribute of a key whose values are texts.
    fileprivate func texts(of key: String, at path: String) throws(RetrievalError) -> TextColumn {
        let column = try column(key, at: path)
        guard case .texts(let texts) = column.values else {
            let message =
                "is '\(column.name)' of type \(column.type.rawValue); name a keyword, keywords, or 'categories'."
            throw .invalidArgument(field: path, message: message)
        }
        return texts
    }

    /// The items that are new.
    fileprivate func items(of new: RetrievalRules.NewShare) throws(RetrievalError) -> ItemSet {
        let column = try column(new.key, at: "min_new/key")
        guard column.type == .time else {
            let message = "is '\(column.name)' of type \(column.type.rawValue); name an attribute of type time."
            throw .invalidArgument(field: "min_new/key", message: message)
        }
        let test = ItemFilter.Test.range(lower: ItemFilter.Bound(new.since, isInclusive: true), upper: nil)
        do throws(RetrievalError) {
            return try items(passing: ItemFilter(ItemFilter.Group(must: [.attribute(new.key, test)])))
        } catch {
            guard case .invalidArgument(_, let message) = error else { throw error }
            throw .invalidArgument(field: "min_new/since", message: message)
        }
    }
}
