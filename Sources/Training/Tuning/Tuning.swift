import Foundation
import Recommenders

/// A search for the values of a recipe that do best on the validation part.
///
/// The first trial is the recipe as it is, which stays to the end, so that a search never ends below it; the others are drawn
/// from the space. All train from the same seed. With ``Strategy/halving`` (Jamieson and Talwalkar, AISTATS 2016) all trials get a small number
/// of steps, the best third three times as many, and so on up to the recipe's own; each rung trains afresh, because a
/// learning rate that falls to its end over few steps says more than the beginning of a long one.
public struct Tuning: Sendable {
    /// How trials share the effort.
    public enum Strategy: String, Sendable, CaseIterable {
        /// Each trial trains in full.
        case random
        /// Successive halving by thirds.
        case halving
    }

    /// One setting that is tried.
    public struct Trial: Sendable, Equatable {
        /// Its number, 0 for the recipe as it is.
        public var number: Int
        /// What it changes, by field.
        public var values: [String: TuningValue]
        /// The whole recipe.
        public var recipe: Recipe
    }

    /// What came of training a trial for some steps.
    public struct Outcome: Sendable {
        /// The setting.
        public var trial: Trial
        /// Steps that it was given.
        public var steps: Int
        /// The training.
        public var result: CellResult
        /// The figure that chooses: HR@20 on the validation part; less than any for a training that diverged.
        public var score: Double { result.divergence == nil ? result.progress.best["hr@20", default: 0] : -1 }
    }

    /// The recipe whose fields are searched.
    public let base: Recipe
    /// The settings.
    public let trials: [Trial]
    /// The steps of each rung, ascending.
    public let rungs: [Int]
    private let seed: UInt64

    /// Each rung keeps one trial of so many.
    public static let reduction = 3

    /// A search.
    ///
    /// - Parameters:
    ///   - base: The recipe to start from.
    ///   - space: What may change; nil leaves the recipe as it is.
    ///   - count: Settings at most, at least 1; equal draws count once.
    ///   - strategy: How they share the effort; systems in closed form train in full in any case.
    ///   - seed: Of the draws and of each training.
    /// - Throws: `ConfigurationError` when the recipe has a value out of range, or the space names a field that the recipe
    ///   lacks or a value that it cannot have.
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
    ///   - runner: Keeps what is done, so that the same search goes on after an interruption.
    ///   - maxSeconds: Of each training at most, or nil.
    ///   - shouldStop: As for ``ExperimentRunner``.
    ///   - report: Likewise.
    /// - Returns: Every training, the best of the last rung first; nil when stopped.
    /// - Throws: ``ExperimentError``, `CheckpointError`, or what stopped a training besides divergence.
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

    /// The recipe that did best, with a record of how many trials chose it.
    public func best(of outcomes: [Outcome]) -> Recipe {
        var recipe = outcomes.first?.trial.recipe ?? base
        recipe.tuning.trials = trials.count
        return recipe
    }
}
