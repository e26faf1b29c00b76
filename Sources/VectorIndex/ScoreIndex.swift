import Kernels

/// Ranks items by a query that holds their scores; it serves models without item vectors.
///
/// Each item is an axis of the space, so its inner product with a query is the query's element for that item. The
/// result is exact and costs one pass over the scores.
public struct ScoreIndex: VectorIndex {
    /// The number of items.
    public let count: Int

    /// An index of `count` items.
    public init(count: Int) { self.count = count }

    /// The length of every query: the number of items.
    public var dimension: Int { count }

    /// Finds the eligible items with the largest elements exactly; `effort` is ignored.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        workspace.rankExactly(query, k: k, among: eligible)
    }

    /// The saved form: only the header with kind and size.
    public func serialised() -> [UInt8] {
        IndexFormat.header(kind: .scores, count: count, dimension: count).bytes
    }
}
