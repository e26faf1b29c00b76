import Foundation
import Recommenders

/// A search for the recipe values with the best validation score.
///
/// The first trial is the unchanged recipe. It stays to the end, so a search never ends below it. The other trials
/// are drawn from the space. All trials train with the same seed. With ``Strategy/halving`` (Jamieson and Talwalkar,
/// AISTATS 2016) all trials get a few steps, the best third gets three times as many, and so on up to the recipe's
/// own number. Each rung trains afresh, because a short run with a complete learning-rate schedule predicts more than
/// the start of a long one.
public struct Tuning: Sendable {
    /// How trials share the effort.
    public enum Strategy: String, Sendable, CaseIterable {
        /// Each trial trains in full.
        case random
        /// Successive halving by thirds.
        case halving
    }

    /// One tried setting.
    public struct Trial: Sendable, Equatable {
        /// Its number; 0 is the unchanged recipe.
        public var number: Int
        /// The changed values, by field.
        public var values: [String: TuningValue]
        /// The whole recipe.
        public var recipe: Recipe
    }

    /// The result of training a trial for some steps.
    public struct Outcome: Sendable {
        /// The setting.
        public var trial: Trial
        /// The number of steps allowed.
        public var steps: Int
        /// The result of the training.
        public var result: CellResult
        /// The score to choose by: HR@20 on the validation part; -1 for a training that diverged.
        public var score: Double { result.divergence == nil ? result.progress.best["hr@20", default: 0] : -1 }
    }

    /// The recipe whose fields are searched.
    public let base: Recipe
    /// The settings.
    public let trials: [Trial]
    /// The steps of each rung, ascending.
    public let rungs: [Int]
    private let seed: UInt64

    /// Each rung keeps one in this many trials.
    public static let reduction = 3

    /// A search.
    ///
    /// - Parameters:
    ///   - base: The recipe to start from.
    ///   - space: The fields that may change and their values; nil tries only the recipe.
    ///   - count: Maximum number of trials, at least 1; equal draws count once.
    ///   - strategy: How trials share the effort; systems in closed form always train in full.
    ///   - seed: Seed of the draws and of each training.
    /// - Throws: `ConfigurationError` when the recipe has a value out of range, or when the space has an unknown
    ///   field or a value that the field does not allow.
    public init(base: Recipe, space: TuningSpace?, trials count: Int, strategy: Strategy, seed: UInt64) throws {
        precondition(count >= 1, "\(count) trials")
        try base.validate(prefix: "")
        self.base = base
        self.seed = seed
        var trials = [Trial(number: 0, values: [:], recipe: base)]
        if let space {
            for number in 1..<max(1, count) {
                let values = space.sample(trial: number, seed: seed)
                let recipe = try base.setting(values)
                guard !trials.contains(where: { $0.recipe == recipe }) else { continue }
                trials.append(Trial(number: number, values: values, recipe: recipe))
            }
        }
        self.trials = trials
        let full = base.training.maxSteps
        let isFitted = try ModelRegistry.system(named: base.system) is any FittedRecommender.Type
        guard strategy == .halving, !isFitted else {
            rungs = [full]
            return
        }
        var (rungs, rest) = ([full], trials.count)
        while rest >= Self.reduction, let fewest = rungs.first, fewest >= Self.reduction {
            rungs.insert(fewest / Self.reduction, at: 0)
            rest /= Self.reduction
        }
        self.rungs = rungs
    }

    /// Trains the trials, rung by rung.
    ///
    /// - Parameters:
    ///   - runner: Keeps finished trials, so the same search can continue after an interruption.
    ///   - maxSeconds: The limit of each training in seconds; nil for none.
    ///   - shouldStop: As for ``ExperimentRunner``.
    ///   - report: As for ``ExperimentRunner``.
    /// - Returns: Every training, the best of the last rung first; nil when stopped.
    /// - Throws: ``ExperimentError``, `CheckpointError`, or any error of a training except divergence.
    public func run(
        with runner: ExperimentRunner,
        maxSeconds: Double? = nil,
        shouldStop: () -> Bool = { false },
        report: (ExperimentRunner.Event) -> Void = { _ in }
    ) throws -> [Outcome]? {
        var (alive, outcomes): ([Trial], [Outcome]) = (trials, [])
        var drawn = trials.count
        for (rung, steps) in rungs.enumerated() {
            let cells = alive.map { trial in
                var recipe = trial.recipe
                recipe.training.maxSteps = steps
                // Trials are judged before a refit.
                recipe.training.refit = false
                recipe.training.validateEvery = min(recipe.training.validateEvery, steps)
                let variant = Experiment.Variant(name: "trial \(trial.number), \(steps) steps", recipe: recipe)
                return ExperimentCell(variant: variant, seed: seed, maxSeconds: maxSeconds)
            }
            let results = try runner.run(
                cells,
                measuring: { _ in .validation },
                shouldStop: shouldStop,
                report: report
            )
            guard let results else { return nil }
            let found = zip(alive, results).map { Outcome(trial: $0, steps: steps, result: $1) }
                .sorted { ($1.score, $0.trial.number) < ($0.score, $1.trial.number) }
            outcomes = found + outcomes
            guard rung + 1 < rungs.count else { break }
            drawn = (drawn + Self.reduction - 1) / Self.reduction
            alive = found.prefix(drawn).map(\.trial)
            if !alive.contains(where: { $0.number == 0 }) { alive.append(trials[0]) }
        }
        return outcomes
    }

    /// The best recipe, with the number of trials in its tuning record.
    public func best(of outcomes: [Outcome]) -> Recipe {
        var recipe = outcomes.first?.trial.recipe ?? base
        recipe.tuning.trials = trials.count
        return recipe
    }
}
