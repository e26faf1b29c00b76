import Foundation
import Kernels
import LoadTesting
import Testing

@Suite("capacity plan") struct CapacityPlanTests {
    private static func row(_ items: Int, _ factor: Double) -> SizingMeasurements.Row {
        SizingMeasurements.Row(
            items: items,
            buildSeconds: 0.5 * factor,
            indexBytes: 300 * items,
            searchMicroseconds: 10 * factor.squareRoot(),
            searchP99Microseconds: 20 * factor.squareRoot(),
            requestsPerSecond: 18_000 / (1 + factor / 10),
            residentBytes: 50_000_000 + 800 * items,
            exportedBytes: 600 * items,
            targetsPerSecond: 20_000 / (1 + factor / 20)
        )
    }

    private let measurements = SizingMeasurements(
        machine: "test",
        dimension: 64,
        requestBytes: 400,
        answerBytes: 2300,
        rows: [Self.row(10_000, 0.2), Self.row(100_000, 1), Self.row(1_000_000, 7)]
    )

    private func plan(
        _ demand: CapacityPlan.Demand,
        _ change: (inout CapacityPlan.Machine) -> Void = { _ in }
    ) -> CapacityPlan {
        var machine = CapacityPlan.Machine()
        change(&machine)
        return CapacityPlan(measurements, demand, on: machine)
    }

    private let demand = CapacityPlan.Demand(items: 1e6, dimension: 64, requests: 1000, p99Milliseconds: 5, events: 1e6)

    @Test("at a measured size with one version the plan gives the measurements", arguments: [0, 1, 2])
    func exact(position: Int) {
        let row = measurements.rows[position]
        var demand = demand
        demand.items = Double(row.items)
        let plan = plan(demand) { $0.versions = 1 }
        func isNear(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * abs(b) }
        #expect(plan.fewestShards == 1 && plan.shards == 1)
        #expect(isNear(plan.memoryBytes, Double(row.residentBytes)))
        #expect(isNear(plan.requestMicroseconds, 1e6 / row.requestsPerSecond))
        #expect(isNear(plan.buildSeconds, row.buildSeconds))
        #expect(isNear(plan.trainingSeconds, 1e6 / row.targetsPerSecond))
        #expect(isNear(plan.publicationBytes, Double(row.exportedBytes) * plan.processes))
        #expect(isNear(plan.busyCores, 1000 / row.requestsPerSecond))
    }

    /// The results that never fall, by name.
    private func results(_ plan: CapacityPlan) -> [(String, Double)] {
        [
            ("shards", plan.fewestShards.map(Double.init) ?? .infinity),
            ("processes", plan.fewestShards == nil ? .infinity : plan.processes), ("training", plan.trainingSeconds),
            ("table", plan.trainingTableBytes),
        ]
    }

    @Test("no result falls when an input of the demand rises, or when the budget becomes tighter")
    func monotone() {
        let generator = CounterBasedGenerator(seed: 3, purpose: .simulation)
        for trial in 0..<60 {
            let draws = generator.uniforms(stream: UInt64(trial), count: 8)
            func spread(_ position: Int, _ low: Double, _ high: Double) -> Double {
                low * pow(high / low, draws[position])
            }
            let base = CapacityPlan.Demand(
                items: spread(0, 1e3, 1e9),
                dimension: spread(1, 8, 512).rounded(),
                requests: spread(2, 1, 1e6),
                p99Milliseconds: spread(3, 0.2, 50),
                events: spread(4, 1e4, 1e12)
            )
            let factor = 1 + draws[5] * 3
            let changes: [(String, (inout CapacityPlan.Demand) -> Void)] = [
                ("items", { $0.items *= factor }), ("dimension", { $0.dimension *= factor }),
                ("requests", { $0.requests *= factor }), ("budget", { $0.p99Milliseconds /= factor }),
                ("events", { $0.events *= factor }),
            ]
            let before = plan(base)
            for (input, change) in changes {
                var larger = base
                change(&larger)
                let after = plan(larger)
                for (old, new) in zip(results(before), results(after)) {
                    #expect(new.1 >= old.1 * (1 - 1e-12), "\(old.0) falls with \(input): \(base)")
                }
            }
        }
    }

    @Test("the plan keeps memory, latency and cores, and one shard fewer would not")
    func keepsLimits() {
        for (items, budget) in [(1e6, 5.0), (5e7, 5), (2e8, 5), (2e8, 0.5), (1e9, 1)] {
            var demand = demand
            (demand.items, demand.p99Milliseconds, demand.requests) = (items, budget, 50_000)
            let plan = plan(demand)
            guard let shards = plan.fewestShards else { continue }
            #expect(plan.memoryBytes <= 64e9 * 0.8 && plan.p99Microseconds <= budget * 1000)
            #expect(plan.busyCores <= 0.5 * 8 * (plan.replicas - 1) && plan.shards >= Double(shards))
            guard shards > 1 else { continue }
            var fewer = demand
            fewer.items = demand.items / Double(shards - 1)
            #expect(self.plan(fewer).fewestShards != 1)
        }
    }

    @Test("a budget below the time of a request, and a memory below the program, have no plan")
    func impossible() {
        var fast = demand
        fast.p99Milliseconds = 0.01
        let plan = plan(fast)
        #expect(plan.fewestShards == nil && plan.shardsForLatency == nil && plan.shardsForMemory == 1)
        let small = self.plan(demand) { $0.memoryGB = 0.05 }
        #expect(small.fewestShards == nil && small.shardsForMemory == nil && small.shardsForLatency == 1)
    }

    @Test("the speed of a recipe replaces the measured one, whatever the items")
    func recipe() {
        var demand = demand
        (demand.targetsPerSecond, demand.dimension, demand.events) = (5000, 256, 1e7)
        let plan = plan(demand) { $0.epochs = 3 }
        #expect(plan.trainingSeconds == 6000 && plan.trainingLogBytes == 2.4e8)
    }

    @Test("a curve is exact at its points, linear between and beyond them, and takes a fall as noise")
    func curve() {
        let curve = MeasuredCurve([(10, 1), (30, 5), (20, 3), (40, 4)])
        #expect([5, 10, 15, 20, 25, 30, 35, 40].map { curve($0) } == [1, 1, 2, 3, 4, 5, 5, 5])
        #expect(abs(curve(70) - 9) < 1e-12, "the last two are equal, so the slope is that from the first to the last")
        let line = MeasuredCurve([(10, 1), (20, 3)])
        #expect(line(40) == 7 && MeasuredCurve([(10, 4)])(20) == 8)
    }

    @Test("bad measurements say what is wrong")
    func contradictions() {
        var changed = measurements
        changed.rows[1].requestsPerSecond = 0
        #expect(changed.contradiction?.contains("rows[1]") == true)
        changed = measurements
        changed.rows[2].items = 5
        #expect(changed.contradiction?.contains("rows[2].items is 5") == true)
        changed.rows = []
        #expect(changed.contradiction == "rows is empty" && measurements.contradiction == nil)
    }
}
