import Foundation
import Kernels
package import Recommenders

/// Makes training batches; each is a pure function of the seed, the step and the requested rows.
package struct BatchAssembly: Sendable {
    let rows: TrainingRows
    private let sampler: NegativeSampler
    private let secondSampler: NegativeSampler?
    private let mask: NegativeSampler
    private let dropout: HistoryDropout
    let recipe: Recipe
    let historyLength: Int
    let items: Int
    let seed: UInt64

    /// The batches of one training.
    package init(train: DataPart, items: Int, recipe: Recipe, model: some TrainedRecommender, seed: UInt64) {
        rows = TrainingRows(train.sequences)
        sampler = NegativeSampler(sequences: train.sequences, items: items, seed: seed)
        secondSampler =
            model.drawsSecondNegatives
            ? NegativeSampler(sequences: train.sequences, items: items, seed: seed ^ 0x5ec0_4d5e_ed00_0001) : nil
        // Without masking of the user's items only the target is masked: the same as for users without items.
        mask =
            recipe.training.negatives.maskUserItems
            ? sampler
            : NegativeSampler(
                sequences: RaggedRows([[Int32]](repeating: [], count: train.sequences.count)),
                items: items,
                seed: seed
            )
        dropout = HistoryDropout(probability: recipe.training.historyDropout, seed: seed)
        self.recipe = recipe
        historyLength = model.historyLength
        self.items = items
        self.seed = seed
    }

    /// The batch of the rows `range` of a step.
    ///
    /// - Throws: ``NegativeSamplingError`` when a user has no item left as a negative.
    package func batch(step: Int, range: Range<Int>) throws(NegativeSamplingError) -> TrainingBatch {
        let size = recipe.training.batchSize
        let drawn = rows.windows(
            step: step,
            size: size,
            range: range,
            cuts: recipe.training.cutsPerWindow,
            limit: historyLength,
            seed: seed
        )
        let targets = drawn.map { rows.target(at: $0.position) }
        let users = drawn.map(\.position.user)
        func negatives(_ sampler: NegativeSampler) throws(NegativeSamplingError) -> Negatives {
            try self.negatives(sampler, step: step, range: range, users: users, targets: targets)
        }
        return TrainingBatch(
            histories: RaggedRows(
                zip(range, drawn).map { row, drawn in
                    // Rows of a window share a stream, so their histories stay prefixes of each other.
                    let window = (step * size + row) / recipe.training.cutsPerWindow
                    return dropout.kept(rows.history(at: drawn.position, limit: drawn.limit), stream: UInt64(window))
                }
            ),
            targets: targets,
            negatives: try negatives(sampler),
            secondNegatives: try secondSampler.map(negatives),
            negativeOffset: negativeOffset,
            noise: NoiseSource(seed: seed, streams: range.map { UInt64(step * size + $0) }),
            stepRows: size,
            step: step
        )
    }

    private func negatives(
        _ sampler: NegativeSampler,
        step: Int,
        range: Range<Int>,
        users: [Int],
        targets: [Int32]
    ) throws(NegativeSamplingError) -> Negatives {
        let configuration = recipe.training.negatives
        switch configuration.kind {
        case .pool:
            let pool = sampler.sharedPool(step: step, count: configuration.count)
            return .pool(pool, masked: mask.maskedColumns(pool: pool, users: users, targets: targets))
        case .perRow:
            return .perRow(
                try sampler.privateNegatives(step: step, rows: Array(range), users: users, count: configuration.count),
                count: configuration.count
            )
        case .catalogue:
            return .catalogue(masked: mask.maskedColumns(users: users, targets: targets))
        }
    }

    private var negativeOffset: Float {
        let configuration = recipe.training.negatives
        guard configuration.logQ == .oneSided, configuration.kind != .catalogue else { return 0 }
        return Float(log(Double(max(1, items - 1)) / Double(configuration.count)))
    }
}
