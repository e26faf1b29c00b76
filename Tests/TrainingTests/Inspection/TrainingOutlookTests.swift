import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("Training outlook") struct TrainingOutlookTests {
    /// Sessions around a ring of items, with a favourite.
    private static func rows(users: Int, length: Int, items: Int) -> [LogRow] {
        (0..<users).flatMap { user in
            (0..<length).map { place in
                ("u\(user)", place % 5 == 4 ? "i0" : "i\((user * 7 + place) % items)", "\(place)")
            }
        }
    }

    @Test("the parts have all events", arguments: [(60, 5), (3, 9)])
    func parts(users: Int, length: Int) throws {
        let rows = Self.rows(users: users, length: length, items: 30)
        let outlook = try report(on: rows).training.get()
        #expect(outlook.parts.map(\.part) == [.train, .validation, .test])
        #expect(outlook.parts.reduce(0) { $0 + $1.events } == rows.count)
    }

    @Test("the recipe and the split are those of a training without a recipe") func choice() throws {
        try withFile(csv(Self.rows(users: 80, length: 6, items: 40))) { events in
            let outlook = try LogReport(events: events).training.get()
            let data = try TrainingData(events: events, split: nil, seed: 1, items: nil)
            var recipe = RecipeChoice(for: data).recipe
            recipe.data.split = try #require(data.splitKind)
            #expect(outlook.recipe == recipe && outlook.reasons == RecipeChoice(for: data).reasons)
            #expect(outlook.split == data.splitKind?.rawValue && outlook.splitReason == data.splitReason)
            #expect(outlook.baselines.protocol == outlook.recipe.data.evaluation)
        }
    }

    @Test("each system has the figures of its own training on the same rows") func baselines() throws {
        try withFile(csv(Self.rows(users: 150, length: 8, items: 60)), name: "events.csv") { events in
            let outlook = try LogReport(events: events).training.get()
            #expect(
                outlook.baselines.systems.map(\.system) == [
                    "popularity", "session-popularity", "transitions", "item-knn", "vsknn", "ease",
                ]
            )
            #expect(outlook.baselines.rows == outlook.baselines.allRows)
            let folder = URL(filePath: events).deletingLastPathComponent()
            let data = try TrainingData(events: events, split: nil, seed: 1, items: nil)
            for row in outlook.baselines.systems {
                var recipe = try Recipe(ModelRegistry.system(named: row.system))
                recipe.data.evaluation = outlook.baselines.protocol
                let store = try CheckpointStore(path: folder.appending(path: "\(row.system).sqlite").path)
                let job = TrainingJob(recipe: recipe, data: data, seed: 1, model: "m")
                let trained = try #require(try job.run(store: store, resume: false)).progress.best
                #expect(row.hitRate == trained["hr@20"] && row.meanReciprocalRank == trained["mrr@20"], "\(row.system)")
            }
        }
    }

    @Test("the best system is the simplest of those with the highest value") func best() throws {
        let baselines = try report(on: Self.rows(users: 40, length: 8, items: 15)).training.get().baselines
        // All items are among the first 20.
        #expect(baselines.systems.allSatisfy { $0.hitRate == 1 })
        #expect(baselines.best(by: \.hitRate)?.system == "popularity")
        let best = baselines.best(by: \.meanReciprocalRank)?.meanReciprocalRank
        #expect(best == baselines.systems.compactMap(\.meanReciprocalRank).max())
        #expect(baselines.margin(1) > 0 && baselines.margin(0.5) > baselines.margin(0.9))
    }

    @Test("a catalogue too large for a system leaves it out and says why") func leftOut() throws {
        let rows: [LogRow] = (0..<2600).flatMap { user in
            (0..<2).map { ("u\(user)", "i\(user * 2 + $0)", "\($0)") }
        }
        let report = try report(on: rows)
        let ease = try #require(try report.training.get().baselines.systems.last)
        #expect(ease.system == "ease" && ease.hitRate == nil && ease.seconds == nil)
        #expect(
            ease.leftOut?.contains("5200 items") == true
                && report.text.contains("left out: the catalogue has 5200 items")
        )
        // No item of a validation user is known.
        let baselines = try report.training.get().baselines
        #expect(baselines.unseenTargets == baselines.rows)
        #expect(report.findings.contains { $0.contains("the training part does not have") })
    }

    @Test("at most the limit of rows is kept, evenly spaced and in order", arguments: [1, 3, 10, 99, 100, 500])
    func rowLimit(limit: Int) {
        let sequences = RaggedRows((0..<50).map { user in (0..<3).map { Int32(user * 3 + $0) } })
        let all = EvaluationRows(
            DataPart(userIDs: (0..<50).map { "\($0)" }, sequences: sequences),
            protocol: .allPrefixes
        )
        let kept = EvaluationRows(all, limit: limit)
        #expect(kept.count == min(limit, 100))
        let targets = (0..<kept.count).compactMap { kept.target(of: $0) }
        #expect(targets == (0..<kept.count).compactMap { all.target(of: $0 * all.count / kept.count) })
        #expect(targets == targets.sorted() && Set(targets).count == targets.count)
    }
}
