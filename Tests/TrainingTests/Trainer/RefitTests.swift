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

    /// A log in which the next-to-last item of every user, and no other, follows one from the other half of the items.
    private static let turningCSV = csv.split(separator: "\n").enumerated().map { number, line in
        let fields = line.split(separator: ",")
        guard number > 0, number % 8 >= 7 || number % 8 == 0, let item = Int(fields[1].dropFirst()) else { return line }
        return "\(fields[0]),i\((item + 20) % 40),\(fields[2])"[...]
    }.joined(separator: "\n")

    private func train(_ recipe: Recipe, on csv: String = csv, stopAt: Int? = nil) throws -> Result {
        try withFile(csv, name: "events.csv") { events in
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

    /// HR@1 of a part.
    private func accuracy(_ result: Result, _ recipe: Recipe, of part: SplitPart = .test) throws -> Double {
        let model = try recipe.model(stored: result.checkpoint.parameters, items: result.data.catalogue.count)
        let evaluator = Evaluator(
            rows: EvaluationRows(result.data.split[part], protocol: .allPrefixes),
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

    @Test("the item of each user that a split by leave-one-out validates by is learnt too") func leaveOneOut() throws {
        var recipe = Self.recipe
        (recipe.data.split, recipe.data.evaluation) = (.leaveOneOut, .lastItem)
        (recipe.training.maxSteps, recipe.training.validateEvery, recipe.training.learningRate) = (400, 400, 0.02)
        var without = recipe
        without.training.refit = false
        let plain = try train(without, on: Self.turningCSV)
        let refitted = try train(recipe, on: Self.turningCSV)
        #expect(plain.steps.isEmpty && refitted.steps == Array(1...80))
        #expect(refitted.report?.progress.best == plain.report?.progress.best)
        let (before, after) = (
            try accuracy(plain, without, of: .validation), try accuracy(refitted, recipe, of: .validation)
        )
        #expect(after > before + 0.1, "\(before) before, \(after) after")
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
