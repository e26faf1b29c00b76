/// Promotes or demotes the items that pass a filter.
public struct Boost: Codable, Sendable, Equatable {
    /// The items.
    public var filter: Filter
    /// The amount to add to the score; a negative amount demotes.
    public var add: Double?
    /// The factor that divides the rank; a factor below 1 demotes.
    public var rankFactor: Double?

    /// Adds to the score.
    public init(_ filter: Filter, add amount: Double) {
        self.filter = filter
        add = amount
    }

    /// Divides the rank.
    public init(_ filter: Filter, rankFactor: Double) {
        self.filter = filter
        self.rankFactor = rankFactor
    }

    private enum CodingKeys: String, CodingKey {
        case filter
        case add
        case rankFactor = "rank_factor"
    }
}

/// Puts an item at a position of the whole list.
public struct Pin: Codable, Sendable, Equatable {
    /// The item's id.
    public var id: String
    /// The position, from 1.
    public var position: Int

    /// Reads a pin; the id may be a JSON integer.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if let number = try? values.decode(Int64.self, forKey: .id) {
            id = "\(number)"
        } else {
            id = try values.decode(String.self, forKey: .id)
        }
        position = try values.decode(Int.self, forKey: .position)
    }

    /// A pin.
    public init(_ id: String, at position: Int) {
        self.id = id
        self.position = position
    }
}

/// The most items with the same value of an attribute.
public struct GroupLimit: Codable, Sendable, Equatable {
    /// An attribute of texts, or `categories`.
    public var key: String
    /// The most items of a group.
    public var limit: Int

    /// A limit.
    public init(_ key: String, limit: Int) {
        self.key = key
        self.limit = limit
    }
}

/// The share of items that are new.
public struct NewShare: Codable, Sendable, Equatable {
    /// An attribute of times.
    public var key: String
    /// The share, from 0 to 1.
    public var share: Double
    /// Items with this time or a later one are new.
    public var since: AttributeValue?
    /// Items of the last days are new, by the service's clock.
    public var days: Double?

    /// A share of items since a time, such as `"2024-01-31"` or seconds since 1970.
    public init(_ key: String, share: Double, since: AttributeValue) {
        self.key = key
        self.share = share
        self.since = since
    }

    /// A share of items of the last days.
    public init(_ key: String, share: Double, days: Double) {
        self.key = key
        self.share = share
        self.days = days
    }
}

/// Gives the values of an attribute the shares that they have in the history.
public struct Calibration: Codable, Sendable, Equatable {
    /// An attribute of texts, or `categories`.
    public var key: String

    /// Calibrates an attribute.
    public init(_ key: String) { self.key = key }
}

/// How many slots of a model's rule-based guidance hold other items than the newest ones of the history.
public struct GuidanceSlots: Codable, Sendable, Equatable {
    /// Slots for promising items that users rarely see.
    public var exploring: Int?
    /// Slots for the most popular items that the history does not have.
    public var popular: Int?
    /// Slots for the most popular items of the history.
    public var historyPopular: Int?

    /// Numbers of slots; nil is none.
    ///
    /// The service refuses rules that are all nil; a 0 asks for the newest items alone.
    public init(exploring: Int? = nil, popular: Int? = nil, historyPopular: Int? = nil) {
        self.exploring = exploring
        self.popular = popular
        self.historyPopular = historyPopular
    }

    private enum CodingKeys: String, CodingKey {
        case exploring
        case popular
        case historyPopular = "history_popular"
    }
}

/// Why an item is in an answer with rules.
public struct ItemReason: Codable, Sendable, Equatable {
    /// The score before boosts.
    public let baseScore: Double
    /// The positions of the request's boosts whose filters the item passes.
    public let boosts: [Int]
    /// The reason for the item's position: `score`, `pin`, `new` or `share`.
    public let reason: String
    /// The value whose share the item fills.
    public let shareOf: String?

    private enum CodingKeys: String, CodingKey {
        case baseScore = "base_score"
        case boosts
        case reason
        case shareOf = "share_of"
    }
}

/// The rules of a request, as they are written in its JSON.
package struct Rules: Decodable {
    let boosts: [Boost]?
    let pins: [Pin]?
    let groupBy: GroupLimit?
    let scoreThreshold: Double?
    let offset: Int?
    let minNew: NewShare?
    let calibrate: Calibration?
    let guidance: GuidanceSlots?

    private enum CodingKeys: String, CodingKey {
        case boosts
        case pins
        case groupBy = "group_by"
        case scoreThreshold = "score_threshold"
        case offset
        case minNew = "min_new"
        case calibrate
        case guidance
    }
}

extension RetrievalRequest {
    /// Sets all rules.
    package mutating func setRules(_ rules: Rules) {
        boosts = rules.boosts
        pins = rules.pins
        groupBy = rules.groupBy
        scoreThreshold = rules.scoreThreshold
        offset = rules.offset
        minNew = rules.minNew
        calibrate = rules.calibrate
        guidance = rules.guidance
    }
}
