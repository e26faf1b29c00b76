import HTTPAPI
import NIOCore
import Testing

@Suite("Backlog") struct BacklogTests {
    private static let delay = TimeAmount.milliseconds(10)

    /// Serves a batch with a fixed time for every answer and every refusal; returns which requests were answered.
    private func serve(
        _ requests: Int,
        answer: TimeAmount,
        refusal: TimeAmount,
        countLimit: Int = .max
    ) -> (admitted: [Bool], answering: TimeAmount, refusing: TimeAmount) {
        var backlog = Backlog(delayLimit: Self.delay, countLimit: countLimit)
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        backlog.begin(at: now)
        var (answering, refusing) = (TimeAmount.zero, TimeAmount.zero)
        let admitted = (0..<requests).map { _ in
            let isAdmitted = backlog.admits(at: now)
            now = now + (isAdmitted ? answer : refusal)
            if isAdmitted { answering = answering + answer } else { refusing = refusing + refusal }
            return isAdmitted
        }
        return (admitted, answering, refusing)
    }

    @Test("nothing is refused within the limits")
    func admitsWithinLimits() {
        let served = serve(201, answer: .microseconds(50), refusal: .microseconds(10), countLimit: 201)
        #expect(served.admitted.allSatisfy { $0 })
    }

    @Test("requests above the delay limit are refused")
    func refusesLate() {
        // Refusing 60 requests takes less than a sixteenth of the 10 ms of answering time.
        let served = serve(261, answer: .microseconds(50), refusal: .microseconds(10))
        #expect(served.admitted.prefix(201).allSatisfy { $0 })
        #expect(!served.admitted.dropFirst(201).contains(true))
    }

    @Test("requests above the count limit are refused")
    func refusesMany() {
        let served = serve(60, answer: .microseconds(50), refusal: .microseconds(10), countLimit: 50)
        #expect(served.admitted == (0..<60).map { $0 < 50 })
    }

    @Test(
        "refusals take at most a seventeenth of the time, whatever the load and the cost of a refusal",
        arguments: [1_000, 10_000, 100_000],
        [1, 5, 20, 50, 200] as [Int64]
    )
    func keepsAnswering(requests: Int, refusal: Int64) {
        let served = serve(requests, answer: .microseconds(50), refusal: .microseconds(refusal))
        #expect(served.refusing.nanoseconds <= served.answering.nanoseconds / 16 + refusal * 1000)
        #expect(served.admitted.contains(false))
        if served.answering.nanoseconds < Self.delay.nanoseconds * 2 {
            // The share was not used up, so every late request was refused.
            #expect(served.refusing.nanoseconds <= served.answering.nanoseconds)
        } else {
            #expect(served.refusing.nanoseconds >= served.answering.nanoseconds / 16 - refusal * 1000 - 50_000)
        }
    }

    @Test("the next batch starts from zero")
    func forgets() {
        var backlog = Backlog(delayLimit: Self.delay, countLimit: 1)
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        backlog.begin(at: now)
        let first = backlog.admits(at: now)
        now = now + .milliseconds(20)
        let second = backlog.admits(at: now)
        #expect(first && !second)
        backlog.end()
        #expect(backlog.start == nil)
        backlog.begin(at: now)
        let third = backlog.admits(at: now)
        #expect(third && backlog.start == now)
    }
}
