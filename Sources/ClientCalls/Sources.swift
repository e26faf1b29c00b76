/// A source of a retrieval: a model, or the popularity list.
public struct Source: Codable, Sendable, Equatable {
    /// The model or alias; nil for the popularity list.
    public var model: String?
    /// The source's weight in the fusion; nil is 1.
    public var weight: Double?
    /// How many places of the answer only this source fills; such a source has no weight.
    public var quota: Int?
    private var popular: Bool?

    private init(model: String?, weight: Double?, quota: Int?) {
        self.model = model
        self.weight = weight
        self.quota = quota
        popular = model == nil ? true : nil
    }

    /// A model or alias that is fused with other sources.
    public static func model(_ name: String, weight: Double? = nil) -> Source {
        Source(model: name, weight: weight, quota: nil)
    }

    /// A model or alias that fills places of its own.
    public static func model(_ name: String, quota: Int) -> Source { Source(model: name, weight: nil, quota: quota) }

    /// The popularity list, fused with other sources.
    public static func popular(weight: Double? = nil) -> Source { Source(model: nil, weight: weight, quota: nil) }

    /// The popularity list, which fills places of its own.
    public static func popular(quota: Int) -> Source { Source(model: nil, weight: nil, quota: quota) }
}

/// How the lists of several sources become one.
public struct Fusion: Codable, Sendable, Equatable {
    /// How an item's ranks or scores are combined.
    public enum Method: String, Codable, Sendable {
        /// By the weighted ranks.
        case reciprocalRank = "reciprocal_rank"
        /// By the weighted scores, scaled within each list.
        case score
    }

    /// The method; nil is by ranks.
    public var method: Method?
    /// The constant of the fusion by ranks; nil is the service's default.
    public var constant: Double?
    /// How many items each source gives; nil is the service's default.
    public var window: Int?

    /// A fusion; properties that are nil have the service's defaults.
    public init(method: Method? = nil, constant: Double? = nil, window: Int? = nil) {
        self.method = method
        self.constant = constant
        self.window = window
    }
}

/// A source that gave an item, and where in its list.
public struct ItemSource: Codable, Sendable, Equatable {
    /// The model or alias, or `popular`.
    public let source: String
    /// The item's rank in the source's list, from 1.
    public let rank: Int
}

/// How a source took part in an answer.
public struct SourceReport: Codable, Sendable, Equatable {
    /// The model or alias, or `popular`.
    public let source: String
    /// The model that answered; nil if none did.
    public let model: String?
    /// Its version.
    public let version: Int?
    /// `ok`, `fallback`, `not_ready` or `failed`; only `ok` takes part in the fusion.
    public let status: String
}
