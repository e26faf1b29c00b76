import Autodiff
import Kernels
import Recommenders
import Testing
import Training

@Suite("State of a training") struct TrainerStateTests {
    @Test("an interrupted run ends with the weights of an uninterrupted one", arguments: [1, 7, 8, 9, 23])
    func resumes(at stop: Int) throws {
        var whole = try RingTraining.trainer(RingTraining.recipe)
        let expected = try whole.run()

        var interrupted = try RingTraining.trainer(RingTraining.recipe)
        var (taken, saved): (Int, Trainer<DimeRec>.State?) = (0, nil)
        let partial = try interrupted.run(
            shouldStop: { taken == stop },
            save: { saved = $0 },
            report: { if case .step(let step, _, _, _) = $0 { taken = step } }
        )
        #expect(!partial.isFinished && saved?.progress.step == stop)

        var resumed = try RingTraining.trainer(RingTraining.recipe)
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
        var interrupted = try RingTraining.trainer(RingTraining.recipe)
        var (taken, saved): (Int, Trainer<DimeRec>.State?) = (0, nil)
        _ = try interrupted.run(
            shouldStop: { taken == 8 },
            save: { saved = $0 },
            report: { if case .step(let step, _, _, _) = $0 { taken = step } }
        )
        var state = try #require(saved)
        damage.change(&state)
        var resumed = try RingTraining.trainer(RingTraining.recipe)
        let before = resumed.state.matrices
        let error = try #require(throws: TrainingError.self) { try resumed.restore(state) }
        #expect(error.description.contains(damage.reason) && error.description.contains("--resume"), "\(error)")
        #expect(resumed.state.matrices == before && resumed.state.progress == TrainingProgress())
    }

    @Test("a run that stops within its fall ends with the weights of an uninterrupted one") func resumesInFall() throws
    {
        var whole = try RingTraining.trainer(RingTraining.plateau)
        let expected = try whole.run()
        let start = try #require(expected.progress.plan?.fall?.start)
        var interrupted = try RingTraining.trainer(RingTraining.plateau)
        var (taken, saved): (Int, Trainer<DimeRec>.State?) = (0, nil)
        _ = try interrupted.run(
            shouldStop: { taken == start + 7 },
            save: { saved = $0 },
            report: { if case .step(let step, _, _, _) = $0 { taken = step } }
        )
        var resumed = try RingTraining.trainer(RingTraining.plateau)
        try resumed.restore(try #require(saved))
        #expect(try resumed.run().model.parameters == expected.model.parameters)
    }

    @Test("a budget of steps replaces the recipe's, and a resumed run may continue longer") func budgets() throws {
        var (short, long) = (
            try RingTraining.trainer(RingTraining.recipe), try RingTraining.trainer(RingTraining.recipe)
        )
        var saved: Trainer<DimeRec>.State?
        let outcome = try short.run(budget: TrainingBudget(steps: 8), save: { saved = $0 })
        #expect(outcome.isFinished && outcome.progress.step == 8)
        var resumed = try RingTraining.trainer(RingTraining.recipe)
        try resumed.restore(try #require(saved))
        let expected = try long.run(budget: TrainingBudget(steps: 16))
        #expect(expected.progress.step == 16)
        #expect(try resumed.run(budget: TrainingBudget(steps: 16)).model.parameters == expected.model.parameters)
    }

    @Test("the size of a state is known before it is saved") func stateBytes() throws {
        var trainer = try RingTraining.trainer(RingTraining.recipe)
        let expected = trainer.stateBytes
        _ = try trainer.run(budget: TrainingBudget(steps: 8))
        #expect(expected == trainer.state.matrices.values.reduce(0) { $0 + 4 * $1.count })
    }
}
