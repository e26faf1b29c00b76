/// How events are spread over items.
public struct PopularityStatistics: Sendable, Equatable, Encodable {
    /// A point of the popularity curve.
    public struct Point: Sendable, Equatable, Encodable {
        /// A share of the items, the most popular first; from 0 to 1.
        public let items: Double
        /// The share of all events that these items have; from 0 to 1.
        public let events: Double
    }

    /// An item and its events.
    public struct Item: Sendable, Equatable, Encodable {
        /// The item's id.
        public let id: String
        /// The item's title; empty if it has none.
        public let title: String
        /// Events of the item.
        public let events: Int
    }

    /// The popularity curve: shares of 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50 and 100 percent of the items.
    ///
    /// A share is rounded up to whole items, so each point has at least one item.
    public let curve: [Point]
    /// Items with a single event: a model learns next to nothing about them.
    public let itemsOnce: Int
    /// The most popular items, at most ten, with the most popular first.
    public let top: [Item]

    /// Shares of the curve, in thousandths.
    private static let thousandths = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

    /// Counts by item.
    ///
    /// - Parameters:
    ///   - counts: Events of each item number, at least 1 each.
    ///   - ids: Ids by item number.
    ///   - titles: Titles by item number; empty without titles.
    /// - Complexity: O(v log v) in items.
    public init(counts: [Int], ids: [String], titles: [String]) {
        let order = counts.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }
        let events = counts.reduce(0, +)
        var (taken, sum) = (0, 0)
        curve = Self.thousandths.map { thousandths in
            let wanted = (counts.count * thousandths + 999) / 1000
            for item in order[taken..<wanted] { sum += counts[item] }
            taken = wanted
            return Point(items: Double(thousandths) / 1000, events: Double(share: sum, of: events))
        }
        itemsOnce = counts.count { $0 == 1 }
        top = order.prefix(10).map { item in
            Item(id: ids[item], title: titles.isEmpty ? "" : titles[item], events: counts[item])
        }
    }

    /// The share of all events that the most popular items have.
    ///
    /// - Parameter percent: How many percent of the items: 1, 2, 5, 10, 20, 50 or 100.
    /// - Returns: From 0 to 1.
    /// - Precondition: The curve has this share.
    public func share(ofTop percent: Int) -> Double {
        guard let place = Self.thousandths.firstIndex(of: percent * 10) else {
            preconditionFailure("the popularity curve has no point at \(percent) percent")
        }
        return curve[place].events
    }
}
