/// The pace of the requests.
public enum Pacing: Sendable, Equatable {
    /// Open loop: request `i` is due at `start + i / rate`, whatever the server does. Unit: requests a second.
    case constant(rate: Double)
    /// Closed loop: every connection sends its next request after the previous answer.
    case closedLoop
}

/// The measurement of one run, without its warm-up.
///
/// Every due request was either sent or given up, and every sent request is either ok or an error: `due = sent +
/// unsent` and `sent = ok + errors`. Errors are answers outside 2xx, time-outs and lost connections.
public struct LoadMeasurement: Sendable {
    /// The requested rate; nil in a closed loop.
    public package(set) var rate: Double?
    /// Seconds from the first due time to the end of the run or the last good answer, whichever is later.
    public package(set) var seconds = 0.0
    /// Requests written to a connection.
    public package(set) var sent = 0
    /// Requests given up because no connection became free within the time-out after their due time.
    public package(set) var unsent = 0
    /// Requests sent more than 100 us after their due time.
    public package(set) var late = 0
    /// Answers by status code.
    public package(set) var statuses: [Int: Int] = [:]
    /// Sent requests without an answer within the time-out.
    public package(set) var timeouts = 0
    /// Requests whose connection closed before their answer.
    public package(set) var disconnects = 0
    /// The latency of good answers, from the due time of the request.
    public package(set) var latency = LatencyHistogram()
    /// The latency of good answers, from the sending of the request.
    ///
    /// The difference to ``latency`` is the delay by the generator or by the wait for a free connection.
    public package(set) var serviceTime = LatencyHistogram()
    /// The latency of 503 answers, from the due time of the request.
    public package(set) var shedLatency = LatencyHistogram()

    /// Answers of 200 to 299.
    public var ok: Int { statuses.reduce(0) { $0 + (200...299 ~= $1.key ? $1.value : 0) } }
    /// Sent requests without a good answer.
    public var errors: Int { statuses.values.reduce(0, +) - ok + timeouts + disconnects }
    /// Answers of 503: requests that the server shed.
    public var shed: Int { statuses[503] ?? 0 }
    /// Requests that became due.
    public var due: Int { sent + unsent }
    /// Good answers a second.
    public var achievedRate: Double { seconds > 0 ? Double(ok) / seconds : 0 }

    /// Creates an empty measurement.
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

    /// Merges several runs: adds counts and times; the rate becomes nil if it differs.
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

/// The progress since the last report.
public struct LoadProgress: Sendable {
    /// The time span, in seconds.
    public internal(set) var seconds = 0.0
    /// Good answers.
    public internal(set) var ok = 0
    /// Requests without a good answer, sent or not.
    public internal(set) var errors = 0
    /// The latency of good answers, from the due time, with two significant digits.
    public internal(set) var latency = LatencyHistogram.coarse()
}

/// The latency budget of a service.
public struct LatencyBudget: Sendable, Equatable {
    /// Upper bound of the 99th percentile, in microseconds.
    public var p99: Double?
    /// Upper bound of the 99.9th percentile, in microseconds.
    public var p999: Double?

    /// Creates a budget in microseconds; nil is no bound.
    public init(p99: Double? = nil, p999: Double? = nil) {
        self.p99 = p99
        self.p999 = p999
    }

    /// The violations of the budget, as sentences; a measurement without a good answer violates it.
    public func violations(of measurement: LoadMeasurement) -> [String] {
        guard p99 != nil || p999 != nil else { return [] }
        guard measurement.ok > 0 else { return ["No request got a 2xx answer, so the budget cannot be met."] }
        let parts: [(name: String, fraction: Double, bound: Double?)] = [("p99", 0.99, p99), ("p99.9", 0.999, p999)]
        return parts.compactMap { part in
            let value = measurement.latency[part.fraction]
            guard let bound = part.bound, value > bound else { return nil }
            return "\(part.name) is \(Int(value.rounded(.up))) us, above the budget of \(Int(bound)) us."
        }
    }

    /// Whether a rate was sustained: the latencies are within the budget, and 99 percent of the rate was achieved.
    public func isSustained(by measurement: LoadMeasurement) -> Bool {
        let wanted = measurement.rate ?? 0
        return measurement.ok > 0 && violations(of: measurement).isEmpty && measurement.achievedRate >= 0.99 * wanted
    }
}
