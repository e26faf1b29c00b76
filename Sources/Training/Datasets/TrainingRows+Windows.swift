import Kernels

extension TrainingRows {
    /// The positions of a range of a training step's rows, and how many history items each row may use.
    ///
    /// With one cut a window, these are the rows of ``batch(step:size:seed:)``. With several cuts, that many
    /// consecutive rows share one drawn row: they use its cut and other cuts from the newer half of its window, in
    /// ascending order. Each history is then a prefix of the next, so a causal network reads the window once. A short
    /// window repeats its cuts.
    ///
    /// - Parameters:
    ///   - step: The training step.
    ///   - size: Rows of the whole step, a multiple of `cuts`.
    ///   - range: The rows to return; its bounds are multiples of `cuts`.
    ///   - cuts: Rows of one window.
    ///   - limit: Most items of a window.
    ///   - seed: Seed of the draws.
    /// - Returns: For each row of the range, its position and its longest history length.
    package func windows(
        step: Int,
        size: Int,
        range: Range<Int>,
        cuts: Int,
        limit: Int,
        seed: UInt64
    ) -> [(position: Position, limit: Int)] {
        let drawn = batch(step: step, size: size / cuts, seed: seed)
        guard cuts > 1 else { return drawn[range].map { (position(of: $0), limit) } }
        precondition(
            size % cuts == 0 && range.lowerBound % cuts == 0 && range.upperBound % cuts == 0,
            "rows \(range) of \(size) in windows of \(cuts)"
        )
        let generator = CounterBasedGenerator(seed: seed, purpose: .cuts)
        return (range.lowerBound / cuts..<range.upperBound / cuts).flatMap { window in
            let anchor = position(of: drawn[window])
            let first = max(0, anchor.cut - limit)
            let oldest = max(first + 1, anchor.cut - limit / 2)
            let draws = generator.uniforms(stream: UInt64(step * size + window), count: anchor.cut - oldest)
            // The cuts with the smallest draws; the anchor is always among the chosen.
            let others = draws.indices.sorted { draws[$0] < draws[$1] }.prefix(cuts - 1).map { oldest + $0 }
            let chosen = others + [anchor.cut]
            return (0..<cuts).map { chosen[$0 % chosen.count] }.sorted()
                .map { (Position(user: anchor.user, cut: $0), $0 - first) }
        }
    }
}
