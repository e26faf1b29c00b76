/// The bounds that requests must keep.
public struct RetrievalLimits: Sendable, Equatable {
    /// The most items one request may ask for.
    public var maxK: Int
    /// How many of the newest ids of a history are looked at.
    public var maxHistory: Int
    /// The most requests that one batch may hold.
    public var maxBatch: Int
    /// The most starting noises that one request may ask for.
    public var maxSamples = 16

    /// Groups the bounds.
    public init(maxK: Int = 1000, maxHistory: Int = 1000, maxBatch: Int = 64) {
        self.maxK = maxK
        self.maxHistory = maxHistory
        self.maxBatch = maxBatch
    }
}
