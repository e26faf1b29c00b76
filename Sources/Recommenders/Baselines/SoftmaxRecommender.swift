import Autodiff
import Kernels

/// A system that trains by the sampled softmax over vectors of a user, all on the unit sphere with the items.
///
/// The loss is DimeRec's for its interests (equations 18 and 19), so that differences between systems are differences
/// between networks.
protocol SoftmaxRecommender: TrainedRecommender {
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
    /// A model over parameters that come from outside.
    ///
    /// - Throws: ``ParameterError``.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        self.init(configuration, items: 1, seed: 0)
        let fresh = parameters
        parameters = ParameterSet(matrices)
        try requireParameters(of: fresh, itemTables: [DimeRec.itemTable])
    }

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

    /// Fresh item rows beside the network's parameters.
    static func initialParameters(
        _ network: [String: Matrix],
        items: Int,
        dimension: Int,
        _ initialiser: Initialiser
    ) -> ParameterSet {
        var matrices = network
        matrices[DimeRec.itemTable] = initialiser.normal(
            DimeRec.itemTable,
            rows: items,
            columns: dimension,
            deviation: 1 / Double(dimension).squareRoot()
        )
        return ParameterSet(matrices)
    }
}
