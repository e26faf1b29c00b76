/// The slowest entries of a stream, for this and the previous minute and for this and the previous hour.
///
/// Each of the four lists keeps up to ``capacity`` entries. A full minute accepts only slower entries, so one
/// comparison with ``threshold`` rejects most entries.
package struct SlowestEntries<Entry> {
    /// How many entries each list keeps.
    package static var capacity: Int { 32 }

    /// An entry and its duration.
    package typealias Timed = (duration: UInt64, entry: Entry)

    private var minute: UInt64 = 0
    private var current: [Timed] = []
    private var previous: [Timed] = []
    private var hour: [Timed] = []
    private var previousHour: [Timed] = []

    /// Starts with no entry.
    package init() {}

    /// All kept entries.
    ///
    /// They always include the slowest of the last minute and of the last hour.
    package var entries: [Timed] { current + previous + hour + previousHour }

    /// The duration that the next entry of this minute must exceed to be kept.
    package var threshold: UInt64 {
        current.count < Self.capacity ? 0 : current.lazy.map(\.duration).min() ?? 0
    }

    /// Keeps an entry if it is one of the slowest.
    ///
    /// - Parameters:
    ///   - entry: The entry.
    ///   - duration: The entry's duration.
    ///   - minute: When the entry ended, in whole minutes of any monotonic clock.
    package mutating func insert(_ entry: Entry, duration: UInt64, minute: UInt64) {
        if minute != self.minute { advance(to: minute) }
        Self.insert((duration, entry), into: &current)
    }

    private mutating func advance(to minute: UInt64) {
        let (lastHour, nextHour) = (self.minute / 60, minute / 60)
        // The minute before an hour's first minute belongs to the previous hour.
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
