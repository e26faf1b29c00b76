/// The rules of an answer besides the filter: boosts, pins, limits for groups, shares and pages.
///
/// The rules apply in this order, after the filter and after the scores of all sources are final:
/// 1. **Boosts** that add to the score order the items anew, ties by the score before. Then boosts by rank divide each
///    item's rank.
/// 2. The **threshold** drops items whose boosted score is lower.
/// 3. The answer is filled from its first position on. A **pin** takes its position. Any other position goes to the best
///    item that is left and whose groups have room. If new items lag behind their share, or a category lags behind its
///    share, the best such item comes first.
/// 4. The **page** is cut out of this list.
///
/// The list does not depend on the page, so all pages of a request together are one long answer.
public struct RetrievalRules: Sendable, Equatable {
    /// Promotes or demotes the items that pass a filter.
    public struct Boost: Sendable, Equatable {
        /// The effect of a boost.
        public enum Effect: Sendable, Equatable {
            /// Adds to the score; a negative amount demotes.
            case add(Float)
            /// Divides the rank; a factor below 1 demotes.
            case rankFactor(Double)
        }

        /// The items.
        public var filter: ItemFilter
        /// The effect on them.
        public var effect: Effect

        /// A boost of the items that pass a filter.
        public init(_ filter: ItemFilter, _ effect: Effect) {
            self.filter = filter
            self.effect = effect
        }
    }

    /// Puts an item at a position.
    ///
    /// An item that is not in service, does not pass the filter or is excluded is not pinned. A pin needs no score, and
    /// takes room in its groups before all other items.
    public struct Pin: Sendable, Equatable {
        /// The item's id.
        public var id: String
        /// The position in the whole list, from 1.
        public var position: Int

        /// A pin.
        public init(_ id: String, at position: Int) {
            self.id = id
            self.position = position
        }
    }

    /// The most items with the same value of an attribute.
    public struct GroupLimit: Sendable, Equatable {
        /// An attribute of texts, or `categories`.
        ///
        /// An item without a value is in no group. An item with several values needs room in each of their groups.
        public var key: String
        /// The most items of a group.
        public var limit: Int

        /// A limit for groups.
        public init(_ key: String, limit: Int) {
            self.key = key
            self.limit = limit
        }
    }

    /// A share of items that are new.
    ///
    /// The first `p` positions hold at least `share * p` new items, rounded down, while there are any.
    public struct NewShare: Sendable, Equatable {
        /// An attribute of times.
        public var key: String
        /// The share, from 0 to 1.
        public var share: Double
        /// Items with this time or a later one are new: a time in ISO 8601, or seconds since 1970.
        public var since: ItemFilter.Value

        /// A share of new items.
        public init(_ key: String, share: Double, since: ItemFilter.Value) {
            self.key = key
            self.share = share
            self.since = since
        }
    }

    /// Promotions and demotions, in order.
    public var boosts: [Boost] = []
    /// Items at fixed positions.
    public var pins: [Pin] = []
    /// The most items of a group; nil is no limit.
    public var groupLimit: GroupLimit?
    /// The lowest score after boosts; nil is none.
    public var scoreThreshold: Float?
    /// How many items of the list come before the answer; nil is no paging, which costs less than 0.
    public var offset: Int?
    /// The share of new items; nil is none.
    public var newShare: NewShare?
    /// The attribute of texts whose values get the shares that they have in the history; nil for none.
    public var calibration: String?

    /// No rules.
    public init() {}

    /// Whether there are no rules.
    public var isEmpty: Bool {
        boosts.isEmpty && pins.isEmpty && groupLimit == nil && scoreThreshold == nil && offset == nil && newShare == nil
            && calibration == nil
    }

    /// How many sets of items the filters of its boosts combine.
    var weight: Int { boosts.reduce(0) { $0 + $1.filter.weight } }

    /// Whether boosts add to scores, which takes one search for each combination of them.
    var addsToScores: Bool { boosts.contains { !$0.effect.isByRank } }

    /// Whether the number of candidates that it needs is not known in advance.
    var isSelective: Bool {
        groupLimit != nil || newShare != nil || calibration != nil || boosts.contains { $0.effect.isByRank }
    }
}

extension RetrievalRules.Boost.Effect {
    fileprivate var isByRank: Bool { if case .rankFactor = self { true } else { false } }
}

extension RetrievalRules {
    /// The bounds of rules.
    public enum Limits {
        /// The most boosts.
        public static let boosts = 8
        /// The most pins.
        public static let pins = 100
        /// The amounts that a boost may add.
        public static let amounts = -1_000_000.0...1_000_000.0
        /// The factors by which a boost may divide a rank.
        public static let rankFactors = 0.01...100.0
        /// The thresholds of scores.
        public static let thresholds = -1_000_000.0...1_000_000.0
        /// The shares of new items.
        public static let shares = 0.0...1.0
    }

    /// Checks everything that does not depend on the version that answers.
    ///
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)`` with a path such as `pins/1/position`.
    func validate(k: Int, isReranked: Bool, within limits: RetrievalLimits) throws(RetrievalError) {
        func require<Number: Comparable>(
            _ field: String,
            _ number: Number,
            in range: ClosedRange<Number>,
            _ requirement: String
        ) throws(RetrievalError) {
            guard range.contains(number) else { throw .invalidArgument(field: field, message: requirement) }
        }
        guard !isReranked || isEmpty else {
            let message = "cannot be combined with rules; 'group_by' and 'calibrate' spread an answer too."
            throw .invalidArgument(field: "diversity", message: message)
        }
        if let offset {
            let range = 0...max(0, limits.maxK - k)
            let message = range.requirement(got: offset) + " 'offset' and 'k' together reach at most \(limits.maxK)."
            try require("offset", offset, in: range, message)
        }
        var (positions, ids) = (Set<Int>(), Set<[UInt8]>())
        for (place, pin) in pins.enumerated() {
            let range = limits.k
            try require("pins/\(place)/position", pin.position, in: range, range.requirement(got: pin.position))
            guard positions.insert(pin.position).inserted else {
                throw .invalidArgument(field: "pins/\(place)/position", message: "has a pin already.")
            }
            guard ids.insert(Array(pin.id.utf8)).inserted else {
                throw .invalidArgument(field: "pins/\(place)/id", message: "is pinned already.")
            }
        }
        if let groupLimit {
            try require("group_by/limit", groupLimit.limit, in: limits.k, limits.k.requirement(got: groupLimit.limit))
        }
    }
}
