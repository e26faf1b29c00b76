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
