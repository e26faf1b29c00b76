import Kernels

/// Rows that repeat another row.
public struct DuplicateStatistics: Sendable, Equatable, Encodable {
    /// A row that occurs several times.
    public struct Example: Sendable, Equatable, Encodable {
        /// The user's id.
        public let user: String
        /// The item's id.
        public let item: String
        /// The time as the report writes times.
        public let time: String
        /// How many rows say this.
        public let rows: Int
    }

    /// Rows beyond the first with the same user, item and time; other columns do not count.
    public let rows: Int
    /// The most frequent of them, at most five.
    public let examples: [Example]

    /// Counts the duplicates of a log; without a column of times there are none.
    ///
    /// - Parameters:
    ///   - log: The events.
    ///   - events: The log's events by user, oldest first.
    ///   - ids: Ids by item number.
    ///   - scale: The unit of the times.
    /// - Complexity: O(n) expected in events.
    init(_ log: EventLog, events: RaggedRows, ids: [String], scale: TimeScale) {
        var repeated: [(rows: Int, event: Int32)] = []
        for user in 0..<events.count {
            var rest = events[user]
            while let first = rest.first {
                let tied = rest.prefix { log.times[$0] == log.times[first] }
                rest = rest.dropFirst(tied.count)
                guard tied.count > 1 else { continue }
                var firsts: [Int32: (rows: Int, event: Int32)] = [:]
                for event in tied { firsts[log.items[Int(event)], default: (0, event)].rows += 1 }
                repeated += firsts.values.filter { $0.rows > 1 }
            }
        }
        rows = repeated.reduce(0) { $0 + $1.rows - 1 }
        repeated.sort { ($1.rows, $0.event) < ($0.rows, $1.event) }
        examples = repeated.prefix(5).map { found in
            Example(
                user: log.userIDs[Int(log.users[Int(found.event)])],
                item: ids[Int(log.items[Int(found.event)])],
                time: scale.text(log.times[found.event]),
                rows: found.rows
            )
        }
    }
}
