package import NIOCore

/// When the requests of one run are due.
package struct Schedule {
    let pacing: Pacing
    let start: NIODeadline
    /// Requests due before this warm up and are not counted.
    let measuredFrom: NIODeadline
    /// Nothing falls due from here on; moved forward by an interruption.
    package var end: NIODeadline
    /// How many requests were sent or given up.
    package private(set) var taken = 0

    /// A schedule of a warm-up and a measured time.
    package init(_ pacing: Pacing, start: NIODeadline, warmUp: TimeAmount, duration: TimeAmount) {
        self.pacing = pacing
        self.start = start
        measuredFrom = start + warmUp
        end = measuredFrom + duration
    }

    /// When the next request is due, which may be in the future; nil when none is left.
    ///
    /// Computed from the start every time, so that rounding does not add up.
    package func nextDue(at now: NIODeadline) -> NIODeadline? {
        let due =
            switch pacing {
            case .constant(let rate): start + .nanoseconds(Int64(Double(taken) * (1e9 / rate)))
            case .closedLoop: now
            }
        return due < end ? due : nil
    }

    /// The next request is sent or given up.
    package mutating func take() {
        taken += 1
    }

    /// Whether a request due then is counted.
    package func isMeasured(_ due: NIODeadline) -> Bool { due >= measuredFrom }
}
