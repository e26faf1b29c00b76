import Autodiff
import Kernels
import Recommenders
import Testing
import Training

/// Users who walk along a ring of items: the next item is one of the three following ones.
private func ringSequences(users: Int, items: Int) -> RaggedRows {
    var numbers = SequentialGenerator(CounterBasedGenerator(seed: 11, purpose: .simulation))
    return RaggedRows(
        (0..<users).map { _ in
            var place = Int.random(in: 0..<items, using: &numbers)
            return (0..<14).map { _ in
                place = (place + Int.random(in: 1...3, using: &numbers)) % items
                return Int32(place)
            }
        }
    )
}

@Suite("Trainer") struct TrainerTests {
    private static let items = 60

    private static var recipe: Recipe {
        var recipe = Recipe()
        recipe.model.dimension = 16
        recipe.model.historyLength = 6
        recipe.model.interests = 2
        recipe.model.steps = 5
        recipe.model.guidance.hidden = 24
        recipe.model.denoiser.hidden = 24
        recipe.model.denoiser.residual = .meanInterest
        recipe.training.batchSize = 160  // two shards, the second a short one
        recipe.training.negatives.count = 48
        recipe.training.learningRate = 0.01
        recipe.training.schedule = .constant
        recipe.training.maxSteps = 24
        recipe.training.validateEvery = 8
        return recipe
    }

    private static var split: DataSplit {
        let sequences = ringSequences(users: 120, items: items)
        func part(_ range: Range<Int>) -> DataPart {
            DataPart(userIDs: range.map(String.init), sequences: RaggedRows(range.map { sequences[$0] }))
        }
        return DataSplit(train: part(0..<90), validation: part(90..<120), test: DataPart(nil))
    }

    private func trainer(_ recipe: Recipe, seed: UInt64 = 3) throws -> Trainer<DimeRec> {
        try Trainer(
            model: DimeRec(recipe.model, items: Self.items, seed: seed),
            recipe: recipe,
            split: Self.split,
            items: Self.items,
            seed: seed
        )
    }

    private static let negativeKinds: [NegativesConfiguration.Kind] = [.pool, .mixed, .perRow, .catalogue, .automatic]

    @Test("the same seed gives the same weights to the last bit", arguments: negativeKinds)
    func deterministic(kind: NegativesConfiguration.Kind) throws {
        var recipe = Self.recipe
        recipe.training.negatives.kind = kind
        if kind == .perRow { recipe.training.negatives.count = 5 }
        var (first, second, other) = (try trainer(recipe), try trainer(recipe), try trainer(recipe, seed: 4))
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
        var changed = Self.recipe
        change(&changed)
        #expect(changed != Self.recipe)
        var (plain, other) = (try trainer(Self.recipe), try trainer(changed))
        #expect(try plain.run().model.parameters != other.run().model.parameters)
    }

    @Test("an interrupted run ends with the weights of an uninterrupted one", arguments: [1, 7, 8, 9, 23])
    func resumes(at stop: Int) throws {
        var whole = try trainer(Self.recipe)
        let expected = try whole.run()

        var interrupted = try trainer(Self.recipe)
        var (taken, saved): (Int, Trainer<DimeRec>.State?) = (0, nil)
        let partial = try interrupted.run(
            shouldStop: { taken == stop },
            save: { saved = $0 },
            report: { if case .step(let step, _, _, _) = $0 { taken = step } }
        )
        #expect(!partial.isFinished && saved?.progress.step == stop)

        var resumed = try trainer(Self.recipe)
        try resumed.restore(try #require(saved))
        let outcome = try resumed.run()
        #expect(outcome.isFinished)
        #expect(outcome.model.parameters == expected.model.parameters)
        #expect(outcome.progress.best == expected.progress.best)
        #expect(
            outcome.progress.history.map(\.withoutTime) == expected.progress.history.map(\.withoutTime)
        )
        #expect(expected.progress.history.count == 3)
        #expect(resumed.state.matrices == whole.state.matrices)
    }

    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let reason: String
        let change: @Sendable (inout Trainer<DimeRec>.State) -> Void
    }

    private static func falling(start: Int, factor: Double) -> TrainingPlan {
        var plan = TrainingPlan(steps: 24)
        plan.fall = TrainingPlan.Fall(start: start, factor: factor)
        return plan
    }

    static let damages: [Damage] = [
        Damage(testDescription: "step below 0", reason: "step is -2") { $0.progress.step = -2 },
        Damage(testDescription: "step beyond the recipe's", reason: "step is 25") { $0.progress.step = 25 },
        Damage(testDescription: "targets", reason: "targets is -1") { $0.progress.targets = -1 },
        Damage(testDescription: "targets that overflow", reason: "targets") { $0.progress.targets = .max },
        Damage(testDescription: "a plan without end", reason: "its plan has") {
            $0.progress.plan = TrainingPlan(steps: .max)
        },
        Damage(testDescription: "a plan below 0", reason: "its plan has -1 steps") {
            $0.progress.plan = TrainingPlan(steps: -1)
        },
        Damage(testDescription: "a fall before the run", reason: "plan.fall.start is -5") {
            $0.progress.plan = falling(start: -5, factor: 1)
        },
        Damage(testDescription: "a rate that grows", reason: "plan.fall.factor is 3") {
            $0.progress.plan = falling(start: 5, factor: 3)
        },
        Damage(testDescription: "a rate that is no number", reason: "plan.fall.factor is nan") {
            $0.progress.plan = falling(start: 5, factor: .nan)
        },
        Damage(testDescription: "step that overflows", reason: "step") { $0.progress.step = .max },
        Damage(testDescription: "best step", reason: "bestStep is 9") { $0.progress.bestStep = 9 },
        Damage(testDescription: "validation step", reason: "lastValidatedStep") { $0.progress.lastValidatedStep = -1 },
        Damage(testDescription: "validations", reason: "validationsWithoutGain") {
            $0.progress.validationsWithoutGain = .max
        },
        Damage(testDescription: "seconds", reason: "seconds") { $0.progress.seconds = -1 },
        Damage(testDescription: "shape of weights", reason: "'current.items' has shape [1, 16]") {
            $0.matrices["current.items"] = Matrix(rows: 1, columns: 16)
        },
        Damage(testDescription: "missing weights", reason: "'current.items' is missing") {
            $0.matrices["current.items"] = nil
        },
        Damage(testDescription: "missing best weights", reason: "'best.items' is missing") {
            $0.matrices["best.items"] = nil
        },
        Damage(testDescription: "unknown weights", reason: "'current.other' belongs to no parameter") {
            $0.matrices["current.other"] = Matrix(rows: 1, columns: 1)
        },
        Damage(testDescription: "shape of a first moment", reason: "'adam.first.items' has shape [1, 16]") {
            $0.matrices["adam.first.items"] = Matrix(rows: 1, columns: 16)
        },
        Damage(testDescription: "shape of a second moment", reason: "'adam.second.denoiser.bias' has shape [0, 24]") {
            $0.matrices["adam.second.denoiser.bias"] = Matrix(rows: 0, columns: 24)
        },
        Damage(testDescription: "moment of nothing", reason: "'adam.third.items' belongs to no parameter") {
            $0.matrices["adam.third.items"] = Matrix(rows: 60, columns: 16)
        },
    ]

    @Test("an impossible state is rejected and changes nothing", arguments: damages)
    func refuses(damage: Damage) throws {
        var interrupted = try trainer(Self.recipe)
        var (taken, saved): (Int, Trainer<DimeRec>.State?) = (0, nil)
        _ = try interrupted.run(
            shouldStop: { taken == 8 },
            save: { saved = $0 },
            report: { if case .step(let step, _, _, _) = $0 { taken = step } }
        )
        var state = try #require(saved)
        damage.change(&state)
        var resumed = try trainer(Self.recipe)
        let before = resumed.state.matrices
        let error = try #require(throws: TrainingError.self) { try resumed.restore(state) }
        #expect(error.description.contains(damage.reason) && error.description.contains("--resume"), "\(error)")
        #expect(resumed.state.matrices == before && resumed.state.progress == TrainingProgress())
    }

    @Test("training learns which items follow, and keeps the best validation")
    func learns() throws {
        var recipe = Self.recipe
        recipe.training.maxSteps = 400
        recipe.training.validateEvery = 50
        var trainer = try trainer(recipe)
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
        var trainer = try trainer(Self.recipe)
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
                        targets: step * Self.recipe.training.batchSize
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
        var recipe = Self.recipe
        recipe.training.learningRate = 1e-8
        recipe.training.maxSteps = 1000
        recipe.training.validateEvery = 2
        recipe.training.patience = 3
        var trainer = try trainer(recipe)
        #expect(try trainer.run().progress.step <= 16)
    }

    @Test("a loss that is not finite stops the run and names the step and the term")
    func diverges() throws {
        var recipe = Self.recipe
        recipe.training.maxSteps = 20
        var trainer = try trainer(recipe)
        var state = trainer.state
        state.matrices["current.denoiser.output.bias"]?[0, 0] = .nan
        try trainer.restore(state)
        #expect(throws: TrainingError.diverged(step: 1, term: "reconstruction", bestStep: 0)) { try trainer.run() }
    }

    /// A run whose validations stop getting better while its learning rate is constant.
    private static var plateau: Recipe {
        var recipe = recipe
        recipe.training.schedule = .trapezoidal
        recipe.training.maxSteps = 100_000
        recipe.training.validateEvery = 40
        recipe.training.patience = 2
        return recipe
    }

    @Test("when patience runs out, the rate falls from the best weights, and the run ends at 0") func plateau() throws {
        var trainer = try trainer(Self.plateau)
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
        #expect(plan.factor(step: plan.steps, Self.plateau.training) == 0)
    }

    @Test("a run that stops within its fall ends with the weights of an uninterrupted one") func resumesInFall() throws
    {
        var whole = try trainer(Self.plateau)
        let expected = try whole.run()
        let start = try #require(expected.progress.plan?.fall?.start)
        var interrupted = try trainer(Self.plateau)
        var (taken, saved): (Int, Trainer<DimeRec>.State?) = (0, nil)
        _ = try interrupted.run(
            shouldStop: { taken == start + 7 },
            save: { saved = $0 },
            report: { if case .step(let step, _, _, _) = $0 { taken = step } }
        )
        var resumed = try trainer(Self.plateau)
        try resumed.restore(try #require(saved))
        #expect(try resumed.run().model.parameters == expected.model.parameters)
    }

    @Test("a run with a time limit plans its steps, validates on the way, and ends when they are taken") func timed()
        throws
    {
        var recipe = Self.recipe
        recipe.training.schedule = .trapezoidal
        recipe.training.patience = 100_000
        var trainer = try trainer(recipe)
        let progress = try trainer.run(budget: TrainingBudget(seconds: 0.5)).progress
        let plan = try #require(progress.plan)
        #expect(plan.isMade && progress.step <= plan.steps && progress.history.count >= 2)
        var few = try self.trainer(recipe)
        #expect(try few.run(budget: TrainingBudget(steps: 12, seconds: 1e6)).progress.step == 12)
    }

    @Test("a step whose windows are all empty adds nothing to the losses") func emptySteps() throws {
        var recipe = Self.recipe
        recipe.model.guidance.kind = .transformer
        recipe.model.historyLength = 9
        recipe.training.batchSize = 2
        let sequence = (0..<13 as Range<Int32>).map { $0 }
        let part = DataPart(userIDs: ["u"], sequences: RaggedRows([sequence]))
        var trainer = try Trainer(
            model: DimeRec(recipe.model, items: Self.items, seed: 1),
            recipe: recipe,
            split: DataSplit(train: part, validation: Self.split.validation, test: DataPart(nil)),
            items: Self.items,
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

    @Test("a budget of steps replaces the recipe's, and a resumed run may continue longer") func budgets() throws {
        var (short, long) = (try trainer(Self.recipe), try trainer(Self.recipe))
        var saved: Trainer<DimeRec>.State?
        let outcome = try short.run(budget: TrainingBudget(steps: 8), save: { saved = $0 })
        #expect(outcome.isFinished && outcome.progress.step == 8)
        var resumed = try trainer(Self.recipe)
        try resumed.restore(try #require(saved))
        let expected = try long.run(budget: TrainingBudget(steps: 16))
        #expect(expected.progress.step == 16)
        #expect(try resumed.run(budget: TrainingBudget(steps: 16)).model.parameters == expected.model.parameters)
    }

    @Test("the size of a state is known before it is saved") func stateBytes() throws {
        var trainer = try trainer(Self.recipe)
        let expected = trainer.stateBytes
        _ = try trainer.run(budget: TrainingBudget(steps: 8))
        #expect(expected == trainer.state.matrices.values.reduce(0) { $0 + 4 * $1.count })
    }

    @Test("a time limit of 0 still validates and keeps the weights")
    func noTime() throws {
        var trainer = try trainer(Self.recipe)
        let outcome = try trainer.run(budget: TrainingBudget(seconds: 0))
        #expect(outcome.isFinished && outcome.progress.step == 0 && outcome.progress.best["hr@20"] != nil)
    }
}

extension TrainingProgress.Interval {
    /// The same interval at time 0, because times differ between runs.
    fileprivate var withoutTime: Self {
        var copy = self
        copy.seconds = 0
        return copy
    }
}
