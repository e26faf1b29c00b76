import Dispatch
import Foundation
import LoadTesting

/// A load test: several runs, one after another, over the same connections.
struct LoadTest {
    let generator: LoadGenerator
    /// Measured seconds of a run; nil for the test's default.
    let seconds: Double?
    let warmUp: Double
    let observer: RunObserver

    func run(_ pacing: Pacing) async throws -> LoadMeasurement {
        try await run(pacing, seconds: seconds ?? 10)
    }

    /// Runs once for each rate; fewer times when interrupted.
    func ramp(_ rates: [Double]) async throws -> [LoadMeasurement] {
        var rows: [LoadMeasurement] = []
        for rate in rates where rows.isEmpty || !observer.shouldStop() {
            rows.append(try await run(.constant(rate: rate)))
        }
        return rows
    }

    /// Searches the capacity by short runs, with doubling and bisection.
    func findCapacity(from rate: Double, budget: LatencyBudget) async throws -> LoadOutcome {
        var rows: [LoadMeasurement] = []
        let capacity = try await CapacitySearch(firstRate: rate).run { rate in
            guard rows.isEmpty || !observer.shouldStop() else { return nil }
            let row = try await run(.constant(rate: rate), seconds: seconds ?? 3)
            guard !observer.shouldStop() else {
                if rows.isEmpty { rows.append(row) }
                return nil
            }
            rows.append(row)
            return budget.isSustained(by: row)
        }
        return LoadOutcome(rows: rows, capacity: capacity)
    }

    private func run(_ pacing: Pacing, seconds: Double) async throws -> LoadMeasurement {
        try await generator.measure(
            pacing,
            duration: .seconds(seconds),
            warmUp: .seconds(warmUp),
            observer: observer
        )
    }
}

/// The results of a load test.
struct LoadOutcome {
    /// One measurement for each run, at least one.
    var rows: [LoadMeasurement]
    /// The highest rate that met the budget.
    var capacity: Double?

    /// The sum of all runs; for a capacity search, the run at the capacity.
    private var whole: LoadMeasurement {
        if let capacity, let row = rows.last(where: { $0.rate == capacity }) { return row }
        return rows.dropFirst().reduce(rows[0], +)
    }

    var object: JSONObject {
        var object = JSONObject(whole.fields)
        if rows.count > 1 { object["rows"] = rows.map(\.fields) }
        if let capacity { object["capacity_rate"] = capacity.rounded() }
        return object
    }

    var table: String {
        let columns =
            ["asked/s", "ok/s", "sent", "unsent", "errors", "shed", "late"]
            + ["p50 us", "p90 us", "p99 us", "p99.9 us", "max us", "service p99"]
        let lines = [columns] + rows.map(Self.cells)
        var text = lines.map { line in
            line.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined()
        }.joined(separator: "\n")
        if let failures { text += "\n\(failures)" }
        if let capacity { text += "\ncapacity \(Int(capacity.rounded()))/s" }
        return text
    }

    /// The outcomes of requests without a good answer; nil when there were none.
    private var failures: String? {
        let all = rows.dropFirst().reduce(rows[0], +)
        var parts = all.statuses.filter { !(200...299 ~= $0.key) }.sorted { $0.key < $1.key }
            .map { "\($0.value) answered \($0.key)" }
        if all.timeouts > 0 { parts.append("\(all.timeouts) timed out") }
        if all.disconnects > 0 { parts.append("\(all.disconnects) lost with their connection") }
        if all.unsent > 0 { parts.append("\(all.unsent) never sent") }
        return parts.isEmpty ? nil : "not ok: " + parts.joined(separator: ", ")
    }

    private static func cells(_ row: LoadMeasurement) -> [String] {
        let rates = [row.rate ?? row.achievedRate, row.achievedRate]
        let counts = [row.sent, row.unsent, row.errors, row.shed, row.late]
        let latencies = [0.5, 0.9, 0.99, 0.999].map { row.latency[$0] } + [row.latency.maximum, row.serviceTime[0.99]]
        return rates.map(rounded) + counts.map(String.init) + latencies.map(rounded)
    }

    private static func rounded(_ value: Double) -> String { String(Int(value.rounded())) }
}

extension LoadMeasurement {
    /// The values by their names in the command's JSON.
    fileprivate var fields: [String: Any] {
        var fields: [String: Any] = [
            "duration_s": seconds, "sent": sent, "ok": ok, "errors": errors, "unsent": unsent, "late": late,
            "shed": shed, "timeouts": timeouts, "disconnects": disconnects, "achieved_rate": achievedRate,
            "statuses": Dictionary(uniqueKeysWithValues: statuses.map { ("\($0)", $1) }),
            "p50_us": latency[0.5], "p90_us": latency[0.9], "p99_us": latency[0.99], "p999_us": latency[0.999],
            "max_us": latency.maximum, "mean_us": latency.mean,
            "service_p50_us": serviceTime[0.5], "service_p99_us": serviceTime[0.99],
            "service_p999_us": serviceTime[0.999], "service_max_us": serviceTime.maximum,
            "shed_p99_us": shedLatency[0.99],
        ]
        if let rate { fields["rate"] = rate }
        return fields
    }
}

/// The progress line on a terminal, drawn on a separate queue.
struct LoadProgressView: Sendable {
    private let queue = DispatchQueue(label: "load-progress")

    @Sendable func show(_ progress: LoadProgress) {
        queue.async {
            let rate = Double(progress.ok) / progress.seconds
            let text = String(
                format: "%.0f ok/s  p50 %.0f us  p99 %.0f us  %d errors",
                rate,
                progress.latency[0.5],
                progress.latency[0.99],
                progress.errors
            )
            Terminal.write("\r\u{1B}[2K\(text)")
        }
    }

    /// Clears the line.
    func clear() {
        queue.sync { if Terminal.isInteractive { Terminal.write("\r\u{1B}[2K") } }
    }
}
