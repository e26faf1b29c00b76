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
    package func kept(_ history: ArraySlice<Int32>, stream: UInt64) -> [Int32] {
        kept(history, choices(stream: stream, count: history.count))
    }

    /// The kept items of a history, or of a prefix of it.
    ///
    /// - Parameters:
    ///   - history: The items, oldest first.
    ///   - choices: At least as many as there are items.
    /// - Returns: At least one item.
    func kept(_ history: ArraySlice<Int32>, _ choices: [Bool]?) -> [Int32] {
        guard let choices else { return Array(history) }
        let kept = zip(history, choices).filter(\.1).map(\.0)
        return kept.isEmpty ? Array(history.suffix(1)) : kept
    }

    /// Whether the i-th oldest item is kept, by seed, stream and i alone; nil if all are.
    func choices(stream: UInt64, count: Int) -> [Bool]? {
        guard probability > 0 else { return nil }
        return generator.uniforms(stream: stream, count: count).map { $0 >= probability }
    }
}
