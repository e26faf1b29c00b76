package import NIOCore

/// How far behind an event loop is, and whether it answers what comes next or refuses it.
///
/// A loop answers inline, so its queue is not a list that could be measured: it lies in the sockets. The kernel reports all
/// readable connections at once, and the loop then serves one after the other; whoever comes late in such a batch of events
/// has waited since the batch began, though its bytes were read only now. So the age of a request is counted from the
/// beginning of its batch. It arrived during the batch before, at the earliest, so while all that is late can be refused,
/// nothing is answered later than about twice the limit after it arrived.
///
/// Beyond either limit (time since the batch began, requests answered in it) a request is refused, as long as refusing has
/// taken no more than a sixteenth of the time of answering in this batch. Reading a request and writing a refusal costs a
/// good part of what an answer costs, and clients that are refused come back at once; a loop that refused everything late
/// would soon do nothing else. This way at least 94 percent of a loop's time goes into answers under any load, and the
/// sockets hold back what exceeds both. A request's turn ends when the next one begins, so that the time between them, its
/// writes to the socket above all, counts as its own.
package struct Backlog {
    /// Refusing may take one part in so many of the time of answering.
    private static let refusalShare: Int64 = 16

    private let delayLimit: TimeAmount
    private let countLimit: Int
    private var turn = NIODeadline.uptimeNanoseconds(0)
    private var wasRefused = false
    private var answered = 0
    private var answering = TimeAmount.zero
    private var refusing = TimeAmount.zero
    /// When the batch began; nil between batches.
    package private(set) var start: NIODeadline?

    /// A loop that is not behind.
    ///
    /// - Parameters:
    ///   - delayLimit: From which age on a request may be refused.
    ///   - countLimit: How many requests of a batch are answered before others may be refused.
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

    /// Whether the next request of the batch is to be answered rather than refused.
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
