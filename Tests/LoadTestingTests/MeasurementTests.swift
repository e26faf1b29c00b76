import Kernels
import LoadTesting
import NIOCore
import Testing

@Suite("Measurements") struct MeasurementTests {
    @Test("percentiles equal those of the sorted latencies, to a thousandth")
    func percentiles() {
        let random = CounterBasedGenerator(seed: 3, purpose: .simulation)
        // From a microsecond to ten seconds, log-uniform.
        let values = random.uniforms(stream: 0, count: 20_000).map { u -> Int64 in
            var value = 1000.0
            for _ in 0..<7 { value *= 1 + 9 * u * u }
            return Int64(value)
        }
        var histogram = LatencyHistogram()
        for value in values { histogram.record(nanoseconds: value) }
        let sorted = values.sorted()
        for fraction in [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = Double(sorted[max(0, Int((fraction * 20_000).rounded(.up)) - 1)]) / 1000
            #expect(abs(histogram[fraction] - exact) <= exact * 0.001 + 0.064, "at \(fraction)")
        }
        #expect(histogram.count == 20_000)
        #expect(abs(histogram.maximum - Double(sorted[19_999]) / 1000) <= histogram.maximum * 0.001)
        #expect(abs(histogram.count(from: 1000) - values.count { $0 >= 1_000_000 }) <= 20)
    }

    @Test("latencies outside the histogram's range are counted too")
    func extremes() {
        var histogram = LatencyHistogram()
        #expect(histogram[0.5] == 0 && histogram.maximum == 0 && histogram.mean == 0)
        for value: Int64 in [-5, 0, .max] { histogram.record(nanoseconds: value) }
        #expect(histogram.count == 3)
        #expect(abs(histogram.maximum - 60_000_000) <= 60_000)
    }

    @Test("due times depend only on the start and the request's number", arguments: [3.0, 999, 5000, 50_000])
    func dueTimes(rate: Double) throws {
        let start = NIODeadline.uptimeNanoseconds(1_000_000)
        var schedule = Schedule(.constant(rate: rate), start: start, warmUp: .seconds(1), duration: .seconds(2))
        var measured = 0
        while let due = schedule.nextDue(at: start) {
            let exact = Double(schedule.taken) * 1e9 / rate
            #expect(abs(Double((due - start).nanoseconds) - exact) <= 1)
            if schedule.isMeasured(due) { measured += 1 }
            schedule.take()
        }
        #expect(Double(schedule.taken) == 3 * rate)
        #expect(abs(measured - Int(2 * rate)) <= 1)
    }

    @Test("in a closed loop a request is always due, until the end")
    func closedLoop() {
        let start = NIODeadline.uptimeNanoseconds(1000)
        let schedule = Schedule(.closedLoop, start: start, warmUp: .nanoseconds(10), duration: .nanoseconds(20))
        #expect(schedule.nextDue(at: start + .nanoseconds(29)) == start + .nanoseconds(29))
        #expect(schedule.nextDue(at: start + .nanoseconds(30)) == nil)
        #expect(!schedule.isMeasured(start + .nanoseconds(9)) && schedule.isMeasured(start + .nanoseconds(10)))
    }

    /// 998 answers of 100 us and two of 2 ms.
    private func measurement(rate: Double, seconds: Double) -> LoadMeasurement {
        var measurement = LoadMeasurement()
        measurement.rate = rate
        measurement.seconds = seconds
        measurement.sent = 1000
        for number in 0..<1000 {
            let latency: Int64 = number < 998 ? 100_000 : 2_000_000
            measurement.record(200, latency: latency, serviceTime: 90_000)
        }
        return measurement
    }

    @Test("a bounded percentile or the lack of a good answer breaks the budget")
    func budgets() {
        let run = measurement(rate: 1000, seconds: 1)
        #expect(LatencyBudget().violations(of: LoadMeasurement()).isEmpty)
        #expect(LatencyBudget(p99: 101, p999: 2010).violations(of: run).isEmpty)
        #expect(LatencyBudget(p99: 99).violations(of: run).count == 1)
        #expect(LatencyBudget(p99: 99, p999: 1500).violations(of: run).count == 2)
        #expect(LatencyBudget(p999: 1500).violations(of: LoadMeasurement()).count == 1)
    }

    @Test("a rate is sustained if 99 percent of it is achieved within the budget")
    func sustained() {
        let budget = LatencyBudget(p99: 500)
        #expect(budget.isSustained(by: measurement(rate: 1000, seconds: 1.009)))
        #expect(!budget.isSustained(by: measurement(rate: 1000, seconds: 1.02)))
        #expect(!LatencyBudget(p99: 50).isSustained(by: measurement(rate: 1000, seconds: 1)))
        #expect(!budget.isSustained(by: LoadMeasurement()))
    }

    @Test("merged runs add up")
    func sums() {
        var other = measurement(rate: 500, seconds: 2)
        other.record(503, latency: 1000, serviceTime: 1000)
        other.sent += 1
        other.timeouts = 4
        other.disconnects = 3
        other.sent += 7
        other.unsent = 5
        let sum = measurement(rate: 1000, seconds: 1) + other
        #expect(sum.sent == 2008 && sum.ok == 2000 && sum.errors == 8 && sum.shed == 1 && sum.due == 2013)
        #expect(sum.sent == sum.ok + sum.errors)
        #expect(sum.latency.count == 2000 && sum.shedLatency.count == 1 && sum.rate == nil)
        #expect(abs(sum.achievedRate - 2000.0 / 3) < 0.01)
    }
}
