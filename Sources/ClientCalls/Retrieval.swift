/// A retrieval of the next items for a history: the body of `POST /retrieve`.
///
/// Properties that are nil are omitted, so that the service's defaults apply.
public struct RetrievalRequest: Codable, Sendable, Equatable {
    /// Item ids, oldest first; may be empty and may hold unknown ids.
    public var history: [String]
    /// How many items to return.
    public var k: Int?
    /// Ids of items to leave out of the answer.
    public var exclude: [String]?
    /// Whether to leave the items of the history out of the answer.
    public var excludeHistory: Bool?
    /// The items that may be in the answer.
    public var filter: Filter?
    /// The model or alias.
    public var model: String?
    /// The user's id: an alias with several versions answers the same user with the same version.
    public var user: String?
    /// The seed of the noise; the same seed, version and request give the same answer.
    public var seed: UInt64?
    /// The number of reverse steps, from 1 to the model's own number.
    public var steps: Int?
    /// How many starting noises to draw; the service merges their answers.
    public var samples: Int?
    /// The weight of the items' similarity to each other against their relevance, from 0 to 1.
    public var diversity: Double?
    /// The penalty for repeated main categories, at least 0; not together with a diversity.
    ///
    /// Each chosen item of a main category subtracts this much from the score of the next item of that category.
    public var categoryPenalty: Double?
    /// Whether to score every item instead of searching the index.
    public var exact: Bool?
    /// The search effort of the index.
    public var effort: Int?
    /// Whether the answer includes an explanation.
    public var explain: Bool?
    /// Promotions and demotions of items; not together with a diversity or a category penalty, as all rules.
    public var boosts: [Boost]?
    /// Items at fixed positions.
    public var pins: [Pin]?
    /// The most items of a group.
    public var groupBy: GroupLimit?
    /// The lowest score of an item after boosts.
    public var scoreThreshold: Double?
    /// How many items of the list come before this page; 0 for the first page.
    public var offset: Int?
    /// The share of new items.
    public var minNew: NewShare?
    /// The attribute whose values get the shares that they have in the history.
    public var calibrate: Calibration?
    /// The rules that fill the slots of rule-based guidance; nil for those of the model's recipe.
    public var guidance: GuidanceSlots?
    /// The sources whose lists the service merges, instead of a ``model``.
    public var sources: [Source]?
    /// How the lists are merged; only with sources.
    public var fusion: Fusion?

    /// Creates a request for `k` items after a history.
    public init(history: [String], k: Int? = nil) {
        self.history = history
        self.k = k
    }

    private enum CodingKeys: String, CodingKey {
        case history
        case k
        case exclude
        case excludeHistory = "exclude_history"
        case filter
        case model
        case user
        case seed
        case steps
        case samples
        case diversity
        case categoryPenalty = "category_penalty"
        case exact
        case effort = "ef"
        case explain
        case boosts
        case pins
        case groupBy = "group_by"
        case scoreThreshold = "score_threshold"
        case offset
        case minNew = "min_new"
        case calibrate
        case guidance
        case sources
        case fusion
    }
}

/// An item of an answer.
public struct ScoredItem: Codable, Sendable, Equatable {
    /// The item's id in the catalogue.
    public let id: String
    /// The cosine of the user vector and the item, or of two items.
    public let score: Double
    /// The sources that gave the item; nil when one model answered.
    public let sources: [ItemSource]?

    /// Reads an item; the id may be a JSON integer.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if let number = try? values.decode(Int.self, forKey: .id) {
            id = "\(number)"
        } else {
            id = try values.decode(String.self, forKey: .id)
        }
        score = try values.decode(Double.self, forKey: .score)
        sources = try values.decodeIfPresent([ItemSource].self, forKey: .sources)
    }
}

/// The answer to a ``RetrievalRequest``.
public struct RetrievalAnswer: Codable, Sendable, Equatable {
    /// The items, best first; re-ranked items in the order of selection.
    public let items: [ScoredItem]
    /// The model that answered.
    public let model: String
    /// Its version.
    public let version: Int
    /// The sources of the items with their versions; nil when one model answered.
    public let sources: [SourceReport]?
    /// The request's id in the service's log.
    public let requestID: String
    /// The replacement for a prediction, `popular`, or nil.
    public let fallback: String?
    /// How many history ids are not in the catalogue.
    public let unknownIDs: Int
    /// Whether the answer has fewer than `k` items because no more items qualify.
    public let truncated: Bool
    /// True if a search server of the service did not answer, so that the answer may lack its items; else nil.
    public let partial: Bool?
    /// The explanation of the answer, if requested.
    public let explain: Explanation?

    private enum CodingKeys: String, CodingKey {
        case items
        case model
        case version
        case sources
        case requestID = "request_id"
        case fallback
        case unknownIDs = "unknown_ids"
        case truncated
        case partial
        case explain
    }
}

/// The explanation of an answer.
public struct Explanation: Codable, Sendable, Equatable {
    /// How many items the index examined.
    public struct Candidates: Codable, Sendable, Equatable {
        /// How many coded vectors were scanned.
        public let scanned: Int
        /// How many of these candidates were scored exactly.
        public let rescored: Int
    }

    /// The used seed.
    public let seed: UInt64
    /// The used number of reverse steps.
    public let steps: Int
    /// Whether every item was scored.
    public let exact: Bool
    /// How many items the index examined.
    public let candidates: Candidates
    /// The time of each stage, in microseconds.
    public let microseconds: [String: Double]
    /// The fields of the history's entries that the model ignored; only if some were given.
    public let ignored: [String]?
    /// Why each item is there, in the order of the items; only with rules.
    public let items: [ItemReason]?
}

/// The answer to one request of a batch.
public enum BatchResult: Decodable, Sendable, Equatable {
    /// The request's answer.
    case answer(RetrievalAnswer)
    /// The request's problem.
    case problem(Problem)

    /// Reads an answer or a problem; only a problem has a status.
    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        self =
            keys.contains(.status) ? .problem(try Problem(from: decoder)) : .answer(try RetrievalAnswer(from: decoder))
    }

    private enum CodingKeys: CodingKey {
        case status
    }
}

/// The items most similar to an item.
public struct SimilarAnswer: Codable, Sendable, Equatable {
    /// The items, best first.
    public let items: [ScoredItem]
    /// The model that answered.
    public let model: String
    /// Its version.
    public let version: Int
    /// The request's id in the service's log.
    public let requestID: String
    /// Whether the answer has fewer items than requested.
    public let truncated: Bool
    /// True if a search server of the service did not answer, so that the answer may lack its items; else nil.
    public let partial: Bool?

    private enum CodingKeys: String, CodingKey {
        case items
        case model
        case version
        case requestID = "request_id"
        case truncated
        case partial
    }
}

/// The catalogue's entry of an item.
public struct ItemDescription: Codable, Sendable, Equatable {
    /// The requested id.
    public let id: String
    /// Whether the item is in the catalogue.
    public let known: Bool
    /// The item's title, if it has one.
    public let title: String?
    /// The item's categories.
    public let categories: [String]
    /// The attributes that the item has, by name; nil from a service that has no attributes yet.
    public let attributes: [String: AttributeValue]?
    /// The model of the catalogue.
    public let model: String
    /// The version of that model.
    public let version: Int
}
