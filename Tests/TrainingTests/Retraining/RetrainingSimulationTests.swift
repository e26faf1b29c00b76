import CheckpointStore
import Foundation
import Recommenders
import Testing
import Training

@Suite("retraining simulation") struct RetrainingSimulationTests {
    /// Runs periods of a day over four days, the first of which is learnt before the first period.
    private static func run(_ body: ([RetrainingSimulation.Way], [RetrainingSimulation.Period]) throws -> Void) throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(RetrainingFixture.days(4))
            let simulation = RetrainingSimulation(
                recipe: RetrainingFixture.recipe,
                events: EventSource(file: fixture.events),
                continuations: [ContinuationConfiguration()],
                days: 1,
                firstShare: 0.3
            )
            var reported = 0
            let periods = try simulation.run(store: CheckpointStore(path: fixture.store)) { _ in reported += 1 }
            #expect(reported == periods.count)
            try body(simulation.ways, periods)
        }
    }

    @Test("each period learns from the events before it, and every way equals a full training in the first")
    func periods() throws {
        try Self.run { ways, periods in
            #expect(ways.first == .full && ways.suffix(2) == [.skipped, .first] && ways.count == 4)
            #expect(periods.count >= 3)
            #expect(Set(periods[0].scores.map(\.hitRate)).count == 1)
            for (former, next) in zip(periods, periods.dropFirst()) {
                #expect(next.events > former.events && next.start > former.start)
                #expect(next.scores.count == ways.count)
                let full = next.scores[0]
                let continued = next.scores[1]
                #expect(full.steps == 40 && continued.steps > 0 && continued.steps < full.steps)
                // The full training of the period before, judged on this period.
                #expect(next.scores[2].steps == 0 && next.scores[3].steps == 0)
            }
            // In the second period both were trained before the first one.
            #expect(periods[1].scores[2].hitRate == periods[1].scores[3].hitRate)
        }
    }

    @Test("the table's means count every judged event once, without the first period")
    func report() throws {
        typealias Simulation = RetrainingSimulation
        func period(_ rows: Int, _ full: Double, _ continued: Double) -> Simulation.Period {
            func score(_ rate: Double, _ steps: Int) -> Simulation.Score {
                Simulation.Score(hitRate: rate, reciprocalRank: rate / 2, steps: steps, seconds: Double(steps))
            }
            return Simulation.Period(
                start: "2024-01-01",
                events: 10,
                newItems: 1,
                rows: rows,
                scores: [score(full, 100), score(continued, 20)]
            )
        }
        let report = RetrainingReport(
            ways: [.full, .continued(ContinuationConfiguration())],
            periods: [period(1000, 1, 1), period(100, 0.4, 0.2), period(300, 0.2, 0.2)]
        )
        let lines = report.markdown.split(separator: "\n")
        #expect(lines[0].hasPrefix("2 periods, 400 judged events."))
        #expect(lines[3].hasPrefix("| full | 25.00 | 100.0 % | 12.50 | 100.0 % | 200 |"), "\(lines[3])")
        #expect(
            lines[4].contains("| 20.00 | 80.0 % | 10.00 | 80.0 % | 40 | 20.0 % | 40 | 20.0 % |"),
            "\(lines[4])"
        )
        #expect(report.csv.split(separator: "\n").count == 1 + 3 * 2)
    }
}
