import Foundation
import Kernels

/// When events happened.
public struct TimeStatistics: Sendable, Equatable, Encodable {
    /// Whether the file has a column of times; otherwise the order of its rows is their order in time.
    public let hasColumn: Bool
    /// The unit of the times.
    public let scale: TimeScale
    /// The first time, in UTC for a clock, or the number itself.
    public let first: String
    /// The last time, in UTC for a clock, or the number itself.
    public let last: String
    /// Seconds between two successive events of a user at different times; nil unless the times are a clock's.
    public let gapSeconds: Quantiles?
    /// The same gaps by size; empty unless the times are a clock's.
    public let gaps: [HistogramBin]
    /// Events with the same time as the user's event before them: only the file gives their order.
    public let ties: Int
    /// Events with a time outside of the log's unit, such as 0 or milliseconds among seconds.
    public let oddTimes: Int
    /// Events more than a day later than the present; 0 unless the times are a clock's.
    public let futureEvents: Int

    /// Upper bounds of the ranges of gaps, in seconds.
    private static let bounds: [(seconds: Double, name: String)] = [
        (1, "up to 1 s"), (10, "up to 10 s"), (60, "up to 1 min"), (600, "up to 10 min"),
        (3600, "up to 1 h"), (86_400, "up to 1 day"), (7 * 86_400, "up to 1 week"), (30 * 86_400, "up to 30 days"),
        (.infinity, "longer"),
    ]

    /// Looks at all times of a log.
    ///
    /// - Parameters:
    ///   - log: At least one event.
    ///   - events: The log's events by user, oldest first.
    ///   - scale: The unit of the times.
    ///   - now: The present.
    /// - Complexity: O(n log n) in events.
    init(_ log: EventLog, events: RaggedRows, scale: TimeScale, now: Date = .now) {
        let times = (0..<Int32(log.users.count)).map { log.times[$0] }
        let extremes = (times.min() ?? 0, times.max() ?? 0)
        (hasColumn, self.scale) = (log.hasTimes, scale)
        (first, last) = (scale.text(extremes.0), scale.text(extremes.1))
        oddTimes = scale.isClock ? times.count { !scale.fits($0) } : 0
        let latest = Self.latest(in: scale, at: now)
        futureEvents = scale.isClock ? times.count { scale.fits($0) && $0.nearest > latest } : 0
        var ties = 0
        var gaps: [Double] = []
        for user in 0..<events.count {
            let own = events[user]
            for (event, next) in zip(own, own.dropFirst()) {
                let (time, later) = (times[Int(event)], times[Int(next)])
                if time == later {
                    ties += 1
                } else if scale.isClock, scale.fits(time), scale.fits(later) {
                    gaps.append(scale.seconds(later.nearest - time.nearest))
                }
            }
        }
        self.ties = ties
        gapSeconds = Quantiles(gaps)
        var counts = [Int](repeating: 0, count: Self.bounds.count)
        for gap in gaps { counts[Self.bounds.firstIndex { gap <= $0.seconds } ?? counts.count - 1] += 1 }
        self.gaps = gaps.isEmpty ? [] : zip(Self.bounds, counts).map { HistogramBin(range: $0.name, count: $1) }
    }

    /// The latest time that an event can have: local times without a zone are up to 14 hours ahead of UTC.
    static func latest(in scale: TimeScale, at now: Date) -> Double {
        (now.timeIntervalSince1970 + 86_400) * scale.perSecond
    }
}
