/// What comes next for a history: the body of `POST /retrieve`.
///
/// Whatever is nil is left out, so that the service's own default counts.
public struct RetrievalRequest: Codable, Sendable, Equatable {
    /// Item ids, oldest first; may be empty and may hold unknown ids.
    public var history: [String]
    /// How many items to answer.
    public var k: Int?
    /// Item ids that must not be answered.
    public var exclude: [String]?
    /// Whether the items of the history must not be answered.
    public var excludeHistory: Bool?
    /// Which categories may be answered.
    public var filter: CategoryFilter?
    /// The model or alias to ask.
    public var model: String?
    /// Who asks: an alias with several versions answers the same user by the same version.
    public var user: String?
    /// Names the noise; the same seed, version and request give the same answer.
    public var seed: UInt64?
    /// Reverse steps, 1 to the model's own number.
    public var steps: Int?
    /// How many starting noises are drawn and their answers merged.
    public var samples: Int?
    /// How much the items' likeness to each other counts against their relevance, 0 to 1.
    public var diversity: Double?
    /// How much each item of a main category that was chosen already takes from the score of the next one of that category,
    /// at least 0; not together with a diversity.
    public var categoryPenalty: Double?
    /// Whether to score every item instead of searching the index.
    public var exact: Bool?
    /// The index's effort.
    public var effort: Int?
    /// Whether the answer explains itself.
    public var explain: Bool?

    /// Asks for `k` items after a history.
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
    }
}

/// Which items may be answered, by their categories.
public struct CategoryFilter: Codable, Sendable, Equatable {
    /// An item needs one of these; empty asks for nothing.
    public var anyOf: [String]
    /// An item must have none of these.
    public var noneOf: [String]

    /// Describes a filter.
    public init(anyOf: [String] = [], noneOf: [String] = []) {
        self.anyOf = anyOf
        self.noneOf = noneOf
    }

    private enum CodingKeys: String, CodingKey {
        case anyOf = "any_of"
        case noneOf = "none_of"
    }
}

/// An answered item.
public struct ScoredItem: Codable, Sendable, Equatable {
    /// The catalogue's id.
    public let id: String
    /// The cosine of the user vector and the item, or of two items.
    public let score: Double

    /// Reads an item, whose id may be a JSON integer.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if let number = try? values.decode(Int.self, forKey: .id) {
            id = "\(number)"
        } else {
            id = try values.decode(String.self, forKey: .id)
        }
        score = try values.decode(Double.self, forKey: .score)
    }
}

/// The answer to a ``RetrievalRequest``.
public struct RetrievalAnswer: Codable, Sendable, Equatable {
    /// Best first; re-ranked ones in the order in which they were chosen.
    public let items: [ScoredItem]
    /// The model that answered.
    public let model: String
    /// Its version.
    public let version: Int
    /// The request's id in the service's log.
    public let requestID: String
    /// What was answered instead of a prediction, `popular`, or nil.
    public let fallback: String?
    /// How many ids of the history are not in the catalogue.
    public let unknownIDs: Int
    /// Whether fewer than `k` items could be answered.
    public let truncated: Bool
    /// How the answer came about, if that was asked.
    public let explain: Explanation?

    private enum CodingKeys: String, CodingKey {
        case items
        case model
        case version
        case requestID = "request_id"
        case fallback
        case unknownIDs = "unknown_ids"
        case truncated
        case explain
    }
}

/// How an answer came about.
public struct Explanation: Codable, Sendable, Equatable {
    /// How many items the index looked at.
    public struct Candidates: Codable, Sendable, Equatable {
        /// Coded vectors that were scanned.
        public let scanned: Int
        /// Candidates of those that were scored exactly.
        public let rescored: Int
    }

    /// The seed that was used.
    public let seed: UInt64
    /// The reverse steps that were used.
    public let steps: Int
    /// Whether every item was scored.
    public let exact: Bool
    /// How many items the index looked at.
    public let candidates: Candidates
    /// Microseconds by stage.
    public let microseconds: [String: Double]
}

/// The answer to one request of a batch.
public enum BatchResult: Decodable, Sendable, Equatable {
    /// Its answer.
    case answer(RetrievalAnswer)
    /// Why it has none.
    case problem(Problem)

    /// Reads an answer or a problem, which alone has a status.
    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        self =
            keys.contains(.status) ? .problem(try Problem(from: decoder)) : .answer(try RetrievalAnswer(from: decoder))
    }

    private enum CodingKeys: CodingKey {
        case status
    }
}

/// The items that are most like another.
public struct SimilarAnswer: Codable, Sendable, Equatable {
    /// Best first.
    public let items: [ScoredItem]
    /// The model that answered.
    public let model: String
    /// Its version.
    public let version: Int
    /// The request's id in the service's log.
    public let requestID: String
    /// Whether there are fewer items than were asked for.
    public let truncated: Bool

    private enum CodingKeys: String, CodingKey {
        case items
        case model
        case version
        case requestID = "request_id"
        case truncated
    }
}

/// What the catalogue knows of an item.
public struct ItemDescription: Codable, Sendable, Equatable {
    /// The id that was asked for.
    public let id: String
    /// Whether it is in the catalogue.
    public let known: Bool
    /// Its title, if it has one.
    public let title: String?
    /// Its categories.
    public let categories: [String]
    /// The model whose catalogue it is.
    public let model: String
    /// The version of that model.
    public let version: Int
}
