import Autodiff
import Kernels

/// Hyper-parameters of a system whose training loss is a choice.
protocol RankingConfiguration: ModelConfiguration {
    /// The training loss.
    var loss: RankingLoss { get }
}

/// A system with one user vector that ranks the next item above the negatives by the configured loss.
protocol RankingRecommender: TrainedRecommender where Configuration: RankingConfiguration {
    /// The geometry of item and user vectors.
    var geometry: Geometry { get }

    /// Inverse temperature of the loss.
    var logitScale: Double { get }

    /// The user vectors of some histories.
    ///
    /// - Parameters:
    ///   - histories: Item numbers, oldest first, at least one each.
    ///   - noise: Streams of the dropout masks; nil when not training.
    ///   - tape: The tape that records the operations.
    /// - Returns: `[B, d]`; with biases of items `[B, d + 1]`.
    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable
}

extension RankingRecommender {
    /// The vectors as they come out of the network.
    public var readOuts: [ReadOut] { [.served] }

    /// The item table: unit rows on the sphere, and otherwise rows as they are, with biases.
    public var scoringItems: Matrix { geometry.placed(parameters[ItemTable.name]) }

    /// The configured loss of the next item against the batch's negatives.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        configuration.loss.loss(
            of: users(batch.histories, noise: batch.noise, on: tape),
            in: batch,
            geometry: geometry,
            logitScale: logitScale,
            parameters: parameters
        )
    }

    /// The vectors of each history.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        UserVectors(rows: users(histories, noise: nil, on: Tape(recording: false)).value)
    }

    var logitScale: Double { 1 }
}
