/// A kind of rule that a request can have, by its field.
public enum RuleKind: String, Sendable, CaseIterable {
    /// Promotions and demotions.
    case boosts
    /// Items at positions.
    case pins
    /// A limit for groups.
    case groupLimit = "group_by"
    /// A lowest score.
    case scoreThreshold = "score_threshold"
    /// A page.
    case offset
    /// A share of new items.
    case newShare = "min_new"
    /// Shares as in the history.
    case calibration = "calibrate"
    /// Rules for the slots of the guidance.
    case guidance
}

extension RetrievalRequest {
    /// The kinds of rules that the request has.
    public var ruleKinds: [RuleKind] {
        if rules.isEmpty, guidance == nil { return [] }
        return RuleKind.allCases.filter { kind in
            switch kind {
            case .boosts: !rules.boosts.isEmpty
            case .pins: !rules.pins.isEmpty
            case .groupLimit: rules.groupLimit != nil
            case .scoreThreshold: rules.scoreThreshold != nil
            case .offset: rules.offset != nil
            case .newShare: rules.newShare != nil
            case .calibration: rules.calibration != nil
            case .guidance: guidance != nil
            }
        }
    }
}

/// How many items of an answer the rules placed, and how many they kept out.
public struct RuleEffects: Sendable, Equatable {
    /// The effect of a rule on an item.
    public enum Effect: String, Sendable, CaseIterable {
        /// A pin gave it its place.
        case pinned
        /// The share of new items gave it its place.
        case new
        /// The share of a value gave it its place.
        case shared
        /// A full group kept it out of the list up to the end of the page, though its rank was high enough.
        case crowdedOut = "crowded_out"
    }

    private var counts = [Int](repeating: 0, count: Effect.allCases.count)

    /// None.
    init() {}

    /// How many items a rule did this to.
    public subscript(effect: Effect) -> Int {
        get { counts[effect.position] }
        set { counts[effect.position] = newValue }
    }
}

extension CaseIterable where Self: Equatable {
    /// The place among all cases.
    package var position: Int { Self.allCases.prefix { $0 != self }.count }
}
