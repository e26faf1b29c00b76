/// A model of the store, with its versions.
public struct ModelDescription: Codable, Sendable, Equatable {
    /// Its name.
    public let name: String
    /// The version that is to be served.
    public let activeVersion: Int?
    /// Its versions.
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
    /// 1, 2, 3 and so on.
    public let version: Int
    /// Where it stands: available, loading, warming, active, draining, unloaded, rejected or damaged.
    public let state: String
    /// Why it was rejected, or what is damaged.
    public let reason: String?
    /// When it was made, ISO 8601; like the following, nil in a damaged version.
    public let createdAt: String?
    /// Elements of a vector.
    public let dimension: Int?
    /// Items of its catalogue.
    public let items: Int?
    /// What its training measured, by name.
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

/// What an action on a version came to.
public struct VersionAction: Codable, Sendable, Equatable {
    /// The model's name.
    public let model: String
    /// The version.
    public let version: Int
    /// Its state now; `loading` while an activation that was not waited for is under way.
    public let state: String
}

/// A name that requests may use instead of a model's, and the versions that answer it.
public struct AliasDescription: Codable, Sendable, Equatable {
    /// One version's part of the requests.
    public struct Share: Codable, Sendable, Equatable {
        /// The version.
        public var version: Int
        /// Its part of the requests, 0 to 100.
        public var percent: Double

        /// Gives a version a part.
        public init(version: Int, percent: Double) {
            self.version = version
            self.percent = percent
        }
    }

    /// What the versions beyond the first must keep, or they lose their part.
    public struct Bounds: Codable, Sendable, Equatable {
        /// The most of a version's requests that may fail, 0 to 1.
        public var maxErrorRate: Double?
        /// The longest 99th percentile of its own work, in milliseconds.
        public var maxP99Ms: Double?
        /// How many requests it must have answered before it is judged.
        public var minRequests: Int?

        /// Groups bounds.
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
    /// The versions and their parts, 100 together, the stable one first; empty follows the model's active version.
    public var split: [Share]
    /// The part of the requests, 0 to 100, that another version of the split computes too, without answering.
    public var shadow: Double?
    /// What the versions beyond the first must keep.
    public var bounds: Bounds?
    /// Rises with every change; the service's to choose, and not sent.
    public let revision: Int?

    /// Describes an alias.
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
        case revision
    }
}
