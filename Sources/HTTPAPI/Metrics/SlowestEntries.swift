/// The slowest of a stream of entries: of this minute and the one before, of this hour and the one before.
///
/// Each of the four keeps up to ``capacity`` entries. Nothing enters that is faster than all of a full minute, so that one
/// comparison with ``threshold`` turns most entries away.
package struct SlowestEntries<Entry> {
    /// How many entries each list keeps.
    package static var capacity: Int { 32 }

    /// An entry and what it is compared by.
    package typealias Timed = (duration: UInt64, entry: Entry)

    private var minute: UInt64 = 0
    private var current: [Timed] = []
    private var previous: [Timed] = []
    private var hour: [Timed] = []
    private var previousHour: [Timed] = []

    /// Nothing entered.
    package init() {}

    /// Every entry that is kept: surely the slowest of the last minute, and those of the last hour.
    package var entries: [Timed] { current + previous + hour + previousHour }

    /// What a further entry of the same minute must exceed to be kept.
    package var threshold: UInt64 {
        current.count < Self.capacity ? 0 : current.lazy.map(\.duration).min() ?? 0
    }

    /// Keeps an entry if it is one of the slowest.
    ///
    /// - Parameters:
    ///   - entry: What to keep.
    ///   - duration: How slow it is.
    ///   - minute: When it ended, in whole minutes of any clock that does not go back.
    package mutating func insert(_ entry: Entry, duration: UInt64, minute: UInt64) {
        if minute != self.minute { advance(to: minute) }
        Self.insert((duration, entry), into: &current)
    }

    private mutating func advance(to minute: UInt64) {
        let (lastHour, nextHour) = (self.minute / 60, minute / 60)
        // The minute before the first of an hour belongs to the hour before.
        if self.minute % 60 == 0 {
            for timed in previous { Self.insert(timed, into: &previousHour) }
        } else {
            for timed in previous { Self.insert(timed, into: &hour) }
        }
        previous.removeAll(keepingCapacity: true)
        if minute == self.minute + 1 {
            swap(&previous, &current)
        } else {
            for timed in current { Self.insert(timed, into: &hour) }
            current.removeAll(keepingCapacity: true)
        }
        if nextHour != lastHour {
            swap(&previousHour, &hour)
            hour.removeAll(keepingCapacity: true)
            if nextHour != lastHour + 1 { previousHour.removeAll(keepingCapacity: true) }
        }
        self.minute = minute
    }

    private static func insert(_ timed: Timed, into list: inout [Timed]) {
        if list.count < capacity {
            list.append(timed)
        } else if let least = list.indices.min(by: { list[$0].duration < list[$1].duration }),
            list[least].duration < timed.duration
        {
            list[least] = timed
        }
    }
}
