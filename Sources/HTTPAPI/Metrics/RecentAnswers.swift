import Kernels
import NIOCore
import Serving
import Synchronization

/// The time window of the drift figures: about a minute, in periods of ten seconds.
enum DriftWindow {
    /// The number of slots for periods.
    ///
    /// More slots than reported periods ensure that no slot is read while it is reused.
    static let rooms = 8
    /// How many periods are reported, including the current one.
    private static let periods: UInt64 = 6
    private static let nanoseconds: UInt64 = 10_000_000_000

    /// The number of the period of a time, from 1.
    static func period(of time: NIODeadline) -> UInt64 { time.uptimeNanoseconds / nanoseconds + 1 }

    /// The slot of a period.
    static func room(of period: UInt64) -> Int { Int(period % UInt64(rooms)) }

    /// The periods to report.
    static func recent(at time: NIODeadline) -> ClosedRange<UInt64> {
        let now = period(of: time)
        return (now > periods ? now - periods + 1 : 1)...now
    }
}

/// One thread's answers of the last minute: only that thread writes, any thread reads.
///
/// It needs no lock. A reader that comes while a slot is cleared may miss a few answers from a minute ago.
final class RecentAnswers: Sendable {
    private struct Room: ~Copyable, Sendable {
        let period = Atomic<UInt64>(0)
        let historyIDs = Atomic<UInt64>(0)
        let unknownIDs = Atomic<UInt64>(0)
        let registers = InlineArray<2048, Atomic<UInt8>> { _ in Atomic(0) }
    }

    private let rooms = InlineArray<8, Room> { _ in Room() }

    /// Counts an answer.
    ///
    /// - Parameters:
    ///   - items: The answered items.
    ///   - salt: Distinguishes the items of different catalogues.
    ///   - historyIDs: How many history ids were read.
    ///   - unknownIDs: How many of these ids are not in the catalogue.
    ///   - period: The period of the ``DriftWindow``.
    func count(_ items: [Scored], salt: UInt64, historyIDs: Int, unknownIDs: Int, period: UInt64) {
        let room = DriftWindow.room(of: period)
        if rooms[room].period.load(ordering: .relaxed) != period { begin(period, room) }
        Self.add(historyIDs, to: rooms[room].historyIDs)
        Self.add(unknownIDs, to: rooms[room].unknownIDs)
        for item in items {
            let (register, rank) = DistinctCount.place(of: mix(UInt64(UInt32(bitPattern: item.id)) ^ salt))
            if rooms[room].registers[register].load(ordering: .relaxed) < rank {
                rooms[room].registers[register].store(rank, ordering: .relaxed)
            }
        }
    }

    /// Adds to a counter; the single writer needs no atomic addition.
    private static func add(_ amount: Int, to counter: borrowing Atomic<UInt64>) {
        guard amount > 0 else { return }
        counter.store(counter.load(ordering: .relaxed) &+ UInt64(amount), ordering: .relaxed)
    }

    private func begin(_ period: UInt64, _ room: Int) {
        rooms[room].period.store(0, ordering: .releasing)
        rooms[room].historyIDs.store(0, ordering: .relaxed)
        rooms[room].unknownIDs.store(0, ordering: .relaxed)
        for register in 0..<DistinctCount.registers { rooms[room].registers[register].store(0, ordering: .relaxed) }
        rooms[room].period.store(period, ordering: .releasing)
    }

    /// Adds this thread's counts to a sum.
    func add(to drift: inout Drift, at now: NIODeadline) {
        for period in DriftWindow.recent(at: now) {
            let room = DriftWindow.room(of: period)
            guard rooms[room].period.load(ordering: .acquiring) == period else { continue }
            drift.historyIDs += rooms[room].historyIDs.load(ordering: .relaxed)
            drift.unknownIDs += rooms[room].unknownIDs.load(ordering: .relaxed)
            for register in 0..<DistinctCount.registers {
                drift.items.raise(register, to: rooms[room].registers[register].load(ordering: .relaxed))
            }
        }
    }
}

/// The drift figures of all threads for the last minute.
struct Drift {
    var historyIDs: UInt64 = 0
    var unknownIDs: UInt64 = 0
    /// The distinct answered items.
    var items = DistinctCount()
    /// The mean popularity of the answered items, from 0, the most popular, to 1; nil without an answer.
    var popularity: Double?
}
