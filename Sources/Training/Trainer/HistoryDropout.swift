import Kernels

/// Drops items from training histories, so that a model cannot memorise long histories.
///
/// Each item is dropped independently with the same probability. If all items would go, the newest stays. Serving and
/// evaluation use whole histories. The result is an ordinary history, so any system can train with it. Source:
/// similar to the crops and masks of Xie et al., "Contrastive learning for sequential recommendation", ICDE 2022.
package struct HistoryDropout: Sendable {
    /// The probability of dropping an item, in `0..<1`.
    private let probability: Double
    private let generator: CounterBasedGenerator

    /// The dropout of one training.
    package init(probability: Double, seed: UInt64) {
        precondition(0..<1 ~= probability, "history dropout of \(probability), outside 0..<1")
        self.probability = probability
        generator = CounterBasedGenerator(seed: seed, purpose: .historyDropout)
    }

    /// The kept items, in order.
    ///
    /// Whether the i-th oldest item is kept depends on seed, stream and i alone, so prefixes keep the same items.
    package func kept(_ history: ArraySlice<Int32>, stream: UInt64) -> [Int32] {
        guard probability > 0 else { return Array(history) }
        let draws = generator.uniforms(stream: stream, count: history.count)
        let kept = zip(history, draws).filter { $1 >= probability }.map(\.0)
        return kept.isEmpty ? Array(history.suffix(1)) : kept
    }
}
