/// When requests are sent.
public enum Pacing: Sendable, Equatable {
    /// Open loop: request `i` is due at `start + i / rate`, whatever the server does. Unit: requests a second.
    case constant(rate: Double)
    /// Closed loop: every connection sends its next request when the last is answered.
    case closedLoop
}

/// What one run measured, without its warm-up.
///
/// Every request that fell due was either sent or given up, and every request sent is either ok or an error:
/// `due = sent + unsent`, `sent = ok + errors`, and errors are answers outside 2xx, time-outs and lost connections.
public struct LoadMeasurement: Sendable {
    /// The rate asked for; nil in a closed loop.
    public package(set) var rate: Double?
    /// Seconds from the first due time to the end of the run or the last good answer, whichever is later.
    public package(set) var seconds = 0.0
    /// Requests written to a connection.
    public package(set) var sent = 0
    /// Requests that no connection was free for until the time-out after they were due.
    public package(set) var unsent = 0
    /// Requests sent more than 100 us after they were due.
    public package(set) var late = 0
    /// Answers by status code.
    public package(set) var statuses: [Int: Int] = [:]
    /// Requests that were not answered within the time-out after they were sent.
    public package(set) var timeouts = 0
    /// Requests whose connection was closed before their answer.
    public package(set) var disconnects = 0
    /// Time of good answers from when the request was due.
    public package(set) var latency = LatencyHistogram()
    /// Time of good answers from when the request was sent: what the generator or the lack of a free connection add is
    /// the difference.
    public package(set) var serviceTime = LatencyHistogram()
    /// Time of 503 answers from when the request was due.
    public package(set) var shedLatency = LatencyHistogram()

    /// Answers of 200 to 299.
    public var ok: Int { statuses.reduce(0) { $0 + (200...299 ~= $1.key ? $1.value : 0) } }
    /// Requests sent that brought no good answer.
    public var errors: Int { statuses.values.reduce(0, +) - ok + timeouts + disconnects }
    /// Answers of 503: work that the server refused.
    public var shed: Int { statuses[503] ?? 0 }
    /// Requests that fell due.
    public var due: Int { sent + unsent }
    /// Good answers a second.
    public var achievedRate: Double { seconds > 0 ? Double(ok) / seconds : 0 }

    /// No requests yet.
    package init() {}

    /// Counts an answer.
    package mutating func record(_ status: Int, latency nanoseconds: Int64, serviceTime serviceNanoseconds: Int64) {
        statuses[status, default: 0] += 1
        switch status {
        case 200...299:
            latency.record(nanoseconds: nanoseconds)
            serviceTime.record(nanoseconds: serviceNanoseconds)
        case 503: shedLatency.record(nanoseconds: nanoseconds)
        default: break
        }
    }

    /// Several runs as one: counts and times are added, the rate is lost where it differs.
    public static func + (left: LoadMeasurement, right: LoadMeasurement) -> LoadMeasurement {
        var sum = left
        if left.rate != right.rate { sum.rate = nil }
        sum.seconds += right.seconds
        sum.sent += right.sent
        sum.unsent += right.unsent
        sum.late += right.late
        sum.statuses.merge(right.statuses, uniquingKeysWith: +)
        sum.timeouts += right.timeouts
        sum.disconnects += right.disconnects
        sum.latency.add(right.latency)
        sum.serviceTime.add(right.serviceTime)
        sum.shedLatency.add(right.shedLatency)
        return sum
    }
}

/// What happened since the last of these.
public struct LoadProgress: Sendable {
    /// Unit: seconds.
    public internal(set) var seconds = 0.0
    /// Good answers.
    public internal(set) var ok = 0
    /// Requests without a good answer, sent or not.
    public internal(set) var errors = 0
    /// Time of good answers from when the request was due, with two significant digits.
    public internal(set) var latency = LatencyHistogram.coarse()
}

/// What the latencies of a service may be.
public struct LatencyBudget: Sendable, Equatable {
    /// Upper bound of the 99th percentile, in microseconds.
    public var p99: Double?
    /// Upper bound of the 99.9th percentile, in microseconds.
    public var p999: Double?

    /// Bounds in microseconds; nil bounds nothing.
    public init(p99: Double? = nil, p999: Double? = nil) {
        self.p99 = p99
        self.p999 = p999
    }

    /// What breaks the budget, as sentences; without a good answer there is no latency to be within it.
    public func violations(of measurement: LoadMeasurement) -> [String] {
        guard p99 != nil || p999 != nil else { return [] }
        guard measurement.ok > 0 else { return ["No request was answered well, so no latency is within the budget."] }
        let parts: [(name: String, fraction: Double, bound: Double?)] = [("p99", 0.99, p99), ("p99.9", 0.999, p999)]
        return parts.compactMap { part in
            let value = measurement.latency[part.fraction]
            guard let bound = part.bound, value > bound else { return nil }
            return "\(part.name) is \(Int(value.rounded(.up))) us, the budget \(Int(bound)) us."
        }
    }

    /// Whether a rate was sustained: latencies within the budget and 99 percent of the rate achieved.
    public func isSustained(by measurement: LoadMeasurement) -> Bool {
        let wanted = measurement.rate ?? 0
        return measurement.ok > 0 && violations(of: measurement).isEmpty && measurement.achievedRate >= 0.99 * wanted
    }
}
