/// A name that requests may use instead of a model's, and the versions that answer it.
///
/// Stored beside the versions, so that every process that serves the store answers an alias alike.
public struct Alias: Codable, Sendable, Equatable {
    /// One version's part of an alias' requests.
    public struct Share: Codable, Sendable, Equatable {
        /// The version.
        public var version: Int
        /// Its part of the requests, 0 to 100; a version of 0 is only shadowed.
        public var percent: Double

        /// Gives a version a part.
        public init(version: Int, percent: Double) {
            self.version = version
            self.percent = percent
        }
    }

    /// When the versions beyond the first lose their part: bounds that each of them must keep.
    public struct Guard: Codable, Sendable, Equatable {
        /// The most of a version's requests that may fail by its fault, 0 to 1; nil is no bound.
        public var maxErrorRate: Double?
        /// The longest 99th percentile of a version's own work, in milliseconds; nil is no bound.
        public var maxP99Ms: Double?
        /// How many requests a version must have answered before it is judged, at least 1.
        public var minRequests: Int

        /// Groups bounds.
        public init(maxErrorRate: Double? = nil, maxP99Ms: Double? = nil, minRequests: Int = 500) {
            self.maxErrorRate = maxErrorRate
            self.maxP99Ms = maxP99Ms
            self.minRequests = minRequests
        }
    }

    /// What requests call it.
    public var name: String
    /// The model whose versions answer.
    public var model: String
    /// The versions and their parts, 100 together, the stable one first; empty follows the model's active version.
    public var split: [Share]
    /// The part of the requests, 0 to 100, that another version of the split computes too, without answering.
    public var shadow: Double
    /// What the versions beyond the first must keep.
    public var `guard`: Guard?
    /// Rises with every change; assigned by the store, 1 for a new alias.
    public var revision: Int

    /// Describes an alias.
    public init(
        name: String,
        model: String,
        split: [Share] = [],
        shadow: Double = 0,
        guard bounds: Guard? = nil,
        revision: Int = 0
    ) {
        self.name = name
        self.model = model
        self.split = split
        self.shadow = shadow
        self.guard = bounds
        self.revision = revision
    }
}
