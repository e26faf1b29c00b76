import Kernels

/// The items that an autoencoder of a user's items reconstructs in training.
public enum ReconstructionTarget: String, Codable, Sendable, CaseIterable {
    /// The items of the history and the next item.
    case prefixAndNext = "prefix-and-next"
    /// The next item.
    case next

    /// The items that the network reads in training: without the next item if it has to predict that one alone.
    func inputs(of batch: TrainingBatch) -> RaggedRows {
        switch self {
        case .prefixAndNext: batch.sequences
        case .next: batch.histories
        }
    }
}
