import Autodiff
import Kernels

/// Turns histories into interests: DimeRec's guidance, or the user vectors of a multi-interest system.
protocol InterestModule: Sendable {
    /// The parameters, each name starting with the module's prefix.
    var layout: ParameterLayout { get }

    /// The module's interests, not yet normalised.
    ///
    /// - Parameters:
    ///   - items: Unit rows of the items that occur, `[U, d]`.
    ///   - histories: Row numbers in `items`.
    ///   - parameters: The set that holds the weights.
    /// - Returns: `[B, K d]`; zero for an empty history.
    func interests(items: Variable, histories: RaggedRows, parameters: ParameterSet) -> Variable

    /// The module for serving, which reads one history at a time.
    ///
    /// - Parameters:
    ///   - items: Unit rows of all items, `[V, d]`.
    ///   - parameters: The set that holds the weights.
    ///   - keyBytes: The memory limit of the self-attentive module's keys of all items.
    /// - Returns: An extractor whose interests equal those of ``interests(items:histories:parameters:)`` up to
    ///   rounding.
    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor
}

/// The distinct items of a batch of histories, so that a row that occurs often is gathered once.
struct DistinctItems {
    /// Item numbers, in the order of their first occurrence.
    private(set) var ids: [Int32] = []
    /// The histories, as places in `ids`.
    private(set) var histories = RaggedRows()

    init(_ batch: RaggedRows) {
        var slots: [Int32: Int32] = [:]
        var distinct: [Int32] = []
        histories = batch.mapIDs { id in
            if let slot = slots[id] { return slot }
            let slot = Int32(distinct.count)
            slots[id] = slot
            distinct.append(id)
            return slot
        }
        ids = distinct
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
