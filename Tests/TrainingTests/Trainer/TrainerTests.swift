import Autodiff
import Kernels
import Recommenders
import Testing
import Training

@Suite("Trainer") struct TrainerTests {
    private static let negativeKinds: [NegativesConfiguration.Kind] = [.pool, .mixed, .perRow, .catalogue, .automatic]

    @Test("the same seed gives the same weights to the last bit", arguments: negativeKinds)
    func deterministic(kind: NegativesConfiguration.Kind) throws {
        var recipe = RingTraining.recipe
        recipe.training.negatives.kind = kind
        if kind == .perRow { recipe.training.negatives.count = 5 }
        var (first, second, other) = (
            try RingTraining.trainer(recipe), try RingTraining.trainer(recipe),
            try RingTraining.trainer(recipe, seed: 4)
        )
        let weights = try first.run().model.parameters
        #expect(try second.run().model.parameters == weights)
        #expect(try other.run().model.parameters != weights)
    }

    @Test(
        "every setting of the negatives changes the weights",
        arguments: [
            { $0.model.loss.sharedNegatives = false }, { $0.training.negatives.maskUserItems = false },
            { $0.training.negatives.logQ = .oneSided }, { $0.training.negatives.count = 47 },
        ] as [@Sendable (inout Recipe) -> Void]
    )
    func negativesMatter(change: @Sendable (inout Recipe) -> Void) throws {
        var changed = RingTraining.recipe
        change(&changed)
        #expect(changed != RingTraining.recipe)
        var (plain, other) = (try RingTraining.trainer(RingTraining.recipe), try RingTraining.trainer(changed))
        #expect(try plain.run().model.parameters != other.run().model.parameters)
    }

    @Test("training learns which items follow, and keeps the best validation")
    func learns() throws {
        var recipe = RingTraining.recipe
        recipe.training.maxSteps = 400
        recipe.training.validateEvery = 50
        var trainer = try RingTraining.trainer(recipe)
        var seen: [Double] = []
        let outcome = try trainer.run(report: {
            if case .validation(_, let metrics, _) = $0 { seen.append(metrics["hr@20"] ?? 0) }
        })
        // Three of sixty items can follow; by popularity the target is in the first ten in about one of six rows.
        #expect(outcome.progress.best["hr@10", default: 0] > 0.9)
        #expect(outcome.progress.best["hr@20"] == seen.max())
    }

    @Test("a validation's losses are the means of the steps since the last one")
    func history() throws {
        var trainer = try RingTraining.trainer(RingTraining.recipe)
        var (sums, intervals): ([String: Double], [TrainingProgress.Interval]) = ([:], [])
        let outcome = try trainer.run(report: { event in
            switch event {
            case .step(_, _, let terms, _): for term in terms { sums[term.name, default: 0] += Double(term.value) }
            case .validation(let step, let metrics, _):
                let means = sums.mapValues { $0 / 8 }
                intervals.append(
                    TrainingProgress.Interval(
                        step: step,
                        terms: means,
                        metrics: metrics,
                        seconds: 0,
                        targets: step * RingTraining.recipe.training.batchSize
                    )
                )
                sums = [:]
            case .counts, .refit: break
            }
        })
        #expect(outcome.progress.history.map(\.withoutTime) == intervals && intervals.map(\.step) == [8, 16, 24])
        #expect(intervals.allSatisfy { Set($0.terms.keys) == ["guidance", "reconstruction", "softmax"] })
    }

    @Test("patience ends a run that does not improve")
    func stopsEarly() throws {
        var recipe = RingTraining.recipe
        recipe.training.learningRate = 1e-8
        recipe.training.maxSteps = 1000
        recipe.training.validateEvery = 2
        recipe.training.patience = 3
        var trainer = try RingTraining.trainer(recipe)
        let progress = try trainer.run().progress
        #expect(progress.step <= 16 && progress.patienceEnd == progress.step)
        // Patience that runs out at the last step of the limit does not shorten the run.
        recipe.training.maxSteps = progress.step
        var limited = try RingTraining.trainer(recipe)
        let last = try limited.run().progress
        #expect(last.step == progress.step && last.validationsWithoutGain >= 3 && last.patienceEnd == nil)
    }

    @Test("a loss that is not finite stops the run and names the step and the term")
    func diverges() throws {
        var recipe = RingTraining.recipe
        recipe.training.maxSteps = 20
        var trainer = try RingTraining.trainer(recipe)
        var state = trainer.state
        state.matrices["current.denoiser.output.bias"]?[0, 0] = .nan
        try trainer.restore(state)
        #expect(throws: TrainingError.diverged(step: 1, term: "reconstruction", bestStep: 0)) { try trainer.run() }
    }

    @Test("when patience runs out, the rate falls from the best weights, and the run ends at 0") func plateau() throws {
        var trainer = try RingTraining.trainer(RingTraining.plateau)
        var (steps, falls): ([Int], [TrainingPlan.Fall]) = ([], [])
        let outcome = try trainer.run(
            save: { state in
                guard let fall = state.progress.plan?.fall, falls.isEmpty else { return }
                falls.append(fall)
                // The state at the start of the fall has the best weights as its current ones.
                for name in state.matrices.keys where name.hasPrefix("best.") {
                    #expect(state.matrices[name] == state.matrices["current." + name.dropFirst(5)], "\(name)")
                }
            },
            report: { if case .step(let step, _, _, _) = $0 { steps.append(step) } }
        )
        let fall = try #require(falls.first)
        let plan = try #require(outcome.progress.plan)
        #expect(fall.factor == 1 && steps.count == plan.steps && plan.steps < 100_000)
        #expect(plan.factor(step: plan.steps, RingTraining.plateau.training) == 0)
        #expect(outcome.progress.patienceEnd == fall.start)
    }

    @Test("a run with a time limit plans its steps, validates on the way, and ends when they are taken") func timed()
        throws
    {
        var recipe = RingTraining.recipe
        recipe.training.schedule = .trapezoidal
        recipe.training.patience = 100_000
        var trainer = try RingTraining.trainer(recipe)
        let progress = try trainer.run(budget: TrainingBudget(seconds: 0.5)).progress
        let plan = try #require(progress.plan)
        #expect(plan.isMade && progress.step <= plan.steps && progress.history.count >= 2)
        #expect(progress.patienceEnd == nil)
        var few = try RingTraining.trainer(recipe)
        #expect(try few.run(budget: TrainingBudget(steps: 12, seconds: 1e6)).progress.step == 12)
    }

    @Test("a step whose windows are all empty adds nothing to the losses") func emptySteps() throws {
        var recipe = RingTraining.recipe
        recipe.model.guidance.kind = .transformer
        recipe.model.historyLength = 9
        recipe.training.batchSize = 2
        let sequence = (0..<13 as Range<Int32>).map { $0 }
        let part = DataPart(userIDs: ["u"], sequences: RaggedRows([sequence]))
        var trainer = try Trainer(
            model: DimeRec(recipe.model, items: RingTraining.items, seed: 1),
            recipe: recipe,
            split: DataSplit(train: part, validation: RingTraining.split.validation, test: DataPart(nil)),
            items: RingTraining.items,
            seed: 1
        )
        var empty = 0
        var losses: [Double] = []
        var means: [Double] = []
        let outcome = try trainer.run(report: { event in
            switch event {
            case .step(_, _, let terms, _):
                if let loss = terms.first(where: { $0.name == "guidance" }) { losses.append(Double(loss.value)) }
                empty += terms.isEmpty ? 1 : 0
            case .validation:
                means.append(losses.reduce(0, +) / Double(max(1, losses.count)))
                losses = []
            case .counts, .refit: break
            }
        })
        #expect(empty > 0 && outcome.progress.history.map { $0.terms["guidance"] ?? 0 } == means)
    }

    @Test("a time limit of 0 still validates and keeps the weights")
    func noTime() throws {
        var trainer = try RingTraining.trainer(RingTraining.recipe)
        let outcome = try trainer.run(budget: TrainingBudget(seconds: 0))
        #expect(outcome.isFinished && outcome.progress.step == 0 && outcome.progress.best["hr@20"] != nil)
    }
}
