import ArgumentParser
import Foundation
import Kernels
import LoadTesting
import Training

struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load a running service at a constant rate and measure its latency.",
        discussion: """
            Open loop: request i is due at start + i / rate, and its latency counts from then, including the wait for a \
            free connection. The service_* values count from the time of sending. p50_us to max_us cover answers with \
            status 200 to 299; other answers count as errors by status, 503 also as shed. A request is unsent if no \
            connection is free within the time-out; a sent request without an answer within the time-out is an error. Give \
            the generator's one thread its own core (taskset -c 1 dimerec load ...). Up to 16384 different requests are \
            sent in turn.
            """
    )

    @Option(help: "The data plane; without a path, /retrieve is used.") var url = "http://127.0.0.1:8080"
    @Option(
        help: "Bodies of the requests from this file, one JSON object a line, instead of histories with -k.",
        completion: .file()
    )
    var bodyFrom: String?
    @Option(help: "Requests a second; the first rate of --find-capacity.") var rate: Double = 1000
    @Option(help: "Measured seconds of a run; 10 by default, 3 with --find-capacity.") var duration: Double?
    @Option(help: "Warm-up seconds, not measured.") var warmUp: Double = 2
    @Option(help: "Connections, each with one request in flight.") var connections = 8
    @Option(
        help: "Histories from these events (CSV); any event may be the newest, equally likely.",
        completion: .file()
    )
    var historyFrom: String?
    @OptionGroup var columns: ColumnOptions
    @Option(help: "Histories of uniform integer ids 0 to N-1; 1000 unless --history-from is given.") var items: Int?
    @Option(help: "Ids per history: a number or a range such as 10-50.") var historyLength = HistoryLengths(
        range: 10...50
    )
    @Option(name: [.customShort("k"), .long], help: "Items to request.") var k = 50
    @Option(help: "Seed of the histories.") var seed: UInt64 = 42
    @Option(help: "Rates from:to:steps, one run each.") var ramp: Ramp?
    @Flag(help: "Find the highest rate that meets --budget-p99-us and is achieved to 99 percent.") var findCapacity =
        false
    @Flag(help: "Closed loop: every connection sends again as soon as it has an answer.") var saturate = false
    @Option(help: "Exit with 1 when p99 is above this.") var budgetP99Us: Double?
    @Option(help: "Exit with 1 when p99.9 is above this.") var budgetP999Us: Double?
    @Option(help: "How long a request waits for a connection, and then for its answer.") var timeoutMs = 2000
    @Option(help: "Write latency curves to this .html or .svg file.", completion: .file()) var report: String?
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        do { _ = try LoadTarget(url: url) } catch { throw ValidationError("--url: \(error)") }
        try ValidationError.require("--rate", rate, in: 0.1...1_000_000)
        try ValidationError.require("--duration", duration, in: 0.1...86_400)
        try ValidationError.require("--warm-up", warmUp, in: 0...3600)
        try ValidationError.require("--connections", connections, in: 1...20_000)
        try ValidationError.require("--timeout-ms", timeoutMs, in: 1...60_000)
        try ValidationError.require("--k", k, in: 1...1_000_000)
        guard [bodyFrom != nil, historyFrom != nil, items != nil].count(where: { $0 }) <= 1 else {
            throw ValidationError("--body-from, --history-from and --items exclude each other.")
        }
        try ValidationError.require("--items", items, in: 1...Int(Int32.max))
        guard [ramp != nil, findCapacity, saturate].count(where: { $0 }) <= 1 else {
            throw ValidationError("--ramp, --find-capacity and --saturate exclude each other.")
        }
        guard !findCapacity || budgetP99Us != nil else {
            throw ValidationError("--find-capacity needs --budget-p99-us, the highest allowed latency.")
        }
        try ValidationError.requirePositive("--budget-p99-us", budgetP99Us)
        try ValidationError.requirePositive("--budget-p999-us", budgetP999Us)
        if let report, !report.hasSuffix(".html"), !report.hasSuffix(".svg") {
            throw ValidationError("--report must end in .html or .svg; got '\(report)'.")
        }
    }

    func run() async throws {
        let target = try LoadTarget(url: url)
        let interruption = Interruption()
        let pool = try requests(to: target)
        let generator = try await LoadGenerator.connect(
            to: target,
            requests: pool,
            connections: connections,
            timeout: .milliseconds(timeoutMs)
        )
        let progress = LoadProgressView()
        let observer = RunObserver(
            onProgress: Terminal.isInteractive ? progress.show : nil,
            shouldStop: interruption.question
        )
        let test = LoadTest(generator: generator, seconds: duration, warmUp: warmUp, observer: observer)
        let outcome: LoadOutcome
        do {
            outcome = try await measure(test)
            progress.clear()
        } catch {
            progress.clear()
            throw error
        }
        try await generator.close()
        try write(outcome)
        if interruption.wasRequested { throw ExitCode.interrupted }
        let broken = brokenPromises(outcome)
        for line in broken { Terminal.write("dimerec: \(line)\n") }
        if !broken.isEmpty { throw ExitCode.failure }
    }

    private var budget: LatencyBudget { LatencyBudget(p99: budgetP99Us, p999: budgetP999Us) }

    private func requests(to target: LoadTarget) throws -> RequestPool {
        if let bodyFrom { return try RequestPool(target: target, bodiesFrom: bodyFrom) }
        return RequestPool(target: target, source: try histories(), lengths: historyLength.range, k: k, seed: seed)
    }

    private func histories() throws -> HistorySource {
        guard let historyFrom else { return .synthetic(items: items ?? 1000) }
        var vocabulary = ItemVocabulary()
        let events = try InteractionDataset.load(
            events: historyFrom,
            columns: columns.names,
            vocabulary: &vocabulary
        )
        Terminal.write(notes: events.notes)
        return .recorded(sequences: events.sequences, ids: vocabulary.ids)
    }

    private func measure(_ test: LoadTest) async throws -> LoadOutcome {
        if let ramp { return LoadOutcome(rows: try await test.ramp(ramp.rates)) }
        if findCapacity { return try await test.findCapacity(from: rate, budget: budget) }
        return LoadOutcome(rows: [try await test.run(saturate ? .closedLoop : .constant(rate: rate))])
    }

    /// Reasons to fail although the measurement is complete.
    private func brokenPromises(_ outcome: LoadOutcome) -> [String] {
        if findCapacity {
            return outcome.capacity == nil ? ["No rate of 1/s or more meets the budget."] : []
        }
        guard outcome.rows.contains(where: { $0.ok > 0 }) else { return ["No request got a good answer."] }
        return outcome.rows.flatMap { row in
            budget.violations(of: row).map { (row.rate.map { "At \(Int($0))/s: " } ?? "") + $0 }
        }
    }

    private func write(_ outcome: LoadOutcome) throws {
        if let report {
            let page = LatencyReport(title: "POST \(url), \(connections) connections", runs: outcome.rows)
            let text = report.hasSuffix(".svg") ? page.svg : page.html
            try text.write(toFile: report, atomically: true, encoding: .utf8)
        }
        if json {
            var object = outcome.object
            object["connections"] = connections
            Terminal.print(object.line)
        } else {
            Terminal.print(outcome.table)
        }
    }
}

/// The number of ids of a history: one number or a range.
struct HistoryLengths: ExpressibleByArgument, CustomStringConvertible {
    var range: ClosedRange<Int>

    init(range: ClosedRange<Int>) {
        self.range = range
    }

    init?(argument: String) {
        let ends = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count <= 2, let first = ends.first, let low = first, let last = ends.last, let high = last,
            0 <= low, low <= high, high <= 100_000
        else { return nil }
        range = low...high
    }

    var description: String { "\(range.lowerBound)-\(range.upperBound)" }
}

/// Evenly spaced rates.
struct Ramp: ExpressibleByArgument {
    let rates: [Double]

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let from = Double(parts[0]), let to = Double(parts[1]), let steps = Int(parts[2]),
            0.1...1_000_000 ~= from, 0.1...1_000_000 ~= to, 2...1000 ~= steps
        else { return nil }
        rates = (0..<steps).map { from + (to - from) * Double($0) / Double(steps - 1) }
    }
}
