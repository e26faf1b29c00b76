import Autodiff
import Kernels

/// A system with one user vector: the newest state of a causal network over the history.
protocol StateRecommender: SoftmaxRecommender {
    /// The states of all positions of some sequences, `[P, d]`.
    ///
    /// - Parameters:
    ///   - items: The unit item row of each position, `[P, d]`.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - noise: Streams of the dropout masks, one for each sequence; nil when not training.
    /// - Returns: `[P, d]`.
    func states(items: Variable, offsets: [Int], noise: NoiseSource?) -> Variable
}

extension StateRecommender {
    /// One pass over a window gives the states of all its positions.
    public var learnsWholeWindows: Bool { true }

    var perUser: Int { 1 }

    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable {
        let shared = SharedPrefixes(histories)
        let items = tape.gather(ItemTable.name, from: parameters, rows: shared.sequences.ids).normalisedRows()
        let newest = shared.firsts.indices.map { Int32(shared.firsts[$0] + histories[$0].count - 1) }
        return states(
            items: items,
            offsets: shared.sequences.offsets,
            noise: noise.map(shared.noise(of:))
        ).gatheringRows(newest).normalisedRows()
    }
}
