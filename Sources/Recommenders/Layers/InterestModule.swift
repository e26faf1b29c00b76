import Autodiff
import Kernels

/// A way of turning histories into interests: what DimeRec is guided by, and all that a multi-interest system is.
protocol InterestModule: Sendable {
    /// The parameters, each name starting with the module's prefix.
    var layout: ParameterLayout { get }

    /// Interests as the module gives them, not yet on the sphere.
    ///
    /// - Parameters:
    ///   - items: Unit rows of the items that occur, `[U, d]`.
    ///   - histories: Row numbers in `items`.
    ///   - parameters: Where the weights are.
    /// - Returns: `[B, K d]`; zero for an empty history.
    func interests(items: Variable, histories: RaggedRows, parameters: ParameterSet) -> Variable

    /// The same for one history at a time, for serving.
    ///
    /// - Parameters:
    ///   - items: Unit rows of all items, `[V, d]`.
    ///   - parameters: Where the weights are.
    ///   - keyBytes: The most memory that the self-attentive module's keys of all items may take.
    /// - Returns: What gives the interests that ``interests(items:histories:parameters:)`` gives, to some roundings.
    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor
}

/// The distinct items of a batch of histories, so that a row that occurs often is gathered once.
struct DistinctItems {
    /// Item numbers, in the order of their first occurrence.
    private(set) var ids: [Int32] = []
    /// The histories over places in `ids`.
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
    /// Of each target's `count` rows the one with the largest inner product with it (equation 18); ties to the lowest.
    ///
    /// The choice is not differentiated.
    ///
    /// - Parameters:
    ///   - count: K; this has shape `[B K, d]`, the rows of a target next to each other.
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
