/// The values of a log's columns of kinds of events and of ratings, counted.
public struct EventValues: Sendable, Equatable, Encodable {
    /// A value and its events.
    public struct Count: Sendable, Equatable, Encodable {
        /// The value as the log writes it.
        public let value: String
        /// How many events have it.
        public let events: Int
    }

    /// The roles of the columns.
    static let roles: [ColumnRole] = [.event, .rating]

    /// Different values that are counted in each column; a column with more of them holds no kinds.
    static let most = 100

    private var kindCounts: [String: Int] = [:]
    private var ratingCounts: [String: Int] = [:]

    /// No values yet.
    public init() {}

    /// Kinds of events, the most frequent first; empty without such a column, and if it has more than 100 values.
    public var kinds: [Count] { Self.sorted(kindCounts) { ($1.events, $0.value) < ($0.events, $1.value) } }

    /// Ratings, the lowest first; empty without such a column, and if it has more than 100 values.
    public var ratings: [Count] {
        Self.sorted(ratingCounts) { (Double($0.value) ?? 0, $0.value) < (Double($1.value) ?? 0, $1.value) }
    }

    /// Counts a kind of event.
    mutating func add(kind: String) { Self.count(kind, in: &kindCounts) }

    /// Counts a rating.
    mutating func add(rating: String) { Self.count(rating, in: &ratingCounts) }

    private static func count(_ value: String, in counts: inout [String: Int]) {
        guard counts.count <= most else { return }
        counts[value, default: 0] += 1
    }

    private static func sorted(_ counts: [String: Int], by isBefore: (Count, Count) -> Bool) -> [Count] {
        guard counts.count <= most else { return [] }
        return counts.map { Count(value: $0.key, events: $0.value) }.sorted(by: isBefore)
    }

    private enum CodingKeys: CodingKey {
        case kinds, ratings
    }

    /// Writes both lists.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kinds, forKey: .kinds)
        try container.encode(ratings, forKey: .ratings)
    }
}
