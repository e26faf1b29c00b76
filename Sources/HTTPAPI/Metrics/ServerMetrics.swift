package import Serving
import Synchronization

/// What the data plane counts, over all of its threads.
///
/// Each thread counts with a ``RequestRecorder`` of its own, in memory that no other thread writes; only a scrape reads all
/// of them and adds them up.
package final class ServerMetrics: Sendable {
    private let recorders = Mutex<[RecorderCells]>([])
    private let heavy = Atomic(0)

    /// Heavy requests that are queued or being answered.
    var heavyRequests: Int { heavy.load(ordering: .relaxed) }

    /// Counts heavy requests that were queued, or with a negative number those that left.
    func addHeavyRequests(_ count: Int) { heavy.add(count, ordering: .relaxed) }

    /// Nothing counted yet.
    package init() {}

    /// A recorder for one thread; what it counted stays when it is gone.
    package func makeRecorder() -> RequestRecorder {
        let cells = RecorderCells()
        recorders.withLock { $0.append(cells) }
        return RequestRecorder(cells)
    }

    /// Sums over all recorders, by cell.
    func totals() -> [UInt64] {
        var sums = [UInt64](repeating: 0, count: RecorderCells.count)
        for cells in recorders.withLock({ $0 }) {
            for cell in sums.indices { sums[cell] &+= cells[cell] }
        }
        return sums
    }
}

/// Counts the requests of one thread, without a lock, an allocation or a cache line that another thread writes.
///
/// Not Sendable: its thread alone may use it.
package final class RequestRecorder {
    private let cells: RecorderCells

    init(_ cells: RecorderCells) {
        self.cells = cells
    }

    /// Counts a request that was answered, well or with an error.
    ///
    /// - Parameters:
    ///   - route: What it asked for.
    ///   - status: The HTTP status, 100 to 599.
    ///   - nanoseconds: From when the request was complete to when its answer was written.
    ///   - times: Its stages; one of zero did not happen and is not counted.
    ///   - unknownIDs: Ids of the history that are not in the catalogue.
    ///   - fallbacks: How often popularity was answered instead of a prediction.
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

    /// Counts a request or connection that was turned away to keep the others fast.
    package func shed(_ reason: ShedReason) {
        cells.add(1, to: RecorderCells.shed(reason))
    }

    /// Requests that this thread's event loop is answering now.
    package var inFlight: Int {
        get { Int(cells[RecorderCells.inFlight]) }
        set { cells.set(RecorderCells.inFlight, to: UInt64(max(0, newValue))) }
    }

    private func count(_ nanoseconds: UInt64, in histogram: HistogramCells) {
        cells.add(1, to: histogram.bucket(of: nanoseconds))
        cells.add(nanoseconds, to: histogram.sum)
    }
}

/// The counters of one recorder: one thread writes, any thread reads.
final class RecorderCells: Sendable {
    // A margin of two cache lines on both sides keeps other objects of the heap away from the written lines.
    private static var margin: Int { 16 }
    private let cells = InlineArray<4096, Atomic<UInt64>> { _ in Atomic(0) }

    /// One cell, which may be a moment old.
    subscript(cell: Int) -> UInt64 {
        cells[cell].load(ordering: .relaxed)
    }

    /// Adds to a cell; its one writer needs no atomic addition.
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
        precondition(100..<600 ~= status, "\(status) is no HTTP status")
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
    static var histograms: Int { afterRequests + 3 + ShedReason.count }

    /// How many cells are in use, the first margin included.
    static var count: Int {
        let last = HistogramCells.duration(of: StageLabel.encode)
        precondition(last.sum + 1 + margin <= 4096, "\(last.sum) cells do not fit")
        return last.sum + 1
    }
}

/// The cells of one histogram of durations: one for each bound, one for what is beyond the last, one for the sum.
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

    /// The cell of the first bound that a duration does not exceed.
    func bucket(of nanoseconds: UInt64) -> Int {
        var bucket = 0
        while bucket < bounds.count, nanoseconds > bounds[bucket] { bucket += 1 }
        return start + bucket
    }

    /// The cells of the bounds, and of what is beyond.
    var buckets: Range<Int> { start..<start + bounds.count + 1 }

    /// The cell of the nanoseconds of all.
    var sum: Int { start + bounds.count + 1 }
}
