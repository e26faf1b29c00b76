import HTTPAPI
import NIOCore
import Testing

@Suite("Backlog") struct BacklogTests {
    private static let delay = TimeAmount.milliseconds(10)

    /// Serves a batch in which every answer and every refusal takes a fixed time; returns what was answered.
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

    @Test("beyond the delay requests are refused")
    func refusesLate() {
        // Refusing 60 takes less than a sixteenth of the 10 ms of answering.
        let served = serve(261, answer: .microseconds(50), refusal: .microseconds(10))
        #expect(served.admitted.prefix(201).allSatisfy { $0 })
        #expect(!served.admitted.dropFirst(201).contains(true))
    }

    @Test("beyond the count requests are refused")
    func refusesMany() {
        let served = serve(60, answer: .microseconds(50), refusal: .microseconds(10), countLimit: 50)
        #expect(served.admitted == (0..<60).map { $0 < 50 })
    }

    @Test(
        "however many requests there are and whatever a refusal costs, refusing takes a seventeenth of the time at most",
        arguments: [1_000, 10_000, 100_000],
        [1, 5, 20, 50, 200] as [Int64]
    )
    func keepsAnswering(requests: Int, refusal: Int64) {
        let served = serve(requests, answer: .microseconds(50), refusal: .microseconds(refusal))
        #expect(served.refusing.nanoseconds <= served.answering.nanoseconds / 16 + refusal * 1000)
        #expect(served.admitted.contains(false))
        if served.answering.nanoseconds < Self.delay.nanoseconds * 2 {
            // The share was not used up, so everything late was refused.
            #expect(served.refusing.nanoseconds <= served.answering.nanoseconds)
        } else {
            #expect(served.refusing.nanoseconds >= served.answering.nanoseconds / 16 - refusal * 1000 - 50_000)
        }
    }

    @Test("the next batch starts anew")
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
