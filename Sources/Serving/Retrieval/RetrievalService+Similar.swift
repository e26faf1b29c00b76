public import Kernels
import VectorIndex

extension RetrievalService {
    /// Finds the items whose vectors are nearest to an item's own, in the index that also answers retrievals.
    ///
    /// - Parameters:
    ///   - item: The catalogue's own id.
    ///   - k: How many to find.
    ///   - model: The model or alias to ask; nil is the standard one.
    ///   - workspace: The calling thread's own.
    /// - Returns: At most `k` other items; nil when the item is not in the catalogue or was taken out.
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
            let message = "is '\(snapshot.model)', which scores items without vectors and knows no similar ones."
            throw .invalidArgument(field: "model", message: message)
        }
        guard let number = snapshot.number(of: item) else { return nil }
        let vector = snapshot.vector(of: number)
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
            truncated: workspace.searching.results.count < k
        )
    }
}

/// What is like an item, with the snapshot that says so.
public struct SimilarItems: Sendable {
    /// What answered.
    public let snapshot: ServingSnapshot
    /// Item numbers with the cosine of the two items, best first, without the item itself.
    public let items: [Scored]
    /// Whether fewer than `k` items could be answered.
    public let truncated: Bool
}
