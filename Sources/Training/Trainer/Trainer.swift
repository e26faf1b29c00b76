import Autodiff
import Foundation
import Kernels
public import Recommenders

/// Trains a model with Adam on sampled batches, evaluates it on the validation part, and keeps the best weights.
///
/// The same seed gives bit-identical weights, on any number of threads and ranks and after an interruption: every draw
/// is a function of the seed and the step, each batch is differentiated in shards of a fixed size, and gradients are
/// added in the order of shards.
public struct Trainer<Model: TrainedRecommender> {
    let recipe: Recipe
    private let assembly: BatchAssembly
    private let evaluator: Evaluator
    let tables: TablePlacement
    private var ranks: Ranks { tables.ranks }
    var model: Model
    var optimiser: Adam
    var progress = TrainingProgress()
    var bestParameters: ParameterSet?
    /// Whether the last weights count as the best, for data whose validation says nothing about new events.
    var keepsLastWeights = false

    /// A trainer of a fresh model.
    ///
    /// - Parameters:
    ///   - model: Initial weights; of divided tables this rank's rows.
    ///   - recipe: Hyper-parameters.
    ///   - split: The training part, and the validation part that decides when to stop.
    ///   - items: Size of the catalogue.
    ///   - seed: Seed of every draw.
    ///   - tables: Where the rows of item tables are. Each of its ranks has a trainer with the same arguments.
    /// - Throws: ``TrainingError`` when the training part gives no row; `ConfigurationError` for weights of targets and
    ///   a system that takes none.
    public init(
        model: Model,
        recipe: Recipe,
        split: DataSplit,
        items: Int,
        seed: UInt64,
        tables: TablePlacement = TablePlacement()
    ) throws {
        self.model = model
        self.recipe = recipe
        self.tables = tables
        assembly = BatchAssembly(train: split.train, items: items, recipe: recipe, model: model, seed: seed)
        guard assembly.windows.targets > 0 else { throw TrainingError.nothingToLearn }
        guard model.weighsTargets || !assembly.windows.hasUnequalWeights else {
            throw ConfigurationError.invalidValue(
                key: "data.targets",
                reason:
                    "'\(recipe.system)' learns whole histories, so its targets have no weights; leave the weights out, "
                    + "or take a system that learns the next item, such as dimerec or sasrec."
            )
        }
        evaluator = try Evaluator(
            validating: recipe,
            split: split,
            items: items,
            historyLength: model.historyLength
        )
        optimiser = Adam(
            learningRate: recipe.training.learningRate,
            beta1: recipe.training.beta1,
            beta2: recipe.training.beta2,
            epsilon: recipe.training.epsilon,
            tableUpdate: recipe.training.tableUpdate
        )
    }

    /// Targets of one epoch.
    public var trainRows: Int { assembly.windows.targets }

    /// Trains until the budget is used up or patience runs out, or until `shouldStop` is true.
    ///
    /// With a time limit, the trainer measures its speed and plans the number of steps from it, so that the learning
    /// rate reaches 0 when the time ends. When patience runs out in the constant part of a trapezoidal schedule, the
    /// fall begins at once, from the best weights so far.
    ///
    /// - Parameters:
    ///   - budget: The limits of the run besides patience.
    ///   - shouldStop: Called before every step, on rank 0 alone; true returns without another step.
    ///   - save: Called with the state to resume from: when stopped, and after validations unless saving would take
    ///     more than a twentieth of the time. With divided tables it is called on rank 0 alone.
    ///   - report: Called after every step and every validation.
    /// - Returns: The outcome; the caller may resume later when `isFinished` is false.
    /// - Throws: ``TrainingError/diverged(step:term:bestStep:)``, or any error of `save`.
    public mutating func run(
        budget: TrainingBudget = TrainingBudget(),
        shouldStop: () -> Bool = { false },
        save: (State) throws -> Void = { _ in },
        report: (TrainingEvent) -> Void = { _ in }
    ) throws -> TrainingOutcome<Model> {
        let epoch = (trainRows + recipe.training.batchSize - 1) / recipe.training.batchSize
        var clock = TrainingClock(budget: budget, progress: progress, epoch: epoch, savedBytes: stateBytes)
        makePlan(for: budget)
        while !isFinished {
            let next: NextMove = try ranks.decided { clock.isOver ? .end : shouldStop() ? .stop : .step }
            if next == .end { break }
            if next == .stop {
                progress.seconds = clock.seconds
                try saveState(save)
                return outcome(finished: false)
            }
            let (terms, targets) = try clock.step { try takeStep() }
            clock.targets += targets
            if let steps = try decided(budget, { clock.plannedSteps(after: progress.step, plan) }) {
                var plan = plan
                plan.extend(at: progress.step, by: steps, recipe.training)
                progress.plan = plan
            }
            report(
                .step(
                    progress.step,
                    of: plan.isMade ? plan.steps : nil,
                    terms: terms,
                    samplesPerSecond: clock.targetsPerSecond
                )
            )
            let isDue = try decided(budget) {
                clock.validationIsDue(progress, plan, every: recipe.training.validateEvery)
            }
            guard isDue || progress.step == plan.steps else { continue }
            let seconds = clock.seconds
            try clock.validation { try validate(seconds, report) }
            if progress.validationsWithoutGain >= recipe.training.patience { endSoon() }
            progress.seconds = clock.seconds
            if try ranks.decided({ clock.savingIsDue }) { try clock.saving { try saveState(save) } }
        }
        if progress.lastValidatedStep != progress.step || bestParameters == nil {
            try validate(clock.seconds, report)
        }
        progress.seconds = clock.seconds
        return outcome(finished: true)
    }

    /// The decision after a step.
    private enum NextMove: Int, Codable {
        case step, stop, end
    }

    /// A decision that needs the clock only with a time limit: then the clock of rank 0 decides.
    private func decided<Value: Codable>(_ budget: TrainingBudget, _ decide: () -> Value) throws -> Value {
        try budget.seconds == nil ? decide() : ranks.decided(decide)
    }

    /// The length of the run as it is planned now.
    private var plan: TrainingPlan { progress.plan ?? TrainingPlan(steps: recipe.training.maxSteps) }

    /// Plans the length of a run that begins, or that a call continues with another budget.
    private mutating func makePlan(for budget: TrainingBudget) {
        var plan = progress.plan ?? TrainingPlan(steps: TrainingPlan.mostSteps)
        if budget.seconds == nil, !plan.isMade { plan.steps = recipe.training.maxSteps }
        if let steps = budget.steps {
            if plan.fall != nil {
                plan.extend(at: progress.step, by: steps - progress.step, recipe.training)
            } else {
                plan.steps = budget.seconds == nil ? steps : min(steps, plan.steps)
            }
        }
        progress.plan = plan
    }

    /// Whether the plan is done, or patience has run out with a schedule that knows no early fall.
    private var isFinished: Bool {
        progress.step >= plan.steps
            || recipe.training.schedule != .trapezoidal
                && progress.validationsWithoutGain >= recipe.training.patience
    }

    /// Ends a run whose patience has run out: with a trapezoidal schedule by the fall of the learning rate, which begins
    /// from the best weights unless it has begun already, and otherwise at once.
    private mutating func endSoon() {
        guard recipe.training.schedule == .trapezoidal else {
            if progress.step < plan.steps { progress.patienceEnd = progress.step }
            return
        }
        guard plan.isBeforeFall(progress.step, recipe.training), let bestParameters else { return }
        model.parameters = bestParameters
        let planned = plan.steps
        var plan = plan
        plan.fall(at: progress.step, best: progress.bestStep, recipe.training)
        if plan.steps < planned { progress.patienceEnd = progress.step }
        progress.plan = plan
        progress.validationsWithoutGain = 0
    }

    /// One optimiser step; returns the loss terms, and how many targets they are means of.
    private mutating func takeStep() throws -> (terms: [(name: String, value: Float)], targets: Int) {
        let (assembly, step) = (assembly, assembly.step(progress.step))
        let sum = try tables.gradients(of: model, shards: step.shards.count) { shard in
            try assembly.batch(step, shard: shard)
        }
        let terms = sum.terms
        if let bad = terms.first(where: { !$0.value.isFinite }) {
            throw TrainingError.diverged(step: progress.step + 1, term: bad.name, bestStep: progress.bestStep)
        }
        optimiser.learningRate = recipe.training.learningRate * plan.factor(step: progress.step, recipe.training)
        optimiser.update(&model.parameters, by: sum.gradients)
        model.constrain()
        progress.step += 1
        progress.targets += step.targets
        if !terms.isEmpty { progress.add(terms) }
        return (terms, step.targets)
    }

    /// Takes optimiser steps for a benchmark, without validations.
    mutating func timedSteps(seconds: Double) throws -> [TrainingBenchmark.Step] {
        makePlan(for: TrainingBudget())
        var steps: [TrainingBenchmark.Step] = []
        let start = ContinuousClock.now
        while steps.isEmpty || ContinuousClock.now - start < .seconds(seconds) {
            let begin = ContinuousClock.now
            let targets = try takeStep().targets
            guard progress.step > TrainingBenchmark.warmUp else { continue }
            steps.append(TrainingBenchmark.Step(duration: ContinuousClock.now - begin, targets: targets))
        }
        return steps
    }

    private mutating func validate(_ seconds: Double, _ report: (TrainingEvent) -> Void) throws {
        // Of divided tables a rank sees its own rows alone.
        if let name = try ranks.gathered(model.parameters.firstNonFinite).compactMap({ $0 }).min() {
            throw TrainingError.diverged(step: progress.step, term: "parameter '\(name)'", bestStep: progress.bestStep)
        }
        let metrics = try evaluator.metrics(of: model, noiseSeed: Evaluator.validationNoiseSeed, on: tables)
        progress.lastValidatedStep = progress.step
        progress.validationsWithoutGain += 1
        let best = (progress.best["hr@20", default: 0], progress.best["mrr@20", default: 0])
        let isBetter = (metrics.hitRate(at: 20), metrics.meanReciprocalRank(at: 20)) > best
        if isBetter || keepsLastWeights || bestParameters == nil {
            progress.best = metrics.values
            progress.bestStep = progress.step
            progress.validationsWithoutGain = 0
            bestParameters = model.parameters
        }
        progress.closeInterval(metrics: metrics.values, seconds: seconds)
        report(.validation(progress.step, metrics: metrics.values, isBest: progress.bestStep == progress.step))
    }

    private func outcome(finished: Bool) -> TrainingOutcome<Model> {
        var best = model
        best.parameters = bestParameters ?? model.parameters
        return TrainingOutcome(model: best, isFinished: finished, progress: progress)
    }
}

extension Evaluator {
    /// An evaluator of the validation part, with the settings of a recipe.
    ///
    /// - Throws: ``TrainingError/nothingToValidate``.
    init(validating recipe: Recipe, split: DataSplit, items: Int, historyLength: Int) throws {
        self.init(
            rows: EvaluationRows(validating: recipe, split),
            limit: recipe.data.validationRows,
            historyLength: historyLength,
            popularity: PopularityPredictor(sequences: split.train.sequences, items: items)
        )
        guard count > 0 else { throw TrainingError.nothingToValidate }
    }
}

/// Progress of a training.
public enum TrainingEvent: Sendable {
    /// A step was taken, of as many as are planned now, nil until they are; loss terms are means over its batch.
    case step(Int, of: Int?, terms: [(name: String, value: Float)], samplesPerSecond: Double)
    /// A step of the refit was taken, as ``step(_:of:terms:samplesPerSecond:)``.
    case refit(Int, of: Int, terms: [(name: String, value: Float)], samplesPerSecond: Double)
    /// A validation is done.
    case validation(Int, metrics: [String: Double], isBest: Bool)
    /// Counts were added to the trained model's scores, with these validation metrics; they are kept if they help.
    case counts(metrics: [String: Double], areKept: Bool)
}

/// A trained model with the record of its training.
public struct TrainingOutcome<Model: TrainedRecommender>: Sendable {
    /// The model with its best weights.
    public var model: Model
    /// False when `shouldStop` ended the training.
    public var isFinished: Bool
    /// Counters and validation metrics.
    public var progress: TrainingProgress
}
