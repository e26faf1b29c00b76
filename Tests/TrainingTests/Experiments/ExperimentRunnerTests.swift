import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("ExperimentRunner") struct ExperimentRunnerTests {
    private static let metadata: String =
        "item,title,categories\n" + (0..<30).map { "i\($0),,c\($0 % 3)|all\n" }.joined()

    private static var recipe: Recipe {
        var recipe = Recipe()
        recipe.training.refit = false
        recipe.model.dimension = 8
        recipe.model.historyLength = 5
        recipe.model.steps = 4
        recipe.model.guidance.hidden = 8
        recipe.model.denoiser.hidden = 8
        recipe.training.batchSize = 32
        recipe.training.negatives.count = 16
        recipe.training.maxSteps = 12
        recipe.training.validateEvery = 5
        return recipe
    }

    private func data() throws -> TrainingData {
        try withFile(RandomLog.csv, name: "events.csv") { events in
            try withFile(Self.metadata) {
                try TrainingData(events: events, split: .users, seed: 1, items: $0)
            }
        }
    }

    private func evaluation(_ data: TrainingData, part: SplitPart = .test) throws -> ExperimentEvaluation {
        try ExperimentEvaluation(data: data, part: part, protocol: .fiveCuts, filterHistory: false)
    }

    private func cells(_ experiment: Experiment, seeds: [UInt64] = [7]) throws -> [ExperimentCell] {
        let variants = try experiment.variants(of: [("tiny", Self.recipe)])
        return seeds.flatMap { seed in variants.map { ExperimentCell(variant: $0, seed: seed) } }
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        try withFile("", name: "x") { try body(URL(filePath: $0).deletingLastPathComponent().path + "/results") }
    }

    /// Results without measured times.
    private func timeless(_ results: [CellResult]) -> [CellResult] {
        results.map { result in
            var result = result
            result.progress.seconds = 0
            for index in result.progress.history.indices { result.progress.history[index].seconds = 0 }
            return result
        }
    }

    /// Runs a grid; counts its training steps and the cells that were already stored.
    private func run(
        _ experiment: Experiment,
        _ cells: [ExperimentCell],
        in folder: String,
        part: SplitPart = .test,
        stopAfter limit: Int = .max
    ) throws -> (results: [CellResult]?, steps: Int, stored: Int) {
        let data = try data()
        var (steps, stored) = (0, 0)
        let results = try ExperimentRunner(folder: folder, data: data, evaluation: evaluation(data, part: part)).run(
            cells,
            measuring: { experiment.measurement(of: $0) },
            shouldStop: { steps >= limit },
            report: { event in
                switch event {
                case .training(.step): steps += 1
                case .finished(_, isStored: true): stored += 1
                default: break
                }
            }
        )
        return (results, steps, stored)
    }

    @Test("a grid that was stopped ends with the results of an uninterrupted one", arguments: [3, 12, 19, 25])
    func resumes(stop: Int) throws {
        let cells = try Array(cells(.ablation).prefix(3))
        try withFolder { whole in
            let expected = try #require(try run(.ablation, cells, in: whole).results)
            try withFolder { folder in
                let stopped = try run(.ablation, cells, in: folder, stopAfter: stop)
                #expect(stopped.results == nil && stopped.steps == stop)
                let resumed = try run(.ablation, cells, in: folder)
                #expect(resumed.steps == 36 - stop && resumed.stored == stop / 12)
                let results = try #require(resumed.results)
                #expect(timeless(results) == timeless(expected))
            }
        }
    }

    @Test("a cell is trained once for all experiments")
    func shared() throws {
        try withFolder { folder in
            let first = try run(.overall, cells(.overall), in: folder)
            #expect(first.steps == 12 && first.stored == 0)
            let again = try run(.overall, cells(.overall), in: folder)
            #expect(again.steps == 0 && again.stored == 1 && again.results == first.results)
            // The ablation's full row is the same cell; figure 5 measures its stored weights.
            #expect(try run(.ablation, Array(cells(.ablation).prefix(2)), in: folder).steps == 12)
            #expect(try run(.figure5, cells(.figure5), in: folder).steps == 0)
            #expect(try run(.overall, cells(.overall), in: folder, part: .validation).steps == 0)
            #expect(try run(.overall, cells(.overall, seeds: [8]), in: folder).steps == 12)
        }
    }

    @Test("every grid gives a table, a chart and CSV", arguments: [Experiment.ablation, .probing, .gem, .figure4])
    func grids(experiment: Experiment) throws {
        try withFolder { folder in
            let cells = try cells(experiment, seeds: [7, 8])
            let results = try #require(try run(experiment, cells, in: folder).results)
            let data = try data()
            let evaluation = try evaluation(data)
            let found = ExperimentResults(
                experiment,
                cells: cells,
                results: results,
                floors: evaluation.floors(dimension: 8),
                bootstrap: evaluation.bootstrap
            )
            #expect(found.divergences.isEmpty && !found.table.rows.isEmpty)
            #expect(found.table.rows.allSatisfy { $0.statistics.contains { $0 != nil } })
            #expect(found.figure.charts.allSatisfy { !$0.series.isEmpty })
            let report = ExperimentReport(
                found,
                command: "c",
                data: data.fingerprint,
                evaluation: evaluation,
                seeds: [7, 8],
                builds: results.map(\.build)
            )
            let paths = try report.write(to: folder)
            #expect(try String(contentsOfFile: paths.csv, encoding: .utf8) == found.csv)
            #expect(try String(contentsOfFile: paths.svg, encoding: .utf8) == found.figure.svg)
            let page = try String(contentsOfFile: paths.markdown, encoding: .utf8)
            #expect(page.contains(found.table.markdown) && page.contains(data.fingerprint.digests["events"] ?? "?"))
        }
    }

    @Test(
        "the last reverse step, and all steps with one sample, are the served read-out; categories and probe are there"
    )
    func measurements() throws {
        try withFolder { folder in
            func points(_ experiment: Experiment) throws -> [MeasuredPoint] {
                try #require(try run(experiment, cells(experiment), in: folder).results)[0].points
            }
            let served = try points(.overall)
            #expect(served.map(\.name) == ["served", "one-step", "without-noise", "guidance-best", "guidance-mean"])
            let reverse = try points(.figure5)
            #expect(reverse.map { $0.values["reverse_step"] } == [1, 2, 3, 4])
            let information = try points(.information).compactMap { $0.values["nats"] }
            let most = try #require(try points(.information)[0].values["all_nats"])
            #expect(information.count == 4 && information.allSatisfy { 0...most ~= $0 })
            #expect(zip(information, information.dropFirst()).allSatisfy { $1 < $0 + 0.2 }, "noise only removes")
            let serving = try points(.steps)
            #expect(serving.count == 3 * 4)
            let full = try #require(serving.first { $0.values["steps"] == 4 && $0.values["samples"] == 1 })
            let one = try #require(serving.first { $0.values["steps"] == 1 && $0.values["samples"] == 1 })
            for key in ["hr@10", "hr@20", "ndcg@50", "categories@100"] {
                #expect(reverse[0].values[key] == served[1].values[key])
                #expect(reverse[3].values[key] == served[0].values[key])
                #expect(full.values[key] == served[0].values[key])
                #expect(one.values[key] == served[1].values[key])
            }
            #expect(served.allSatisfy { $0.values["categories@100"] == 4 && $0.values["first_categories@100"] == 3 })
            let accuracy = try #require(served[0].values["linear_probe"])
            #expect(0...1 ~= accuracy)
        }
    }

    @Test("systems are compared row by row, with their serving costs")
    func comparison() throws {
        try withFolder { folder in
            let data = try data()
            var gru = try Recipe(json: Data(#"{"system": "gru4rec", "model": {"dimension": 8, "hidden": 8}}"#.utf8))
            gru.training = Self.recipe.training
            let popularity = try Recipe(json: Data(#"{"system": "popularity", "tuning": {"trials": 3}}"#.utf8))
            let variants = [("tiny", Self.recipe), ("gru", gru), ("pop", popularity)].map {
                Experiment.Variant(name: $0, recipe: $1)
            }
            let cells = [UInt64(7), 8].flatMap { seed in variants.map { ExperimentCell(variant: $0, seed: seed) } }
            let clock = ServingClock(
                forwardPass: { _, _, _, _ in nil },
                service: { checkpoint, histories in
                    // The checkpoint is complete, and the histories have known items.
                    #expect(checkpoint.manifest.items == 30 && histories.joined().allSatisfy { 0..<30 ~= $0 })
                    return ServingClock.Cost(microseconds: 2, requestsPerSecond: 300)
                }
            )
            let evaluation = try ExperimentEvaluation(
                data: data,
                part: .test,
                protocol: .fiveCuts,
                filterHistory: false,
                clock: clock
            )
            let results = try #require(
                try ExperimentRunner(folder: folder, data: data, evaluation: evaluation)
                    .run(cells, measuring: { Experiment.overall.measurement(of: $0) })
            )
            let served = results.map { $0.points[0] }
            #expect(served.allSatisfy { $0.values["us_per_user"] == 2 && $0.values["requests_per_s"] == 300 })
            #expect(served.allSatisfy { (0...1).contains($0.values["coverage@20"] ?? -1) })
            #expect(served[1].values["parameters"] == Double(30 * 8 + 3 * 8 * 8 + 3 * 8 * 8 + 6 * 8 + 8 * 8))
            for point in served {
                let hits = try #require(point.ranks).count { $0 < 20 }
                #expect(Double(hits) / Double(evaluation.count) == point.values["hr@20"])
            }
            let found = ExperimentResults(
                .overall,
                cells: cells,
                results: results,
                floors: [],
                bootstrap: evaluation.bootstrap
            )
            let comparison = try #require(found.comparison)
            #expect(comparison.reference == "tiny" && comparison.differences.map(\.name) == ["gru", "pop"])
            for (name, difference) in comparison.differences {
                func mean(_ name: String) -> Double {
                    let values = zip(cells, served).filter { $0.0.variant.name == name }.compactMap {
                        $1.values["hr@20"]
                    }
                    return values.reduce(0, +) / Double(values.count)
                }
                #expect(abs(difference.mean - (mean(name) - mean("tiny"))) < 1e-12)
                #expect(difference.low <= difference.mean && difference.mean <= difference.high)
                #expect(comparison.markdown.contains("| \(name) |"))
            }
            #expect(found.table.rows[2].statistics.last == Statistic([3, 3]))
            #expect(found.csv.contains("overall,gru,minus tiny,,ok"))
        }
    }

    @Test("re-ranking is evaluated on the same lists of ten with their target, before and after")
    func reranking() throws {
        try withFolder { folder in
            let judged = try #require(try run(.reranking, cells(.reranking), in: folder).results)[0].points
            let served = try #require(try run(.overall, cells(.overall), in: folder).results)[0].points[0]
            #expect(judged.map(\.name) == ["retrieved", "re-ranked"])
            let ranks = try #require(served.ranks).filter { $0 < 10 }.map { Double($0) }
            let (before, after) = (judged[0].values, judged[1].values)
            #expect(before["lists"] == Double(ranks.count) && after["lists"] == before["lists"])
            let first = Double(ranks.count { $0 == 0 }) / Double(ranks.count)
            let reciprocal = ranks.reduce(0) { $0 + 1 / ($1 + 1) } / Double(ranks.count)
            #expect(abs(try #require(before["list_hr@1"]) - first) < 1e-12)
            #expect(abs(try #require(before["list_mrr@10"]) - reciprocal) < 1e-12)
            #expect(0.1...1 ~= (after["list_mrr@10"] ?? 0) && after != before)
        }
    }

    @Test("merged lists of a seed's models are those of an evaluation of the blend")
    func blend() throws {
        let simple = try Recipe(json: Data(#"{"system": "popularity"}"#.utf8))
        try withFolder { folder in
            let recipes = [("tiny", Self.recipe), ("popular", simple)]
            let variants = try Experiment.blend.variants(of: recipes, values: [60])
            let cells = [7, 8].flatMap { seed in variants.map { ExperimentCell(variant: $0, seed: UInt64(seed)) } }
            let results = try #require(try run(.blend, cells, in: folder).results)
            let data = try data()
            let evaluation = try evaluation(data)
            let runner = try ExperimentRunner(folder: folder, data: data, evaluation: evaluation)
            let merged = try runner.mergedLists(cells, lengths: [60])
            #expect(merged.map(\.seed) == [7, 8] && merged.allSatisfy { $0.points.count == 4 })
            for (_, points) in merged {
                let best = try #require(points[0].values["hr@20"])
                #expect(points[0].name == "by ranks, fitted weights, lists of 60" && 0...1 ~= best)
                let weights = ["tiny", "popular"].map { points[0].values["weight of " + $0] ?? -1 }
                #expect(weights.max() == 1 && weights.allSatisfy { $0 >= 0 })
                // A weight of 0 leaves the other model alone, whose ranking has no ties here.
                guard weights[1] == 0 else { continue }
                let alone = results[points == merged[0].points ? 0 : 2].points[0].values["hr@20"]
                #expect(alone == best)
            }
            let found = ExperimentResults(.blend, cells: cells, results: results, merged: merged, floors: [])
            #expect(found.table.rows.map(\.name) == ["tiny", "popular"] + merged[0].points.map(\.name))
            #expect(found.table.measures.map(\.title).suffix(2) == ["weight of popular", "weight of tiny"])
            #expect(found.csv.contains("blend,\"by scores, equal weights, lists of 60\",,8,ok"))
        }
    }

    @Test("a cell stops at its time limit, counted over interruptions, and its best weights are evaluated")
    func timeLimit() throws {
        try withFolder { folder in
            var limited = try cells(.overall)[0]
            limited.maxSeconds = 1e-9
            let (results, steps, _) = try run(.overall, [limited], in: folder)
            let result = try #require(results)[0]
            #expect(steps == 0 && result.progress.step == 0 && !result.points.isEmpty)
            // The tuning record does not change the training.
            var tuned = limited
            tuned.variant.recipe.tuning.trials = 9
            #expect(try run(.overall, [tuned], in: folder).stored == 1)
            // Without the limit it is a different training.
            #expect(try run(.overall, cells(.overall), in: folder).steps == 12)
            // A limit that is never reached leaves the steps of the recipe.
            limited.maxSeconds = 1e6
            #expect(try run(.overall, [limited], in: folder).steps == 12)
        }
    }

    @Test("a diverged training is a result and does not end the grid")
    func divergence() throws {
        let cells = try Array(cells(.ablation).prefix(2))
        try withFolder { folder in
            _ = try run(.ablation, Array(cells.suffix(1)), in: folder)
            let file = try #require(
                try FileManager.default.contentsOfDirectory(atPath: folder + "/cells").first { $0.hasSuffix(".json") }
            )
            let key = String(try #require(file.split(separator: "-").first))
            try withFolder { folder in
                // The weights of the second cell are damaged after three steps.
                #expect(try run(.ablation, cells, in: folder, stopAfter: 15).results == nil)
                let store = try CheckpointStore(path: folder + "/cells/weights.sqlite")
                var state = try #require(try store.trainingState(model: key))
                state.matrices["current.denoiser.output.bias"]?[0, 0] = .nan
                try store.saveTrainingState(model: key, state: state)
                let results = try #require(try run(.ablation, cells, in: folder).results)
                #expect(results[0].divergence == nil && results[1].points.isEmpty)
                #expect(results[1].divergence == "diverged at step 4: reconstruction is not finite")
                let found = ExperimentResults(.ablation, cells: cells, results: results, floors: [])
                #expect(found.table.rows[1].failure == "diverged" && found.divergences.count == 1)
                #expect(try run(.ablation, cells, in: folder).steps == 0)
                #expect(try run(.figure5, Array(cells.suffix(1)), in: folder).steps == 0)
            }
        }
    }
}
