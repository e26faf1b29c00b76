import Autodiff
import Kernels

/// A system that trains by the sampled softmax over vectors of a user, all on the unit sphere with the items.
///
/// The loss is DimeRec's for its interests (equations 18 and 19), so that differences between systems are differences
/// between networks.
protocol SoftmaxRecommender: TrainedRecommender {
    /// Length of item rows (d).
    var dimension: Int { get }

    /// The parameters besides the item table.
    var network: ParameterLayout { get }

    /// Inverse temperature of the softmax.
    var logitScale: Double { get }

    /// Vectors of each user (K).
    var perUser: Int { get }

    /// The vectors of some histories, those of a history next to each other.
    ///
    /// - Parameters:
    ///   - histories: Item numbers, oldest first, at least one each.
    ///   - noise: Seeds of whatever is random.
    ///   - tape: Where operations are recorded.
    /// - Returns: Unit rows, `[B K, d]`.
    func users(_ histories: RaggedRows, noise: NoiseSource, on tape: Tape) -> Variable
}

extension SoftmaxRecommender {
    /// The vectors as they come out of the network.
    public var readOuts: [ReadOut] { [.served] }

    /// Unit rows of the item table, `[V, d]`.
    public var scoringItems: Matrix { parameters[DimeRec.itemTable].normalisedRows().unit }

    /// Softmax cross-entropy of the target against the negatives, of each history's vector nearest to the target.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let negatives = NegativeRows(
            batch.negatives,
            offset: batch.negativeOffset,
            table: DimeRec.itemTable,
            geometry: .sphere,
            parameters: parameters,
            tape: tape
        )
        let targets = tape.gather(DimeRec.itemTable, from: parameters, rows: batch.targets).normalisedRows()
        let users = users(batch.histories, noise: batch.noise, on: tape)
        let total = negatives.softmaxLoss(
            of: perUser == 1 ? users : users.nearestRows(of: perUser, to: targets.value),
            positives: targets,
            scale: .fixed(Float(logitScale)),
            weight: 1 / Float(batch.stepRows)
        )
        return TrainingLoss(total: total, terms: [("softmax", total.scalar)])
    }

    /// All vectors of each history, unit rows.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        UserVectors(rows: users(histories, noise: noise, on: Tape(recording: false)).value, perUser: perUser)
    }

    /// Item rows of length about 1 beside the network's parameters.
    public func layout(items: Int) -> ParameterLayout {
        var layout = network
        layout[DimeRec.itemTable] = .normal(
            rows: items,
            columns: dimension,
            deviation: 1 / Double(dimension).squareRoot()
        )
        return layout
    }
}
