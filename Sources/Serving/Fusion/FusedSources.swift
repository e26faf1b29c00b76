import CheckpointStore

/// The sources of one answer: the version and status of each, and the items that it gave.
public struct FusedSources: Sendable, Equatable {
    /// How a source took part.
    public enum Status: String, Sendable, CaseIterable {
        /// It gave its items.
        case ok
        /// Its model knows no item of the history, so its list only filled empty places.
        case fallback
        /// No version of its model is in service.
        case notReady = "not_ready"
        /// Its model could not compute an answer.
        case failed
    }

    /// One source.
    public struct Source: Sendable, Equatable {
        /// The model or alias as the request names it, or `popular`.
        public let name: String
        /// The version that answered, or whose popularity list was used; nil when none was.
        public let version: VersionID?
        /// How it took part.
        public let status: Status
    }

    /// The sources in the order of the request.
    public let sources: [Source]
    /// The rank that each source gives each item of the answer, counted from 1, item after item; 0 for an item that a
    /// source did not give.
    let ranks: [Int32]

    /// Whether the leading version predicted items of its own.
    var isLedByPrediction: Bool { sources.first { $0.version != nil && $0.name != SourceBlend.popular }?.status == .ok }

    /// The rank of an item of the answer in a source's list, counted from 1; nil when the source did not give it.
    public func rank(ofItem item: Int, in source: Int) -> Int? {
        let rank = ranks[item * sources.count + source]
        return rank > 0 ? Int(rank) : nil
    }
}
