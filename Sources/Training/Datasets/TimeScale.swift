import Foundation

/// The unit of the times of a log.
public enum TimeScale: String, Sendable, Encodable {
    /// Numbers below 100 million, such as positions or days, and numbers beyond any clock's.
    case ordinals
    /// Seconds since 1970.
    case seconds
    /// Milliseconds since 1970.
    case milliseconds
    /// Microseconds since 1970.
    case microseconds
    /// Nanoseconds since 1970.
    case nanoseconds

    private static let clocks: [(scale: TimeScale, start: Double, perSecond: Double)] = [
        (.seconds, 1e8, 1), (.milliseconds, 1e11, 1e3), (.microseconds, 1e14, 1e6), (.nanoseconds, 1e17, 1e9),
    ]

    /// The first number that is no nanosecond before the year 5138.
    private static let end = 1e20

    /// Seconds since 1970 from the year 1990 to 2128.
    private static let present = 6.3e8..<5e9

    /// The unit of one time, by its size.
    init(_ time: Timestamp) {
        let clock = Self.clocks.last { time.nearest >= $0.start }
        self = time.nearest < Self.end ? clock?.scale ?? .ordinals : .ordinals
    }

    /// The unit of a log: a clock's if more than half of the users' last times are a clock's, then the most frequent.
    init(_ lastTimestamps: [Timestamp]) {
        let counts = Self.clocks.map { clock in lastTimestamps.count { TimeScale($0) == clock.scale } }
        let most = counts.max() ?? 0
        let clock = counts.firstIndex(of: most).map { Self.clocks[$0].scale } ?? .ordinals
        self = counts.reduce(0, +) * 2 > lastTimestamps.count ? clock : .ordinals
    }

    /// Whether the times are a clock's, so they compare between users.
    public var isClock: Bool { self != .ordinals }

    /// Whether a time has this unit, judged by its size.
    func fits(_ time: Timestamp) -> Bool { TimeScale(time) == self }

    /// Whether a time in this unit is between 1990 and 2128.
    func isPresent(_ time: Timestamp) -> Bool { Self.present.contains(seconds(time.nearest)) }

    /// Seconds of a number in this unit; an ordinal stays as it is.
    func seconds(_ value: Double) -> Double { value / perSecond }

    /// How many of this unit a second has; 1 for ordinals.
    var perSecond: Double { Self.clocks.first { $0.scale == self }?.perSecond ?? 1 }

    /// A time for people: date and time in UTC, or the number itself where it is no clock's or does not fit.
    func text(_ time: Timestamp) -> String {
        guard isClock, fits(time) else { return time.description }
        return Self.date(seconds(time.nearest), withTime: true)
    }

    /// A date in UTC, such as `2014-04-07` or `2014-04-07 10:51:09`.
    static func date(_ seconds: Double, withTime: Bool) -> String {
        let date = Date(timeIntervalSince1970: seconds.rounded(.down))
        let day = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day()
        guard withTime else { return date.formatted(day) }
        return date.formatted(day.dateTimeSeparator(.space).time(includingFractionalSeconds: false))
    }
}
