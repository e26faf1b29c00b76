import Autodiff
import Kernels
import Recommenders

/// Optimiser steps on synthetic batches, for benchmarks; histories are full, all items are uniform draws.
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

    /// Durations of single steps, including the batch draw, after ten warm-up steps.
    public func stepDurations(seconds: Double) throws -> [Duration] {
        var model = DimeRec(recipe.model, items: items, seed: seed)
        var optimiser = Adam(
            learningRate: recipe.training.learningRate,
            tableUpdate: recipe.training.tableUpdate
        )
        var durations: [Duration] = []
        let start = ContinuousClock.now
        var step = 0
        while durations.isEmpty || ContinuousClock.now - start < .seconds(seconds) {
            let stepStart = ContinuousClock.now
            let current = step
            let (gradients, _) = try Trainer.gradients(of: model, shards: 2) { shard in
                let half = recipe.training.batchSize / 2
                return batch(step: current, range: shard * half..<(shard + 1) * half)
            }
            optimiser.update(&model.parameters, by: gradients)
            if step >= 10 { durations.append(ContinuousClock.now - stepStart) }
            step += 1
        }
        return durations
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
            noise: NoiseSource(seed: seed, streams: streams),
            stepRows: recipe.training.batchSize
        )
    }
}
