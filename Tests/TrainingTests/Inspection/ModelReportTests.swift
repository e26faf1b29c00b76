import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("ModelReport") struct ModelReportTests {
    @Test("segments cover the rows, figures agree with the evaluation, and the page is closed and escaped")
    func report() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(RetrainingFixture.lines(users: 0..<80, day: 0))
            var checkpoint = try fixture.train()
            checkpoint.catalogue.titles = checkpoint.catalogue.ids.map { "<b>\($0)</b>" }
            let data = try fixture.data()
            let model = try RetrainingFixture.recipe.model(
                stored: checkpoint.parameters,
                items: checkpoint.catalogue.count
            )
            let report = ModelReport(
                checkpoint,
                model,
                on: data.split.test,
                protocol: .allPrefixes,
                train: data.split.train.sequences
            )
            let rows = EvaluationRows(data.split.test, protocol: .allPrefixes)
            let metrics = Evaluator(
                rows: rows,
                historyLength: 5,
                popularity: PopularityPredictor(order: checkpoint.popularity, items: checkpoint.catalogue.count)
            ).evaluate(
                model.system,
                readOut: .served,
                counts: model.counts,
                noiseSeed: Evaluator.validationNoiseSeed
            ).metrics
            #expect(report.overall.rows == rows.count && rows.count > 20)
            #expect(abs(report.overall.hitRate - metrics.hitRate(at: 20)) < 1e-9)
            #expect(abs(report.overall.reciprocalRank - metrics.meanReciprocalRank(at: 20)) < 1e-9)
            for segments in [report.byHistory, report.byPopularity] {
                #expect(segments.reduce(0) { $0 + $1.rows } == rows.count)
                let hits = segments.reduce(0) { $0 + Double($1.rows) * $1.hitRate }
                #expect(abs(hits / Double(rows.count) - report.overall.hitRate) < 1e-9)
            }
            // Histories of one to eleven items, one row each.
            let users = data.split.test.userIDs.count
            #expect(report.byHistory.map(\.rows) == [0, 2 * users, 3 * users, 5 * users, users, 0, 0])
            #expect(report.examples.count == 8)
            for example in report.examples {
                #expect(example.answer.count == 5 && Set(example.answer).isDisjoint(with: example.history))
            }
            let html = report.html
            #expect(!html.contains("<b>i") && html.contains("&lt;b&gt;i"))
            #expect(!html.contains("<script") && html.contains("Learning curve") && html.contains("this model"))
        }
    }
}
