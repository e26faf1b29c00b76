import Kernels

/// Users who do not behave like people: scripts, shared accounts, or a default id.
public struct SuspectStatistics: Sendable, Equatable, Encodable {
    /// A listed user and the numbers that are unusual.
    public struct User: Sendable, Equatable, Encodable {
        /// The user's id.
        public let id: String
        /// The user's events.
        public let events: Int
        /// The most events at different times within one hour; nil unless the times are a clock's.
        public let busiestHour: Int?
    }

    /// The most events of an inconspicuous user: ten times the ninth decile of all users, at least 100.
    public let mostEvents: Int
    /// The most different times within one hour of an inconspicuous user: one event every six seconds for an hour.
    ///
    /// Different times are counted so that a basket or an imported list, whose events share a time, is no suspect.
    public static let mostInOneHour = 600

    /// How many users exceed a limit.
    public let count: Int
    /// The events of these users.
    public let events: Int
    /// Those with the most events, at most ten.
    public let users: [User]

    /// Compares every user with the limits.
    ///
    /// - Parameters:
    ///   - log: The events.
    ///   - events: The log's events by user, oldest first.
    ///   - lengths: The lengths of all users.
    ///   - scale: The unit of the times.
    /// - Complexity: O(n) in events.
    init(_ log: EventLog, events: RaggedRows, lengths: LengthStatistics, scale: TimeScale) {
        mostEvents = max(100, 10 * Int(lengths.events.ninthDecile))
        var found: [User] = []
        for (user, length) in events.lengths.enumerated() {
            let busiest = scale.isClock ? Self.busiestHour(events[user], log.times, scale) : nil
            guard length > mostEvents || busiest ?? 0 > Self.mostInOneHour else { continue }
            found.append(User(id: log.userIDs[user], events: length, busiestHour: busiest))
        }
        count = found.count
        self.events = found.reduce(0) { $0 + $1.events }
        // Equal numbers keep the order of the file.
        let order = found.indices.sorted { (found[$1].events, $0) < (found[$0].events, $1) }
        users = order.prefix(10).map { found[$0] }
    }

    /// The most different times within any hour.
    private static func busiestHour(_ events: ArraySlice<Int32>, _ times: TimestampColumn, _ scale: TimeScale) -> Int {
        var distinct: [Double] = []
        var last: Timestamp?
        for event in events where scale.fits(times[event]) && times[event] != last {
            last = times[event]
            distinct.append(scale.seconds(times[event].nearest))
        }
        var (oldest, most) = (0, 0)
        for newest in distinct.indices {
            while distinct[newest] - distinct[oldest] >= 3600 { oldest += 1 }
            most = max(most, newest - oldest + 1)
        }
        return most
    }
}
