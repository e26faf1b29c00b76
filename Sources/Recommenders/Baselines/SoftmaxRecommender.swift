import Autodiff
import Kernels

/// A system that trains by the sampled softmax; its user vectors and items are on the unit sphere.
///
/// The loss is DimeRec's loss of the interests (equations 18 and 19). So these systems differ only in their networks.
protocol SoftmaxRecommender: TrainedRecommender {
    /// Length of item rows (d).
    var dimension: Int { get }

    /// The parameters besides the item table.
    var network: ParameterLayout { get }

    /// Inverse temperature of the softmax.
    var logitScale: Double { get }

    /// Vectors of each user (K).
    var perUser: Int { get }

    /// The user vectors of some histories; the vectors of one history are adjacent.
    ///
    /// - Parameters:
    ///   - histories: Item numbers, oldest first, at least one each.
    ///   - noise: Streams of the dropout masks; nil when not training.
    ///   - tape: The tape that records the operations.
    /// - Returns: Unit rows, `[B K, d]`.
    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable
}

extension SoftmaxRecommender {
    /// The vectors as they come out of the network.
    public var readOuts: [ReadOut] { [.served] }

    /// Unit rows of the item table, `[V, d]`.
    public var scoringItems: Matrix { parameters[ItemTable.name].normalisedRows().unit }

    /// Softmax cross-entropy of the target against the negatives, for each history's vector nearest to the target.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let negatives = NegativeRows(
            batch.negatives,
            precision: batch.precision,
            table: ItemTable.name,
            geometry: .sphere,
            parameters: parameters,
            tape: tape
        )
        let targets = tape.gather(ItemTable.name, from: parameters, rows: batch.targets).normalisedRows()
        let users = users(batch.histories, noise: batch.noise, on: tape)
        let total = negatives.softmaxLoss(
            of: perUser == 1 ? users : users.nearestRows(of: perUser, to: targets.value),
            positives: targets,
            scale: .fixed(Float(logitScale)),
            weight: 1 / Float(batch.stepRows),
            rowWeights: batch.rowWeights
        )
        return TrainingLoss(total: total, terms: [("softmax", total.scalar)])
    }

    /// All vectors of each history, unit rows.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        UserVectors(rows: users(histories, noise: nil, on: Tape(recording: false)).value, perUser: perUser)
    }

    /// The network's parameters, and item rows of length about 1.
    public func layout(items: Int) -> ParameterLayout {
        var layout = network
        layout[ItemTable.name] = .unitRows(items, dimension: dimension)
        return layout
    }
}
