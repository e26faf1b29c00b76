import Kernels

/// Leaves items out of the histories that a model learns from, so that it cannot learn long histories by heart.
///
/// Each item goes with the same probability, independently; a history that would lose all keeps its newest item. Serving and
/// judging see whole histories. What is left is a history like others, so any system can train with it. Source: a relative of
/// the crops and masks of Xie et al., "Contrastive learning for sequential recommendation", ICDE 2022.
package struct HistoryDropout: Sendable {
    /// Of leaving an item out, 0 to below 1.
    private let probability: Double
    private let generator: CounterBasedGenerator

    /// The dropout of one training.
    package init(probability: Double, seed: UInt64) {
        precondition(0..<1 ~= probability, "history dropout of \(probability), outside 0..<1")
        self.probability = probability
        generator = CounterBasedGenerator(seed: seed, purpose: .historyDropout)
    }

    /// The items that stay, in order.
    ///
    /// The i-th oldest item's fate depends on seed, stream and i alone: of a prefix stays what stays of the whole.
    package func kept(_ history: ArraySlice<Int32>, stream: UInt64) -> [Int32] {
        guard probability > 0 else { return Array(history) }
        let draws = generator.uniforms(stream: stream, count: history.count)
        let kept = zip(history, draws).filter { $1 >= probability }.map(\.0)
        return kept.isEmpty ? Array(history.suffix(1)) : kept
    }
}
