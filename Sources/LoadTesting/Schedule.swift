package import NIOCore

/// The due times of one run's requests.
package struct Schedule {
    let pacing: Pacing
    let start: NIODeadline
    /// Requests due before this time belong to the warm-up and do not count.
    let measuredFrom: NIODeadline
    /// The end: no request is due from here on.
    ///
    /// An interruption moves it to an earlier time.
    package var end: NIODeadline
    /// How many requests were sent or given up.
    package private(set) var taken = 0

    /// Creates a schedule of a warm-up and a measured time.
    package init(_ pacing: Pacing, start: NIODeadline, warmUp: TimeAmount, duration: TimeAmount) {
        self.pacing = pacing
        self.start = start
        measuredFrom = start + warmUp
        end = measuredFrom + duration
    }

    /// When the next request is due, possibly in the future; nil if none is left.
    ///
    /// The time is always computed from the start, so that rounding errors do not accumulate.
    package func nextDue(at now: NIODeadline) -> NIODeadline? {
        let due =
            switch pacing {
            case .constant(let rate): start + .nanoseconds(Int64(Double(taken) * (1e9 / rate)))
            case .closedLoop: now
            }
        return due < end ? due : nil
    }

    /// Advances past a request that was sent or given up.
    package mutating func take() {
        taken += 1
    }

    /// Whether a request that is due at a time counts.
    package func isMeasured(_ due: NIODeadline) -> Bool { due >= measuredFrom }
}
