public import Kernels
import VectorIndex

extension RetrievalService {
    /// Finds the items most similar to an item, with the index that also answers retrievals.
    ///
    /// - Parameters:
    ///   - item: The item's id in the catalogue.
    ///   - k: How many to find.
    ///   - model: The model or alias to ask; nil is the default one.
    ///   - workspace: The calling thread's workspace.
    /// - Returns: At most `k` other items; nil when the item is not in the catalogue or was removed.
    /// - Throws: ``RetrievalError``.
    public func similar(
        to item: String,
        k: Int,
        model: String? = nil,
        workspace: RetrievalWorkspace
    ) throws(RetrievalError) -> SimilarItems? {
        let snapshot = try holder.current.route(to: model).arms[0].snapshot
        guard limits.k.contains(k) else {
            throw .invalidArgument(field: "k", message: limits.k.requirement(got: k))
        }
        guard snapshot.hasItemVectors else {
            let message = "is '\(snapshot.model)', which has no item vectors to compare; name another model."
            throw .invalidArgument(field: "model", message: message)
        }
        guard let number = snapshot.number(of: item) else { return nil }
        let vector = snapshot.vector(of: number)
        workspace.beginAnswer()
        snapshot.index.search(
            vector.span,
            k: min(k, snapshot.itemCount),
            effort: nil,
            among: Eligibility(excluded: [number]),
            in: workspace.searching
        )
        return SimilarItems(
            snapshot: snapshot,
            items: workspace.searching.results,
            truncated: workspace.searching.results.count < k,
            isPartial: try workspace.requireReached()
        )
    }
}

/// The items similar to an item, with the snapshot that found them.
public struct SimilarItems: Sendable {
    /// The snapshot that answered.
    public let snapshot: ServingSnapshot
    /// Item numbers with the cosine of the two items, best first, without the item itself.
    public let items: [Scored]
    /// Whether fewer than `k` items could be found.
    public let truncated: Bool
    /// Whether a part of the catalogue did not answer, so that the answer may lack its items.
    public let isPartial: Bool
}
