import Kernels

/// Ranks items by a query that holds their scores: what serves a model without item vectors.
///
/// The items are the axes of the space, so a query's inner product with an item is one of its elements. Exact; finding the
/// best costs one pass over the scores.
public struct ScoreIndex: VectorIndex {
    /// How many items there are.
    public let count: Int

    /// An index of so many items.
    public init(count: Int) { self.count = count }

    /// As many as there are items.
    public var dimension: Int { count }

    /// Finds the eligible items with the largest elements; exact, so `effort` is ignored.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        workspace.rankExactly(query, k: k, among: eligible)
    }

    /// What the index is of.
    public func serialised() -> [UInt8] {
        IndexFormat.header(kind: .scores, count: count, dimension: count).bytes
    }
}
