import Autodiff

/// The loss by which a system with inner-product scores ranks the next item above a batch's negatives.
public enum RankingLoss: String, Codable, Sendable, CaseIterable {
    /// Softmax cross-entropy of the next item against the negatives.
    case softmax
    /// Bayesian personalised ranking: the mean over the negatives of `-log sigmoid` of the score difference (Rendle
    /// et al., UAI 2009).
    case bpr

    /// The loss of user vectors `[B, d]` against the item table of some parameters.
    func loss(
        of users: Variable,
        in batch: TrainingBatch,
        geometry: Geometry,
        logitScale: Double = 1,
        parameters: ParameterSet
    ) -> TrainingLoss {
        let tape = users.tape
        let negatives = NegativeRows(
            batch.negatives,
            precision: self == .softmax ? batch.precision : nil,
            table: ItemTable.name,
            geometry: geometry,
            parameters: parameters,
            tape: tape
        )
        let targets = geometry.placed(tape.gather(ItemTable.name, from: parameters, rows: batch.targets))
        let scale = LogitScale.fixed(Float(logitScale))
        let weight = 1 / Float(batch.stepRows)
        let total =
            switch self {
            case .softmax:
                negatives.softmaxLoss(
                    of: users,
                    positives: targets,
                    scale: scale,
                    weight: weight,
                    rowWeights: batch.rowWeights
                )
            case .bpr:
                negatives.pairwiseLoss(
                    of: users,
                    positives: targets,
                    scale: scale,
                    weight: weight,
                    rowWeights: batch.rowWeights
                )
            }
        return TrainingLoss(total: total, terms: [(rawValue, total.scalar)])
    }
}
