/// A name that requests may use instead of a model's, and the versions that answer it.
///
/// The store holds it, so every process that serves the store answers an alias alike.
public struct Alias: Codable, Sendable, Equatable {
    /// One version's percentage of an alias' requests.
    public struct Share: Codable, Sendable, Equatable {
        /// The version.
        public var version: Int
        /// Its percentage of the requests, 0 to 100; a version with 0 gets only shadow traffic.
        public var percent: Double

        /// Gives a version a percentage.
        public init(version: Int, percent: Double) {
            self.version = version
            self.percent = percent
        }
    }

    /// Bounds for each version after the first; a version that breaks one loses its traffic.
    public struct Guard: Codable, Sendable, Equatable {
        /// The highest error rate from a version's own faults, 0 to 1; nil is no bound.
        public var maxErrorRate: Double?
        /// The highest 99th percentile of a version's own work, in milliseconds; nil is no bound.
        public var maxP99Ms: Double?
        /// How many requests a version must answer before each judgement, at least 1.
        public var minRequests: Int

        /// Groups bounds.
        public init(maxErrorRate: Double? = nil, maxP99Ms: Double? = nil, minRequests: Int = 500) {
            self.maxErrorRate = maxErrorRate
            self.maxP99Ms = maxP99Ms
            self.minRequests = minRequests
        }
    }

    /// The name that requests use.
    public var name: String
    /// The model whose versions answer.
    public var model: String
    /// The versions and their percentages, which sum to 100; empty follows the model's active version.
    ///
    /// The stable version is first.
    public var split: [Share]
    /// The percentage of requests that another version of the split also computes as shadow traffic, 0 to 100.
    public var shadow: Double
    /// The bounds for the versions after the first.
    public var `guard`: Guard?
    /// The sources of a retrieval that names this alias; nil when the model alone answers.
    ///
    /// Its first model is ``model``, and there is no split.
    public var blend: SourceBlend?
    /// Rises with every change; assigned by the store, 1 for a new alias.
    public var revision: Int

    /// Describes an alias.
    public init(
        name: String,
        model: String,
        split: [Share] = [],
        shadow: Double = 0,
        guard bounds: Guard? = nil,
        blend: SourceBlend? = nil,
        revision: Int = 0
    ) {
        self.name = name
        self.model = model
        self.split = split
        self.shadow = shadow
        self.guard = bounds
        self.blend = blend
        self.revision = revision
    }
}
