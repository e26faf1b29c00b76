public import Autodiff
public import Kernels

/// The negatives of a training batch.
public enum Negatives: Sendable {
    /// One pool for all rows. `corrections` are added to the logits of the pool's columns, nil for none; `masked` lists
    /// the excluded columns for each row.
    case pool([Int32], corrections: [Float]? = nil, masked: RaggedRows)
    /// `count` negatives for each row, row after row. `correction` is added to all their logits.
    case perRow([Int32], count: Int, correction: Float = 0)
    /// All items; `masked` lists the excluded items for each row.
    case catalogue(masked: RaggedRows)

    /// The numbers of the items, with repeats.
    fileprivate var items: [Int32] {
        switch self {
        case .pool(let items, _, _), .perRow(let items, _, _): items
        case .catalogue: preconditionFailure("the negatives are the whole catalogue")
        }
    }

    /// The same negatives with other numbers of their items.
    fileprivate func mapItems(_ number: (Int32) -> Int32) -> Negatives {
        switch self {
        case .pool(let items, let corrections, let masked):
            .pool(items.map(number), corrections: corrections, masked: masked)
        case .perRow(let items, let count, let correction):
            .perRow(items.map(number), count: count, correction: correction)
        case .catalogue: preconditionFailure("the negatives are the whole catalogue")
        }
    }
}

/// The rows of an optimiser step that one worker processes.
public struct TrainingBatch: Sendable {
    /// The item numbers of the histories, oldest first, at least one item each.
    public var histories: RaggedRows
    /// The item that followed each history.
    public var targets: [Int32]
    /// Negatives of the softmax losses.
    public var negatives: Negatives
    /// Negatives of the second loss, if the recipe gives the two losses different negatives.
    public var secondNegatives: Negatives?
    /// The arithmetic of dense layers and of the softmax over shared negatives.
    public var precision: Precision
    /// Seed and streams of the rows' noise.
    public var noise: NoiseSource
    /// The number of rows of the whole step; the loss is the mean over them.
    public var stepRows: Int
    /// The number of the step, from 0, for loss weights that change during training.
    public var step: Int
    /// A factor on the loss of each row, 1 on average over an epoch; nil for 1 everywhere.
    public var rowWeights: [Float]?

    /// Creates a batch.
    public init(
        histories: RaggedRows,
        targets: [Int32],
        negatives: Negatives,
        secondNegatives: Negatives? = nil,
        precision: Precision = .float32,
        noise: NoiseSource,
        stepRows: Int,
        step: Int = 0,
        rowWeights: [Float]? = nil
    ) {
        precondition(
            rowWeights.map { $0.count == targets.count } ?? true,
            "\(rowWeights?.count ?? 0) weights for \(targets.count) targets"
        )
        precondition(
            histories.count == targets.count && noise.streams.count == targets.count,
            "\(histories.count) histories, \(targets.count) targets, \(noise.streams.count) noise streams"
        )
        self.histories = histories
        self.targets = targets
        self.negatives = negatives
        self.secondNegatives = secondNegatives
        self.precision = precision
        self.noise = noise
        self.stepRows = stepRows
        self.step = step
        self.rowWeights = rowWeights
    }

    /// The numbers of all items that the batch reads, with repeats.
    ///
    /// - Precondition: The negatives are not the whole catalogue.
    package var items: [Int32] {
        histories.ids + targets + negatives.items + (secondNegatives?.items ?? [])
    }

    /// The same batch with other numbers of its items.
    ///
    /// - Precondition: The negatives are not the whole catalogue.
    package func mapItems(_ number: (Int32) -> Int32) -> TrainingBatch {
        var batch = self
        batch.histories = histories.mapIDs(number)
        batch.targets = targets.map(number)
        batch.negatives = negatives.mapItems(number)
        batch.secondNegatives = secondNegatives?.mapItems(number)
        return batch
    }

    /// Each history with the item that followed it.
    var sequences: RaggedRows {
        RaggedRows((0..<targets.count).map { histories[$0] + [targets[$0]] } as [[Int32]])
    }
}

/// A loss and its terms.
public struct TrainingLoss {
    /// The scalar to differentiate.
    public var total: Variable
    /// Unweighted terms by name, in nats or squared distance; each is this worker's share of the mean.
    public var terms: [(name: String, value: Float)]
}
