import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("Refit") struct RefitTests {
    /// A log in which the last fifth of the users go round another ring of items than those before them.
    private static let csv: String = {
        var lines = ["user,item,timestamp"]
        let numbers = CounterBasedGenerator(seed: 12, purpose: .simulation)
        for user in 0..<200 {
            let start = Int(numbers.integers(below: 20, stream: UInt64(user), count: 1)[0])
            for place in 0..<8 {
                let item = (start + place) % 20 + (user < 160 ? 0 : 20)
                lines.append("u\(user),i\(item),\(100 * user + place)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }()

    private static var recipe: Recipe {
        var recipe = Recipe(GRU4Rec.self)
        recipe.training.batchSize = 64
        recipe.training.learningRate = 0.01
        recipe.training.negatives.kind = .catalogue
        recipe.training.maxSteps = 120
        recipe.training.validateEvery = 60
        recipe.data.split = .time
        recipe.data.evaluation = .allPrefixes
        return recipe
    }

    private struct Result {
        var report: TrainingJob.Report?
        var checkpoint: Checkpoint
        var data: TrainingData
        /// The steps of the refit that were reported, and how many there should be.
        var steps: [Int]
        var total: Int?
    }

    private func train(_ recipe: Recipe, stopAt: Int? = nil) throws -> Result {
        try withFile(Self.csv, name: "events.csv") { events in
            let path = URL(filePath: events).deletingLastPathComponent().appending(path: "store.sqlite").path
            let store = try CheckpointStore(path: path)
            let data = try TrainingData(events: events, split: recipe.data.split, seed: 1, items: nil)
            let job = TrainingJob(recipe: recipe, data: data, seed: 3, model: "m")
            var steps: [Int] = []
            var total: Int?
            func report(_ event: TrainingEvent) {
                if case .refit(let step, let count, _, _) = event {
                    steps.append(step)
                    total = count
                }
            }
            if let stopAt {
                let stopped = try job.run(
                    store: store,
                    resume: false,
                    shouldStop: { steps.last == stopAt },
                    report: report
                )
                #expect(stopped == nil && steps.last == stopAt)
                #expect(throws: CheckpointError.self) { try store.load(model: "m") }
                steps = []
            }
            let finished = try job.run(store: store, resume: stopAt != nil, report: report)
            return Result(
                report: finished,
                checkpoint: try store.load(model: "m"),
                data: data,
                steps: steps,
                total: total
            )
        }
    }

    /// HR@1 of the test part.
    private func accuracy(_ result: Result, _ recipe: Recipe) throws -> Double {
        let model = try recipe.model(stored: result.checkpoint.parameters, items: result.data.catalogue.count)
        let evaluator = Evaluator(
            rows: EvaluationRows(result.data.split.test, protocol: .allPrefixes),
            historyLength: 50,
            popularity: PopularityPredictor(sequences: RaggedRows(), items: result.data.catalogue.count)
        )
        return evaluator.readOuts(of: model, noiseSeed: 0)[0].result.metrics.hitRate(at: 1)
    }

    @Test("what only the validation part shows is learnt too, and the metrics are of the weights before")
    func learnsTheValidationPart() throws {
        var without = Self.recipe
        without.training.refit = false
        let (plain, refitted) = (try train(without), try train(Self.recipe))
        #expect(plain.steps.isEmpty)
        // 20 of 180 users validate, so the share of the steps is 2 * 20 / 160 of those to the best weights.
        let best = try #require(refitted.report?.progress.bestStep)
        #expect(refitted.total == Int((0.25 * Double(best)).rounded()))
        #expect(refitted.steps == Array(1...(refitted.total ?? 0)))
        #expect(refitted.report?.progress.best == plain.report?.progress.best)
        #expect(refitted.checkpoint.parameters != plain.checkpoint.parameters)
        let (before, after) = (try accuracy(plain, without), try accuracy(refitted, Self.recipe))
        #expect(after > before + 0.3, "\(before) before, \(after) after")
    }

    @Test("a run that was stopped in the refit resumes to the same weights") func resumes() throws {
        let (whole, resumed) = (try train(Self.recipe), try train(Self.recipe, stopAt: 5))
        #expect(whole.checkpoint.parameters == resumed.checkpoint.parameters)
    }

    @Test("a user's one further item is no reason for a refit") func leaveOneOut() throws {
        var recipe = Self.recipe
        (recipe.data.split, recipe.data.evaluation) = (.leaveOneOut, .lastItem)
        #expect(try train(recipe).steps.isEmpty)
    }

    @Test("a system in closed form is fitted to both parts, and judged by one") func closedForm() throws {
        var recipe = Recipe(Transitions.self)
        (recipe.data.split, recipe.data.evaluation) = (.time, .allPrefixes)
        let result = try train(recipe)
        recipe.training.refit = false
        let plain = try train(recipe)
        #expect(result.report?.progress.best == plain.report?.progress.best)
        #expect(try accuracy(plain, recipe) < 0.1)
        #expect(try accuracy(result, recipe) > 0.9)
    }
}
