import Autodiff
import Dispatch
import Foundation
import Kernels
public import Recommenders
import Synchronization

/// Trains a model with Adam on sampled batches, evaluates it on the validation part, and keeps the best weights.
///
/// The same seed gives bit-identical weights, on any number of threads and after an interruption: every draw is a
/// function of the seed and the step, each batch is differentiated in shards of a fixed size, and gradients are added
/// in the order of shards.
public struct Trainer<Model: TrainedRecommender> {
    let recipe: Recipe
    private let assembly: BatchAssembly
    private let evaluator: Evaluator
    var model: Model
    var optimiser: Adam
    var progress = TrainingProgress()
    var bestParameters: ParameterSet?

    /// A trainer of a fresh model.
    ///
    /// - Parameters:
    ///   - model: Initial weights.
    ///   - recipe: Hyper-parameters.
    ///   - split: The training part, and the validation part that decides when to stop.
    ///   - items: Size of the catalogue.
    ///   - seed: Seed of every draw.
    /// - Throws: ``TrainingError`` when the training part gives no row.
    public init(model: Model, recipe: Recipe, split: DataSplit, items: Int, seed: UInt64) throws {
        self.model = model
        self.recipe = recipe
        assembly = BatchAssembly(train: split.train, items: items, recipe: recipe, model: model, seed: seed)
        guard assembly.rows.count > 0 else { throw TrainingError.nothingToLearn }
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

    /// Training rows of one epoch.
    public var trainRows: Int { assembly.rows.count }

    /// Trains until the recipe's last step, until patience or `maxSeconds` runs out, or until `shouldStop` is true.
    ///
    /// - Parameters:
    ///   - maxSeconds: The time limit of this call in seconds; nil for none.
    ///   - shouldStop: Called before every step; true returns without another step.
    ///   - save: Called with the state to resume from, at each validation and when stopped.
    ///   - report: Called after every step and every validation.
    /// - Returns: The outcome; the caller may resume later when `isFinished` is false.
    /// - Throws: ``TrainingError/diverged(step:term:bestStep:)``, or any error of `save`.
    public mutating func run(
        maxSeconds: Double? = nil,
        shouldStop: () -> Bool = { false },
        save: (State) throws -> Void = { _ in },
        report: (TrainingEvent) -> Void = { _ in }
    ) throws -> TrainingOutcome<Model> {
        let start = ContinuousClock.now
        let before = progress.seconds
        let firstStep = progress.step
        var training = Duration.zero
        func elapsed() -> Double { (ContinuousClock.now - start) / .seconds(1) }
        while progress.step < recipe.training.maxSteps, progress.validationsWithoutGain < recipe.training.patience {
            if let maxSeconds, elapsed() >= maxSeconds { break }
            if shouldStop() {
                progress.seconds = before + elapsed()
                try save(state)
                return outcome(finished: false)
            }
            let stepStart = ContinuousClock.now
            let terms = try takeStep()
            training += ContinuousClock.now - stepStart
            report(
                .step(
                    progress.step,
                    of: recipe.training.maxSteps,
                    terms: terms,
                    samplesPerSecond: Double((progress.step - firstStep) * recipe.training.batchSize)
                        / (training / .seconds(1))
                )
            )
            if progress.step % recipe.training.validateEvery == 0 || progress.step == recipe.training.maxSteps {
                try validate(report)
                progress.seconds = before + elapsed()
                try save(state)
            }
        }
        if progress.lastValidatedStep != progress.step || bestParameters == nil {
            try validate(report)
        }
        progress.seconds = before + elapsed()
        return outcome(finished: true)
    }

    /// One optimiser step.
    private mutating func takeStep() throws -> [(name: String, value: Float)] {
        let (assembly, step) = (assembly, progress.step)
        let (gradients, terms) = try Self.gradients(of: model, rows: recipe.training.batchSize) { range in
            try assembly.batch(step: step, range: range)
        }
        if let bad = terms.first(where: { !$0.value.isFinite }) {
            throw TrainingError.diverged(step: progress.step + 1, term: bad.name, bestStep: progress.bestStep)
        }
        optimiser.learningRate = recipe.training.learningRate(step: step)
        optimiser.update(&model.parameters, by: gradients)
        model.constrain()
        progress.step += 1
        progress.add(terms)
        return terms
    }

    /// Computes gradients and loss terms of one step, with its shards on as many threads as there are cores.
    ///
    /// A shard has 128 rows on every machine, because the rounding of sums depends on it.
    ///
    /// - Parameters:
    ///   - model: Current weights.
    ///   - rows: Rows of the step.
    ///   - batch: Makes the batch of a range of rows; called from several threads.
    /// - Returns: Gradients summed over shards, and the means of the terms over all rows.
    /// - Throws: Any error of `batch`.
    static func gradients(
        of model: Model,
        rows: Int,
        batch: @Sendable (Range<Int>) throws -> TrainingBatch
    ) throws -> (Gradients, [(name: String, value: Float)]) {
        let shards = stride(from: 0, to: rows, by: 128).map { $0..<min($0 + 128, rows) }
        let results = Mutex<[Result<(Gradients, [(name: String, value: Float)]), any Error>?]>(
            Array(repeating: nil, count: shards.count)
        )
        DispatchQueue.concurrentPerform(iterations: shards.count) { index in
            let result = Result {
                let tape = Tape()
                let loss = model.loss(try batch(shards[index]), on: tape)
                return (tape.backward(from: loss.total), loss.terms)
            }
            results.withLock { $0[index] = result }
        }
        var sum = Gradients()
        var terms: [(name: String, value: Float)] = []
        for result in results.withLock({ $0 }) {
            guard let (gradients, shardTerms) = try result?.get() else { continue }
            sum.add(gradients)
            terms = terms.isEmpty ? shardTerms : zip(terms, shardTerms).map { ($0.name, $0.value + $1.value) }
        }
        return (sum, terms)
    }

    private mutating func validate(_ report: (TrainingEvent) -> Void) throws {
        if let name = model.parameters.firstNonFinite {
            throw TrainingError.diverged(step: progress.step, term: "parameter '\(name)'", bestStep: progress.bestStep)
        }
        let metrics = evaluator.evaluate(model, readOut: .served, noiseSeed: Evaluator.validationNoiseSeed).metrics
        progress.lastValidatedStep = progress.step
        progress.validationsWithoutGain += 1
        if bestParameters == nil || metrics.hitRate(at: 20) > progress.best["hr@20", default: 0] {
            progress.best = metrics.values
            progress.bestStep = progress.step
            progress.validationsWithoutGain = 0
            bestParameters = model.parameters
        }
        progress.closeInterval(metrics: metrics.values)
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
            rows: EvaluationRows(
                split.validation,
                protocol: recipe.data.evaluation.suited(to: split.validation.targets)
            ),
            limit: recipe.data.validationRows,
            historyLength: historyLength,
            popularity: PopularityPredictor(sequences: split.train.sequences, items: items)
        )
        guard count > 0 else { throw TrainingError.nothingToValidate }
    }
}

/// Progress of a training.
public enum TrainingEvent: Sendable {
    /// A step was taken; loss terms are means over its batch.
    case step(Int, of: Int, terms: [(name: String, value: Float)], samplesPerSecond: Double)
    /// A validation is done.
    case validation(Int, metrics: [String: Double], isBest: Bool)
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
