public import CheckpointStore
public import Kernels
public import Recommenders

/// One question: which items come next for this history.
///
/// Reused by an event loop: ``reset()`` restores the defaults and keeps the storage.
public struct RetrievalRequest: Sendable, Equatable {
    /// Item ids, oldest first; may be empty and may hold unknown ids.
    public var history = IdentifierList()
    /// The facts that the entries of the history give besides their ids.
    public var context = HistoryContext()
    /// Item ids that the answer must not contain.
    public var exclude = IdentifierList()
    /// Which categories the answer may contain.
    public var filter = CategoryFilter()
    /// Further conditions that every item of the answer meets; nil lets every item pass.
    public var conditions: ItemFilter?
    /// Boosts, pins, limits for groups, shares and pages.
    public var rules = RetrievalRules()
    /// The rules that fill the slots of rule-based guidance; nil for those of the recipe.
    public var guidance: GuidanceSlots?
    /// How many items to answer.
    public var k = 50
    /// Whether the answer must not contain items of the history.
    public var excludeHistory = true
    /// The model or alias to ask; nil is the default one.
    public var model: String?
    /// The sources whose lists are merged, instead of a ``model``; nil asks one model, or the sources of an alias.
    public var sources: SourceBlend?
    /// The version of the model to ask, which must be in service; nil follows the model's route.
    public var version: Int?
    /// The user, who stays on one version of a split; nil uses the history instead.
    public var user: String?
    /// Seed of the noise; nil derives it from the history.
    public var seed: UInt64?
    /// Reverse steps, 1 to the model's `T`; nil is the number of its recipe, or `T`.
    public var steps: Int?
    /// How many starting noises are drawn; the answer merges their results.
    public var samples = 1
    /// How much the similarity of items to each other counts against their relevance, 0 to 1; see
    /// ``MaximalMarginalRelevance``.
    public var diversity = 0.0
    /// How much each chosen item lowers the score of the next item of its main category; see ``CategoryPenalty``.
    ///
    /// At least 0. It cannot be combined with a ``diversity``.
    public var categoryPenalty = 0.0
    /// Whether to look at every item instead of using the index.
    public var exact = false
    /// The index's search effort; nil is the index's default.
    public var effort: Int?
    /// Whether the answer reports the duration of each stage.
    public var explain = false
    /// Whether the answer writes ids that are integers as JSON integers.
    public var answersIntegers = false

    /// A request with the defaults and an empty history.
    public init() {}

    /// A request for a history.
    public init(history: some Sequence<String>, k: Int = 50) {
        self.history = IdentifierList(history)
        self.k = k
    }

    /// Whether the request restricts the items of its answer.
    var isFiltered: Bool { !filter.isEmpty || conditions != nil }

    /// Whether re-ranking chooses the answer from a longer list of candidates.
    var isReranked: Bool { diversity > 0 || categoryPenalty > 0 }

    /// Restores the defaults and keeps the storage of the lists.
    public mutating func reset() {
        history.removeAll()
        context = []
        exclude.removeAll()
        filter.removeAll()
        conditions = nil
        rules = RetrievalRules()
        guidance = nil
        k = 50
        excludeHistory = true
        model = nil
        sources = nil
        version = nil
        user = nil
        seed = nil
        steps = nil
        samples = 1
        diversity = 0
        categoryPenalty = 0
        exact = false
        effort = nil
        explain = false
        answersIntegers = false
    }
}

/// The facts that the entries of a history give besides their ids.
///
/// Every system here reads the order of the history and no times, weights or events. So an answer ignores them, and its
/// explanation says so.
public struct HistoryContext: OptionSet, Sendable {
    /// One bit for each kind.
    public let rawValue: Int

    /// Kinds by their bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// When an interaction happened.
    public static let times = HistoryContext(rawValue: 1)
    /// How much an interaction counts.
    public static let weights = HistoryContext(rawValue: 2)
    /// The kind of an interaction.
    public static let events = HistoryContext(rawValue: 4)
}

/// The answer to one request, with the snapshot that gave it.
public struct RetrievalResponse: Sendable {
    /// The snapshot that answered; it names the model and version.
    public let snapshot: ServingSnapshot
    /// Item numbers with scores, best first; re-ranked ones in the order in which they were chosen.
    ///
    /// A score is the cosine of user vector and item if both have length one, as in DimeRec. With raw vectors it is
    /// their inner product divided by the length of the longest item. A system without item vectors gives its own
    /// scores. A fallback gives 0.
    public let items: [Scored]
    /// The source of the items if they are no prediction, else nil.
    public let fallback: Fallback?
    /// How many ids of the history are not in the catalogue.
    public let unknownIDs: Int
    /// Why each item is in the answer, in order; only with rules and `explain`, else empty.
    public let reasons: [ItemReason]
    /// The effects of the rules; nil without rules.
    public let effects: RuleEffects?
    /// Whether fewer than `k` items could be found.
    public let truncated: Bool
    /// Whether a part of the catalogue did not answer, so that the answer may lack its items.
    public let isPartial: Bool
    /// The seed that was used.
    public let seed: UInt64
    /// The number of reverse steps that were used.
    public let steps: Int
    /// How many items the index looked at.
    public let candidates: SearchedCandidates
    /// Why every eligible item was scored; nil when the index searched, or always scores all items.
    public let exactReason: ExactSearchReason?
    /// How long the stages took; the caller fills in parsing and encoding.
    public var times: StageTimes
    /// The sources of the items; nil when one model answered.
    public var fused: FusedSources?
}

/// How many items an index looked at for one request, over all samples and all searches that its rules need.
public struct SearchedCandidates: Sendable, Equatable {
    /// Coded vectors that were scanned; 0 when every eligible item was scored exactly.
    public var scanned = 0
    /// Scanned candidates that were then scored exactly.
    public var rescored = 0

    /// None.
    public init() {}
}

/// Why a search scored every eligible item instead of using the index.
public enum ExactSearchReason: String, Sendable, CaseIterable {
    /// The request says `exact`.
    case request
    /// The filter leaves so few items that scoring them costs less.
    case filter
    /// `ef` reaches all partitions.
    case effort
}

/// The source of an answer without a prediction.
public enum Fallback: String, Sendable {
    /// The checkpoint's popularity list.
    case popular
}

/// Why a request has no answer.
public enum RetrievalError: Error, Equatable, CustomStringConvertible {
    /// No snapshot has been published yet.
    case notReady
    /// The store lacks a model that the service was told to serve.
    case modelsAbsent(AbsentModels)
    /// A field's value is out of its range.
    case invalidArgument(field: String, message: String)
    /// The request names a model or alias that is not served.
    case modelNotServed(String, served: [String])
    /// A source of the request is a model or alias that is not served.
    case sourceNotServed(String, position: Int, served: [String])
    /// The request names a version that answers no requests.
    case versionNotServed(model: String, version: Int)
    /// Several models are served and the request names none.
    case modelNotNamed(served: [String])
    /// The deadline passed before this request was computed.
    case deadlineExceeded
    /// The servers of SEARCH did not answer.
    case searchUnavailable
    /// The model computed NaN or infinity; the probe of the snapshot should have caught it.
    case nonFiniteUserVector(model: String, version: Int)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .notReady:
            "No model has been loaded yet; ask again shortly."
        case .modelsAbsent(let absent):
            absent.description
        case .invalidArgument(let field, let message):
            "'\(field)' \(message)"
        case .modelNotServed(let name, let served):
            "Model '\(name)' is not served here; name one of \(served.joined(separator: ", "))."
        case .sourceNotServed(let name, _, let served):
            "Model '\(name)' is not served here; name one of \(served.joined(separator: ", "))."
        case .versionNotServed(let model, let version):
            "Version \(version) of model '\(model)' is not in service; leave the version out, or activate it."
        case .modelNotNamed(let served):
            "Several models are served; name one of \(served.joined(separator: ", "))."
        case .deadlineExceeded:
            "The deadline passed before this request was computed; send fewer at once, or allow more time."
        case .searchUnavailable:
            "The search servers did not all answer; ask again shortly."
        case .nonFiniteUserVector(let model, let version):
            "Model '\(model)' version \(version) computed a user vector that is not finite; activate another version."
        }
    }
}
