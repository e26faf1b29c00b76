package import NIOCore

/// Load shedding of an event loop: measures its delay and decides which requests to refuse.
///
/// A loop answers inline, so its queue lies in the sockets and cannot be measured directly. The kernel reports all
/// readable connections as one batch of events, and the loop serves them one after another. A request late in the
/// batch has waited since the batch began, although the loop reads its bytes only now. So the age of a request counts
/// from the beginning of its batch. It arrived during the previous batch at the earliest. So, while every late request
/// can be refused, no request is answered later than about twice the limit after its arrival.
///
/// Beyond either limit (time since the batch began, requests answered in it) the loop refuses a request. It does so
/// only while refusals have taken at most a sixteenth of the answering time in this batch. A refusal costs a large
/// part of an answer's cost, and refused clients retry at once. A loop that refused every late request would soon do
/// nothing else. With this rule at least 94 percent of a loop's time goes into answers under any load; the sockets
/// hold back the excess (backpressure). The time of a request ends when the next request begins, so it includes the
/// request's writes to the socket.
package struct Backlog {
    /// Refusals may take up to the answering time divided by this number.
    private static let refusalShare: Int64 = 16

    private let delayLimit: TimeAmount
    private let countLimit: Int
    private var turn = NIODeadline.uptimeNanoseconds(0)
    private var wasRefused = false
    private var answered = 0
    private var answering = TimeAmount.zero
    private var refusing = TimeAmount.zero
    /// When the current batch began; nil between batches.
    package private(set) var start: NIODeadline?

    /// Starts with a loop that has no delay.
    ///
    /// - Parameters:
    ///   - delayLimit: The age above which a request may be refused.
    ///   - countLimit: How many requests of a batch are answered before the rest may be refused.
    package init(delayLimit: TimeAmount, countLimit: Int) {
        self.delayLimit = delayLimit
        self.countLimit = countLimit
    }

    /// Begins a batch.
    package mutating func begin(at now: NIODeadline) {
        start = now
        turn = now
        wasRefused = false
        answered = 0
        answering = .zero
        refusing = .zero
    }

    /// Ends a batch.
    package mutating func end() {
        start = nil
    }

    /// Whether to answer the next request of the batch; false is to refuse it.
    package mutating func admits(at now: NIODeadline) -> Bool {
        guard let start else { return true }
        if wasRefused { refusing = refusing + (now - turn) } else { answering = answering + (now - turn) }
        turn = now
        let isBehind = now - start > delayLimit || answered >= countLimit
        wasRefused = isBehind && refusing.nanoseconds <= answering.nanoseconds / Self.refusalShare
        if !wasRefused { answered += 1 }
        return !wasRefused
    }
}
