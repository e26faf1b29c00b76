import Kernels
package import NIOCore
package import Serving
import Synchronization

/// The data plane's counters, over all of its threads.
///
/// Each thread counts with its own ``RequestRecorder``, in memory that no other thread writes. Only a scrape reads and
/// sums all of them.
package final class ServerMetrics: Sendable {
    private let threads = Mutex<[ThreadRecord]>([])
    private let heavy = Atomic(0)
    private let acceptFailed = Atomic(0)
    private let popularity = AnswerPopularity()

    /// How often a connection could not be accepted, usually because no file descriptor was free.
    var acceptFailures: Int { acceptFailed.load(ordering: .relaxed) }

    /// Counts a connection that could not be accepted.
    func countAcceptFailure() { acceptFailed.add(1, ordering: .relaxed) }

    /// The heavy requests that are queued or in progress.
    var heavyRequests: Int { heavy.load(ordering: .relaxed) }

    /// Adds heavy requests; a negative number removes them.
    func addHeavyRequests(_ count: Int) { heavy.add(count, ordering: .relaxed) }

    /// Starts with all counters at zero.
    package init() {}

    /// Makes a recorder for one thread; its counts outlive it.
    package func makeRecorder() -> RequestRecorder {
        let record = ThreadRecord()
        threads.withLock { $0.append(record) }
        return RequestRecorder(record, popularity: popularity)
    }

    /// The sums over all recorders, by cell.
    func totals() -> [UInt64] {
        var sums = [UInt64](repeating: 0, count: RecorderCells.count)
        for thread in threads.withLock({ $0 }) {
            for cell in sums.indices { sums[cell] &+= thread.cells[cell] }
        }
        return sums
    }

    /// The drift figures of the minute before a time.
    func drift(at now: NIODeadline) -> Drift {
        var drift = Drift()
        for thread in threads.withLock({ $0 }) { thread.answers.add(to: &drift, at: now) }
        drift.popularity = popularity.mean(at: now)
        return drift
    }

    /// Slow requests of the last hour with their times in nanoseconds.
    ///
    /// They always include the slowest of the last hour and of the last minute.
    func slowRequests() -> [(duration: UInt64, entry: Outcome)] {
        threads.withLock { $0 }.flatMap { thread in thread.slowest.withLock { $0.entries } }
    }

    /// Waits until the drift figures include all answers so far.
    package func waitUntilIdle() async { await popularity.waitUntilIdle() }
}

/// One thread's counts, for other threads to read.
private final class ThreadRecord: Sendable {
    let cells = RecorderCells()
    let answers = RecentAnswers()
    let slowest = Mutex(SlowestEntries<Outcome>())
}

/// Counts the requests of one thread.
///
/// It shares no written cache line with other threads. It allocates only for the slowest requests and for a hundred
/// answers a second that are sampled for their popularity.
///
/// Not Sendable: only its thread may use it.
package final class RequestRecorder {
    private static let minute: UInt64 = 60_000_000_000
    /// The time between two sampled answers.
    private static let sampleInterval: UInt64 = 10_000_000

    private let record: ThreadRecord
    private let popularity: AnswerPopularity
    /// A request must take longer than this to be among the slowest of this minute.
    private var slowThreshold: UInt64 = 0
    private var minuteEnd: UInt64 = 0
    private var nextSample: UInt64 = 0
    /// Distinguishes the items of the last catalogue from those of other catalogues.
    private var catalogue: (generation: UInt64, salt: UInt64)?

    private var cells: RecorderCells { record.cells }

    fileprivate init(_ record: ThreadRecord, popularity: AnswerPopularity) {
        self.record = record
        self.popularity = popularity
    }

    /// Counts an answered request, successful or not.
    ///
    /// - Parameters:
    ///   - route: The route.
    ///   - status: The HTTP status, 100 to 599.
    ///   - nanoseconds: The time from the complete request to its written answer.
    ///   - times: The stage times; a stage of zero did not run and is not counted.
    ///   - unknownIDs: How many history ids are not in the catalogue.
    ///   - fallbacks: How many answers were popular items instead of a prediction.
    package func answered(
        _ route: RouteLabel,
        status: Int,
        nanoseconds: UInt64,
        times: StageTimes? = nil,
        unknownIDs: Int = 0,
        fallbacks: Int = 0
    ) {
        cells.add(1, to: RecorderCells.request(route, status: status))
        count(nanoseconds, in: .duration(of: route))
        if let times {
            for stage in StageLabel.allCases where times[stage] > 0 { count(times[stage], in: .duration(of: stage)) }
        }
        if unknownIDs > 0 { cells.add(UInt64(unknownIDs), to: RecorderCells.unknownIDs) }
        if fallbacks > 0 { cells.add(UInt64(fallbacks), to: RecorderCells.fallback(.popular)) }
    }

    /// Counts a retrieval's input and answer.
    ///
    /// - Parameters:
    ///   - response: The answer.
    ///   - rules: The kinds of rules of the request.
    ///   - historyIDs: How many history ids were read.
    ///   - now: The current time, exact to some milliseconds.
    package func retrieved(
        _ response: borrowing RetrievalResponse,
        rules: [RuleKind] = [],
        historyIDs: Int,
        at now: NIODeadline
    ) {
        if historyIDs > 0 { cells.add(UInt64(historyIDs), to: RecorderCells.historyIDs) }
        if let reason = response.exactReason { cells.add(1, to: RecorderCells.exact(reason)) }
        for source in response.fused?.sources ?? [] { cells.add(1, to: RecorderCells.source(source.status)) }
        for rule in rules { cells.add(1, to: RecorderCells.rule(rule)) }
        if let effects = response.effects {
            for effect in RuleEffects.Effect.allCases where effects[effect] > 0 {
                cells.add(UInt64(effects[effect]), to: RecorderCells.ruled(effect))
            }
        }
        let snapshot = response.snapshot
        if catalogue?.generation != snapshot.generation {
            // Salt by model, not by version: item numbers rarely change between a model's versions.
            let salt = snapshot.model.utf8.reduce(0) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            catalogue = (snapshot.generation, salt)
        }
        let period = DriftWindow.period(of: now)
        record.answers.count(
            response.items,
            salt: catalogue?.salt ?? 0,
            historyIDs: historyIDs,
            unknownIDs: response.unknownIDs,
            period: period
        )
        guard now.uptimeNanoseconds >= nextSample else { return }
        nextSample = now.uptimeNanoseconds + Self.sampleInterval
        popularity.note(response.items.map(\.id), from: snapshot, period: period)
    }

    /// Keeps a request if it is one of the slowest; nearly always costs two comparisons.
    func keepIfSlow(_ outcome: borrowing Outcome) {
        let (duration, end) = (outcome.duration, outcome.end.uptimeNanoseconds)
        guard duration > slowThreshold || end >= minuteEnd else { return }
        let minute = end / Self.minute
        let entry = copy outcome
        // Never waits: drops the request while another thread reads the list.
        let threshold = record.slowest.withLockIfAvailable { slowest in
            slowest.insert(entry, duration: duration, minute: minute)
            return slowest.threshold
        }
        guard let threshold else { return }
        slowThreshold = threshold
        minuteEnd = (minute + 1) * Self.minute
    }

    /// Counts a request or connection that the server shed.
    package func shed(_ reason: ShedReason) {
        cells.add(1, to: RecorderCells.shed(reason))
    }

    /// The requests that this thread's event loop is answering now.
    package var inFlight: Int {
        get { Int(cells[RecorderCells.inFlight]) }
        set { cells.set(RecorderCells.inFlight, to: UInt64(max(0, newValue))) }
    }

    private func count(_ nanoseconds: UInt64, in histogram: HistogramCells) {
        cells.add(1, to: histogram.bucket(of: nanoseconds))
        cells.add(nanoseconds, to: histogram.sum)
    }
}

/// The counters of one recorder: one thread writes them, any thread may read them.
final class RecorderCells: Sendable {
    // A margin of two cache lines on both sides prevents false sharing with other heap objects.
    private static var margin: Int { 16 }
    private let cells = InlineArray<6144, Atomic<UInt64>> { _ in Atomic(0) }

    /// The value of one cell; it may lag slightly.
    subscript(cell: Int) -> UInt64 {
        cells[cell].load(ordering: .relaxed)
    }

    /// Adds to a cell; the single writer needs no atomic addition.
    func add(_ amount: UInt64, to cell: Int) {
        set(cell, to: self[cell] &+ amount)
    }

    func set(_ cell: Int, to value: UInt64) {
        cells[cell].store(value, ordering: .relaxed)
    }

    // MARK: Which cell counts what

    private static var codes: Int { 500 }
    private static var afterRequests: Int { margin + RouteLabel.count * codes }

    static func request(_ route: RouteLabel, status: Int) -> Int {
        precondition(100..<600 ~= status, "\(status) is not an HTTP status")
        return margin + route.rawValue * codes + status - 100
    }

    static var inFlight: Int { afterRequests }
    static var unknownIDs: Int { afterRequests + 1 }
    static func fallback(_ kind: Fallback) -> Int {
        switch kind {
        case .popular: afterRequests + 2
        }
    }
    static func shed(_ reason: ShedReason) -> Int { afterRequests + 3 + reason.rawValue }
    static var historyIDs: Int { afterRequests + 3 + ShedReason.count }
    static func exact(_ reason: ExactSearchReason) -> Int {
        switch reason {
        case .request: historyIDs + 1
        case .filter: historyIDs + 2
        case .effort: historyIDs + 3
        }
    }
    static func source(_ status: FusedSources.Status) -> Int {
        switch status {
        case .ok: historyIDs + 4
        case .fallback: historyIDs + 5
        case .notReady: historyIDs + 6
        case .failed: historyIDs + 7
        }
    }
    static func rule(_ kind: RuleKind) -> Int { historyIDs + 8 + kind.position }
    static func ruled(_ effect: RuleEffects.Effect) -> Int {
        historyIDs + 8 + RuleKind.allCases.count + effect.position
    }
    static var histograms: Int { historyIDs + 8 + RuleKind.allCases.count + RuleEffects.Effect.allCases.count }

    /// How many cells are in use, including the first margin.
    static var count: Int {
        let last = HistogramCells.duration(of: StageLabel.encode)
        precondition(last.sum + 1 + margin <= 6144, "\(last.sum) cells do not fit")
        return last.sum + 1
    }
}

/// The cells of one histogram of durations: one for each bound, one for longer durations, one for the sum.
struct HistogramCells {
    /// The buckets' upper bounds, in nanoseconds.
    let bounds: [UInt64]
    private let start: Int

    private static let requestBounds: [UInt64] = [
        100_000, 200_000, 300_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000, 5_000_000, 10_000_000,
        25_000_000, 100_000_000, 1_000_000_000,
    ]
    private static let stageBounds: [UInt64] = [
        1000, 2000, 3000, 5000, 7500, 10_000, 15_000, 20_000, 30_000, 50_000, 75_000, 100_000, 200_000, 500_000,
        1_000_000, 2_000_000, 5_000_000, 10_000_000,
    ]
    private static var requestCells: Int { 16 }
    private static var stageCells: Int { 20 }

    static func duration(of route: RouteLabel) -> HistogramCells {
        HistogramCells(bounds: requestBounds, start: RecorderCells.histograms + route.rawValue * requestCells)
    }

    static func duration(of stage: StageLabel) -> HistogramCells {
        let start = RecorderCells.histograms + RouteLabel.count * requestCells
        return HistogramCells(bounds: stageBounds, start: start + stage.rawValue * stageCells)
    }

    private init(bounds: [UInt64], start: Int) {
        self.bounds = bounds
        self.start = start
    }

    /// The cell of the first bound that is not below a duration.
    func bucket(of nanoseconds: UInt64) -> Int {
        var bucket = 0
        while bucket < bounds.count, nanoseconds > bounds[bucket] { bucket += 1 }
        return start + bucket
    }

    /// The cells of the bounds and of longer durations.
    var buckets: Range<Int> { start..<start + bounds.count + 1 }

    /// The cell of the sum, in nanoseconds.
    var sum: Int { start + bounds.count + 1 }
}
