/// How events and new items are spread over the time of a log.
public struct ActivityStatistics: Sendable, Equatable, Encodable {
    /// The length of a period.
    public enum Step: String, Sendable, Encodable {
        /// For less than three days.
        case hour
        /// For less than six weeks.
        case day
        /// For less than four years; weeks begin on Monday.
        case week
        /// For less than twenty years.
        case fourWeeks = "four weeks"
        /// For longer times.
        case year = "52 weeks"
        /// A tenth of the rows, in the order of the file, when the times are not a clock's.
        case tenth = "tenth of the rows"

        /// Seconds of a period; 0 for a tenth of the rows.
        var seconds: Double {
            switch self {
            case .hour: 3600
            case .day: 86_400
            case .week: 7 * 86_400
            case .fourWeeks: 28 * 86_400
            case .year: 364 * 86_400
            case .tenth: 0
            }
        }

        /// The step for a log of some seconds.
        init(span: Double) {
            switch span / 86_400 {
            case ..<3: self = .hour
            case ..<42: self = .day
            case ..<1461: self = .week
            case ..<7305: self = .fourWeeks
            default: self = .year
            }
        }
    }

    /// One period.
    public struct Period: Sendable, Equatable, Encodable {
        /// When it begins: a date or time in UTC; the number of a tenth of the rows, from 1.
        public let start: String
        /// Events in the period.
        public internal(set) var events: Int
        /// Items whose first event is in the period.
        public internal(set) var newItems: Int
    }

    /// The length of a period; the first and the last one may be covered only in part.
    public let step: Step
    /// All periods in order, empty ones included.
    public let periods: [Period]
    /// The share of the events of the log's last tenth whose item does not occur before that tenth.
    public let newItemShareOfLastTenth: Double

    /// Monday 5 January 1970.
    private static let firstMonday = 4.0 * 86_400

    /// Counts by period.
    ///
    /// - Parameters:
    ///   - log: At least one event.
    ///   - items: How many items the log has.
    ///   - scale: The unit of the times; events whose time does not fit it count only for the last tenth.
    /// - Complexity: O(n log n) in events.
    init(_ log: EventLog, items: Int, scale: TimeScale) {
        let count = log.users.count
        var order = Array(0..<Int32(count))
        if scale.isClock { order.sort { (log.times[$0], $0) < (log.times[$1], $1) } }
        newItemShareOfLastTenth = Self.newItemShare(order.map { log.items[Int($0)] }, items: items)
        guard scale.isClock else {
            step = .tenth
            periods = Self.count(log, order, items: items, names: (1...10).map { "\($0)" }) { place, _ in
                place * 10 / count
            }
            return
        }
        order.removeAll { !scale.fits(log.times[$0]) }
        func seconds(_ event: Int32) -> Double { scale.seconds(log.times[event].nearest) }
        let (first, last) = (order.first.map(seconds) ?? 0, order.last.map(seconds) ?? 0)
        let step = Step(span: last - first)
        let origin = [.hour, .day].contains(step) ? 0 : Self.firstMonday
        func number(_ seconds: Double) -> Int { Int(((seconds - origin) / step.seconds).rounded(.down)) }
        let names = (number(first)...number(last)).map {
            TimeScale.date(origin + Double($0) * step.seconds, withTime: step == .hour)
        }
        self.step = step
        periods = Self.count(log, order, items: items, names: names) { _, event in
            number(seconds(event)) - number(first)
        }
    }

    /// Counts events and first events of items by the period that `period` gives to a place in the order.
    private static func count(
        _ log: EventLog,
        _ order: [Int32],
        items: Int,
        names: [String],
        period: (_ place: Int, _ event: Int32) -> Int
    ) -> [Period] {
        var periods = names.map { Period(start: $0, events: 0, newItems: 0) }
        var isKnown = [Bool](repeating: false, count: items)
        for (place, event) in order.enumerated() {
            let number = period(place, event)
            let item = Int(log.items[Int(event)])
            periods[number].events += 1
            if !isKnown[item] { periods[number].newItems += 1 }
            isKnown[item] = true
        }
        return periods
    }

    private static func newItemShare(_ ordered: [Int32], items: Int) -> Double {
        let cut = ordered.count * 9 / 10
        var isOld = [Bool](repeating: false, count: items)
        for item in ordered[..<cut] { isOld[Int(item)] = true }
        return Double(share: ordered[cut...].count { !isOld[Int($0)] }, of: ordered.count - cut)
    }
}
