import Kernels
import LoadTesting
import Testing

@Suite("CapacitySearch") struct CapacitySearchTests {
    @Test(
        "finds the capacity within its tolerance",
        arguments: [1.5, 40, 777, 1000, 1001, 7300, 64_000, 123_456.7],
        [0.02, 0.1]
    )
    func knee(knee: Double, tolerance: Double) async throws {
        var trials = 0
        let found = await CapacitySearch(firstRate: 1000, tolerance: tolerance).run { rate in
            trials += 1
            return rate <= knee
        }
        let rate = try #require(found)
        #expect(rate <= knee && rate * (1 + tolerance) >= knee)
        #expect(trials <= 45, "\(trials) trials")
    }

    @Test("returns nil if no rate is sustained, and stops at the highest rate")
    func ends() async {
        #expect(await CapacitySearch().run { _ in false } == nil)
        #expect(await CapacitySearch(firstRate: 300, highestRate: 1000).run { _ in true } == 1000)
    }

    @Test("a rate fails after two bad trials, not after one")
    func noise() async throws {
        var failures: [Double: Int] = [:]
        let found = await CapacitySearch(firstRate: 1000).run { rate in
            failures[rate, default: 0] += 1
            return rate <= 8000 && failures[rate] != 1
        }
        #expect(try #require(found) >= 8000 / 1.05)
        #expect(failures.values.allSatisfy { $0 == 2 })
    }

    @Test("an interruption ends with the highest rate so far")
    func interruption() async {
        var rates: [Double] = []
        let found = await CapacitySearch(firstRate: 1000).run { rate in
            rates.append(rate)
            return rates.count > 3 ? nil : true
        }
        #expect(found == 4000 && rates == [1000, 2000, 4000, 8000])
    }
}
