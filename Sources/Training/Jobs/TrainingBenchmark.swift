import Autodiff
import CheckpointStore
import Kernels
import Recommenders

/// Optimiser steps for benchmarks: of a recipe on its data, or on synthetic batches of full histories and uniform items.
public struct TrainingBenchmark: Sendable {
    private let recipe: Recipe
    private let items: Int
    private let seed: UInt64

    /// A benchmark of a recipe over a catalogue of `items` items.
    ///
    /// - Precondition: The recipe uses private negatives.
    public init(recipe: Recipe, items: Int, seed: UInt64) {
        precondition(recipe.training.negatives.kind == .perRow, "the benchmark draws private negatives")
        self.recipe = recipe
        self.items = items
        self.seed = seed
    }

    /// One optimiser step, including the draw of its batch.
    public struct Step: Sendable {
        /// Its time.
        public var duration: Duration
        /// How many targets it learnt from.
        public var targets: Int
    }

    /// Steps after which measuring starts.
    static let warmUp = 10

    /// The steps of a recipe on its data.
    ///
    /// - Parameters:
    ///   - recipe: The recipe of a system that learns by gradients.
    ///   - data: Its data.
    ///   - seconds: How long to measure.
    /// - Returns: At least one step.
    /// - Throws: ``ConfigurationError`` for a system that is fitted in closed form, ``TrainingError``.
    public static func steps(of recipe: Recipe, on data: TrainingData, seconds: Double) throws -> [Step] {
        try steps(of: trainedSystem(of: recipe), recipe, data, seconds)
    }

    /// The system of a recipe, if it learns by gradients.
    ///
    /// - Throws: ``ConfigurationError`` for a system that is fitted in closed form.
    static func trainedSystem(of recipe: Recipe) throws -> any TrainedRecommender.Type {
        if let system = try ModelRegistry.system(named: recipe.system) as? any TrainedRecommender.Type { return system }
        throw ConfigurationError.invalidValue(
            key: "system",
            reason: "'\(recipe.system)' is fitted in closed form, without optimiser steps."
        )
    }

    private static func steps<Model: TrainedRecommender>(
        of system: Model.Type,
        _ recipe: Recipe,
        _ data: TrainingData,
        _ seconds: Double
    ) throws -> [Step] {
        var trainer = try Trainer(
            model: Model(Model.own(recipe.configuration), items: data.catalogue.count, seed: 1),
            recipe: recipe,
            split: data.split,
            items: data.catalogue.count,
            seed: 1
        )
        return try trainer.timedSteps(seconds: seconds)
    }

    /// Synthetic steps.
    public func steps(seconds: Double) throws -> [Step] {
        var model = DimeRec(recipe.model, items: items, seed: seed)
        var optimiser = Adam(
            learningRate: recipe.training.learningRate,
            tableUpdate: recipe.training.tableUpdate
        )
        var steps: [Step] = []
        let start = ContinuousClock.now
        var step = 0
        while steps.isEmpty || ContinuousClock.now - start < .seconds(seconds) {
            let stepStart = ContinuousClock.now
            let current = step
            let sum = try TablePlacement().gradients(of: model, shards: 2) { shard in
                let half = recipe.training.batchSize / 2
                return batch(step: current, range: shard * half..<(shard + 1) * half)
            }
            optimiser.update(&model.parameters, by: sum.gradients)
            if step >= Self.warmUp {
                steps.append(
                    Step(duration: ContinuousClock.now - stepStart, targets: recipe.training.batchSize)
                )
            }
            step += 1
        }
        return steps
    }

    private func batch(step: Int, range: Range<Int>) -> TrainingBatch {
        let random = CounterBasedGenerator(seed: seed, purpose: .simulation)
        let (length, count) = (recipe.model.historyLength, recipe.training.negatives.count)
        let streams = range.map { UInt64(step * recipe.training.batchSize + $0) }
        var histories = RaggedRows()
        var (targets, negatives): ([Int32], [Int32]) = ([], [])
        for stream in streams {
            let drawn = random.integers(below: items, stream: stream, count: length + 1 + count)
            histories.append(drawn[..<length])
            targets.append(drawn[length])
            negatives += drawn[(length + 1)...]
        }
        return TrainingBatch(
            histories: histories,
            targets: targets,
            negatives: .perRow(negatives, count: count),
            precision: recipe.training.precision,
            noise: NoiseSource(seed: seed, streams: streams),
            stepRows: recipe.training.batchSize
        )
    }
}
