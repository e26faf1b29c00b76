import Kernels
import Serving
import Synchronization

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
