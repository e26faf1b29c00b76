import Autodiff
import Kernels

/// The distinct items of a batch of histories, so that a row that occurs often is gathered once.
struct DistinctItems {
    /// Item numbers, in the order of their first occurrence.
    let ids: [Int32]
    /// The histories, as places in `ids`.
    let histories: RaggedRows

    init(_ batch: RaggedRows) {
        var distinct = DistinctIDs()
        histories = RaggedRows(ids: distinct.numbers(of: batch.ids), offsets: batch.offsets)
        ids = distinct.ids
    }
}

extension Variable {
    /// For each target, the one of its `count` rows with the largest inner product (equation 18); ties go to the
    /// lowest.
    ///
    /// The choice is not differentiated.
    ///
    /// - Parameters:
    ///   - count: K; this variable has shape `[B K, d]`, and the rows of a target are adjacent.
    ///   - targets: `[B, d]`.
    /// - Returns: `[B, d]`.
    func nearestRows(of count: Int, to targets: Matrix) -> Variable {
        let scores = targets.blockScores(value)
        return gatheringRows(
            (0..<targets.rows).map { row in
                let best = (1..<count).reduce(0) { scores[row, $1] > scores[row, $0] ? $1 : $0 }
                return Int32(row * count + best)
            }
        )
    }
}
