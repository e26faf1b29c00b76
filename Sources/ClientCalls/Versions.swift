/// A model of the store with its versions.
public struct ModelDescription: Codable, Sendable, Equatable {
    /// The model's name.
    public let name: String
    /// The active version.
    public let activeVersion: Int?
    /// The model's versions.
    public let versions: [VersionDescription]

    private enum CodingKeys: String, CodingKey {
        case name
        case activeVersion = "active_version"
        case versions
    }
}

/// A version of a model.
public struct VersionDescription: Codable, Sendable, Equatable {
    /// The model's name.
    public let model: String
    /// The version's number, from 1.
    public let version: Int
    /// The version's state: available, loading, warming, active, draining, unloaded, rejected or damaged.
    public let state: String
    /// The reason for the rejection, or the damage.
    public let reason: String?
    /// When the version was made, ISO 8601; this and the next properties are nil for a damaged version.
    public let createdAt: String?
    /// The dimension of the vectors.
    public let dimension: Int?
    /// The number of items in the catalogue.
    public let items: Int?
    /// The metrics of its training, by name.
    public let metrics: [String: Double]?

    private enum CodingKeys: String, CodingKey {
        case model
        case version
        case state
        case reason
        case createdAt = "created_at"
        case dimension
        case items
        case metrics
    }
}

/// The result of an action on a version.
public struct VersionAction: Codable, Sendable, Equatable {
    /// The model's name.
    public let model: String
    /// The version.
    public let version: Int
    /// The version's state; `loading` during an activation without wait.
    public let state: String
}

/// An alias: a name for requests, and the versions that answer them.
public struct AliasDescription: Codable, Sendable, Equatable {
    /// One version's share of the requests.
    public struct Share: Codable, Sendable, Equatable {
        /// The version.
        public var version: Int
        /// The version's share of the requests, in percent, 0 to 100.
        public var percent: Double

        /// Creates a share.
        public init(version: Int, percent: Double) {
            self.version = version
            self.percent = percent
        }
    }

    /// The bounds of the canary versions (all but the first); a version that breaks a bound loses its share.
    public struct Bounds: Codable, Sendable, Equatable {
        /// The highest allowed share of failed requests, 0 to 1.
        public var maxErrorRate: Double?
        /// The highest allowed 99th percentile of the version's own work, in milliseconds.
        public var maxP99Ms: Double?
        /// How many requests the version must answer before the bounds apply.
        public var minRequests: Int?

        /// Creates bounds.
        public init(maxErrorRate: Double? = nil, maxP99Ms: Double? = nil, minRequests: Int? = nil) {
            self.maxErrorRate = maxErrorRate
            self.maxP99Ms = maxP99Ms
            self.minRequests = minRequests
        }

        private enum CodingKeys: String, CodingKey {
            case maxErrorRate = "max_error_rate"
            case maxP99Ms = "max_p99_ms"
            case minRequests = "min_requests"
        }
    }

    /// The model whose versions answer.
    public var model: String
    /// The traffic split, 100 percent in total, the stable version first; empty follows the model's active version.
    public var split: [Share]
    /// Shadow traffic: the percentage of requests, 0 to 100, that are also sent to another version of the split.
    ///
    /// Its answers are discarded.
    public var shadow: Double?
    /// The bounds of the canary versions.
    public var bounds: Bounds?
    /// The sources that answer a retrieval by this alias, the model first; nil when the model alone answers.
    public var sources: [Source]?
    /// How the lists of the sources are merged.
    public var fusion: Fusion?
    /// Increases with every change; the service sets it, and the client does not send it.
    public let revision: Int?

    /// Creates an alias.
    public init(model: String, split: [Share] = [], shadow: Double? = nil, bounds: Bounds? = nil) {
        self.model = model
        self.split = split
        self.shadow = shadow
        self.bounds = bounds
        revision = nil
    }

    private enum CodingKeys: String, CodingKey {
        case model
        case split
        case shadow
        case bounds = "guard"
        case sources
        case fusion
        case revision
    }
}
