import Foundation
import Kernels
package import Recommenders

/// Makes training batches; each is a pure function of the seed, the step and the number of the shard.
package struct BatchAssembly: Sendable {
    /// The windows that the model learns from.
    package let windows: TrainingWindows
    private let source: NegativeSource
    private let secondSource: NegativeSource?
    private let dropout: HistoryDropout
    private let precision: Precision
    /// Windows of every step, and about how many targets they have.
    private let (windowsPerStep, batchSize): (Int, Int)
    private let seed: UInt64

    /// The batches of one training.
    package init(train: DataPart, items: Int, recipe: Recipe, model: some TrainedRecommender, seed: UInt64) {
        windows = TrainingWindows(
            train.sequences,
            weights: train.weights,
            historyLength: model.historyLength,
            wholeWindows: model.learnsWholeWindows
        )
        batchSize = recipe.training.batchSize
        windowsPerStep = windows.windowsPerStep(targets: batchSize)
        let negatives = recipe.training.negatives.resolved(items: items)
        precision = recipe.training.precision
        let sampler = NegativeSampler(sequences: train.sequences, items: items, seed: seed)
        source = NegativeSource(sampler, negatives)
        // Two draws of the whole catalogue would be equal.
        secondSource =
            model.drawsSecondNegatives && negatives.kind != .catalogue
            ? NegativeSource(sampler.reseeded(seed ^ 0x5ec0_4d5e_ed00_0001), negatives) : nil
        dropout = HistoryDropout(probability: recipe.training.historyDropout, seed: seed)
        self.seed = seed
    }

    /// The windows of one step, and the draws that all of its shards share.
    package struct Step: Sendable {
        let number: Int
        let windows: [TrainingWindows.Window]
        /// The windows of each shard.
        package let shards: [Range<Int>]
        /// The number of targets of the whole step.
        package let targets: Int
        let (pool, secondPool): (SharedPool?, SharedPool?)
    }

    /// The step of a number.
    package func step(_ number: Int) -> Step {
        let windows = windows.step(number, size: windowsPerStep, seed: seed)
        return Step(
            number: number,
            windows: windows,
            shards: shards(windows),
            targets: windows.reduce(0) { $0 + $1.targets.count },
            pool: source.pool(step: number),
            secondPool: secondSource.flatMap { $0.pool(step: number) }
        )
    }

    /// Divides windows into consecutive shards of about equal numbers of targets.
    ///
    /// A step has at least two shards if it can, and about one for every 256 targets; a window is never divided.
    private func shards(_ windows: [TrainingWindows.Window]) -> [Range<Int>] {
        let targets = windows.reduce(0) { $0 + $1.targets.count }
        let count = max(2, (targets + 255) / 256)
        var (shards, start, seen): ([Range<Int>], Int, Int) = ([], 0, 0)
        for (index, window) in windows.enumerated() {
            seen += window.targets.count
            if seen * count >= targets * (shards.count + 1) {
                shards.append(start..<index + 1)
                start = index + 1
            }
        }
        return shards
    }

    /// The batch of one shard of a step.
    ///
    /// - Throws: ``NegativeSamplingError`` when a user has no item left as a negative.
    package func batch(_ step: Step, shard: Int) throws(NegativeSamplingError) -> TrainingBatch {
        var histories = RaggedRows()
        var (users, targets, streams): ([Int], [Int32], [UInt64]) = ([], [], [])
        var weights: [Float] = []
        for window in step.windows[step.shards[shard]] {
            let sequence = windows.sequences[window.user]
            let start = sequence.startIndex
            // Targets of a window share the choices, so their histories stay prefixes of each other.
            let choices = dropout.choices(
                stream: window.stream,
                count: window.targets.upperBound - 1 - window.first
            )
            for (place, target) in window.targets.enumerated() {
                histories.append(dropout.kept(sequence[start + window.first..<start + target], choices))
                users.append(window.user)
                targets.append(sequence[start + target])
                streams.append(window.stream + UInt64(place))
                if let weight = windows.weight(of: target, user: window.user) { weights.append(weight) }
            }
        }
        func negatives(_ source: NegativeSource, _ pool: SharedPool?) throws(NegativeSamplingError) -> Negatives {
            try source.negatives(pool, users: users, targets: targets, streams: streams)
        }
        let second: Negatives? =
            if let secondSource { try negatives(secondSource, step.secondPool) } else { nil }
        return TrainingBatch(
            histories: histories,
            targets: targets,
            negatives: try negatives(source, step.pool),
            secondNegatives: second,
            precision: precision,
            noise: NoiseSource(seed: seed, streams: streams),
            stepRows: step.targets,
            step: step.number,
            rowWeights: weights.isEmpty ? nil : weights
        )
    }
}

/// The negatives of one loss, by their settings.
private struct NegativeSource: Sendable {
    private let sampler: NegativeSampler
    private let configuration: NegativesConfiguration
    private let stratified: StratifiedPool?

    init(_ sampler: NegativeSampler, _ configuration: NegativesConfiguration) {
        self.sampler = sampler
        self.configuration = configuration
        stratified = configuration.kind == .mixed ? sampler.stratifiedPool(count: configuration.count) : nil
    }

    /// The pool of a step; nil if the negatives are no pool.
    func pool(step: Int) -> SharedPool? {
        let isCorrected = configuration.logQ != .none
        if let stratified { return stratified.pool(step: step, isCorrected: isCorrected) }
        guard configuration.kind == .pool else { return nil }
        return sampler.uniformPool(step: step, count: configuration.count, isCorrected: isCorrected)
    }

    /// The negatives of rows, with the pool of their step.
    func negatives(
        _ pool: SharedPool?,
        users: [Int],
        targets: [Int32],
        streams: [UInt64]
    ) throws(NegativeSamplingError) -> Negatives {
        let userItems = configuration.maskUserItems
        if let pool {
            let masked = sampler.maskedColumns(pool, users, targets, userItems: userItems)
            return .pool(pool.items, corrections: pool.corrections, masked: masked)
        }
        guard configuration.kind == .perRow else {
            return .catalogue(masked: sampler.maskedColumns(users, targets, userItems: userItems))
        }
        let count = configuration.count
        return .perRow(
            try sampler.privateNegatives(streams: streams, users: users, count: count),
            count: count,
            correction: configuration.logQ == .none
                ? 0 : Float(log(Double(max(1, sampler.items - 1)) / Double(count)))
        )
    }
}
