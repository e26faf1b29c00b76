import Kernels
import VectorIndex

/// Why an item is in an answer with rules.
public struct ItemReason: Sendable, Equatable {
    /// The reason for the item's position.
    public enum Position: Sendable, Equatable {
        /// Its score, among the items that were left.
        case score
        /// A pin.
        case pin
        /// The share of new items.
        case new
        /// The share of a category, or of another value.
        case share(String)
    }

    /// The score before boosts.
    public let base: Float
    /// The positions of the boosts in the request whose filters the item passes.
    public let boosts: [Int]
    /// The reason for the item's position.
    public let position: Position

    /// Groups the parts.
    public init(base: Float, boosts: [Int], position: Position) {
        self.base = base
        self.boosts = boosts
        self.position = position
    }
}

extension RetrievalService {
    /// Applies the rules of a request to a ranked list.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - source: The items that may be answered.
    ///   - excluded: Items that may not be answered.
    ///   - snapshot: The snapshot that answers.
    /// - Returns: The items of the request's page, the reason for each if the request asks for it, and the effects of
    ///   the rules.
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)``.
    func applyRules(
        of request: borrowing RetrievalRequest,
        to source: RankedItems,
        excluding excluded: [Int32],
        in snapshot: ServingSnapshot
    ) throws(RetrievalError) -> (items: [Scored], reasons: [ItemReason], effects: RuleEffects) {
        var history: [Int32] = []
        if request.rules.calibration != nil {
            var lookup = IdentifierTable.Lookup()
            let oldest = max(0, request.history.count - limits.maxHistory)
            snapshot.identifiers.appendNumbers(of: request.history, from: oldest, to: &history, &lookup)
        }
        let rules = try PreparedRules(request.rules, in: snapshot, history: history) { item in
            source.allowed?.contains(item) != false && !excluded.contains(item)
        }
        var list = RuledList(rules, from: source)
        // A page is cut out of the list of the largest size: an approximate search gives each depth its own list.
        let choices = list.first(request.rules.offset == nil ? request.k : limits.maxK)
            .dropFirst(request.rules.offset ?? 0).prefix(request.k)
        var effects = RuleEffects()
        effects[.crowdedOut] = list.crowdedOut
        for choice in choices {
            switch choice.reason {
            case .score: break
            case .pin: effects[.pinned] += 1
            case .fresh: effects[.new] += 1
            case .group: effects[.shared] += 1
            }
        }
        return (
            choices.map { Scored(id: $0.candidate.item, score: $0.candidate.score) },
            request.explain ? choices.map { rules.reason(of: $0) } : [], effects
        )
    }
}

extension PreparedRules {
    fileprivate func reason(of choice: RuledList.Choice) -> ItemReason {
        let position: ItemReason.Position =
            switch choice.reason {
            case .score: .score
            case .pin: .pin
            case .fresh: .new
            case .group(let group): .share(calibrated?.text(of: group) ?? "")
            }
        let item = choice.candidate.item
        return ItemReason(
            base: choice.candidate.base,
            boosts: boosts.indices.filter { boosts[$0].items.contains(item) },
            position: position
        )
    }
}
