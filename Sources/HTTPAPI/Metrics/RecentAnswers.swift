import Kernels
import NIOCore
import Serving
import Synchronization

/// The time over which drift is told: about a minute, in periods of ten seconds.
enum DriftWindow {
    /// Rooms for periods, more than are told, so that the oldest is not read while its room is used again.
    static let rooms = 8
    /// How many periods are told, the present one included.
    private static let periods: UInt64 = 6
    private static let nanoseconds: UInt64 = 10_000_000_000

    /// The number of the period of a time, from 1 on.
    static func period(of time: NIODeadline) -> UInt64 { time.uptimeNanoseconds / nanoseconds + 1 }

    /// Where a period's room is.
    static func room(of period: UInt64) -> Int { Int(period % UInt64(rooms)) }

    /// The periods that are told.
    static func recent(at time: NIODeadline) -> ClosedRange<UInt64> {
        let now = period(of: time)
        return (now > periods ? now - periods + 1 : 1)...now
    }
}

/// What one thread answered in the last minute; that thread alone writes, any thread reads.
///
/// Nothing is locked: a reader that comes while a room is cleared may miss a few answers of a minute ago.
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
    ///   - items: What was answered.
    ///   - salt: Tells the items of one catalogue from those of another.
    ///   - historyIDs: How many ids of its history were looked at.
    ///   - unknownIDs: How many of those are not in the catalogue.
    ///   - period: When, as a period of the ``DriftWindow``.
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

    /// The one writer needs no atomic addition.
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

    /// Adds what this thread counted to what others did.
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

/// What all threads answered in the last minute.
struct Drift {
    var historyIDs: UInt64 = 0
    var unknownIDs: UInt64 = 0
    /// The items that were answered.
    var items = DistinctCount()
    /// How popular the answered items are, 0 the most to 1 the least; nil without an answer.
    var popularity: Double?
}
