import Kernels
import VectorIndex

// From a user's vectors to the best items: the search, popular items in its place, and re-rankings.

extension RetrievalService {
    /// How many candidates a re-ranking has for each item of the answer.
    private static let candidatesPerItem = 4

    /// How many items a search or fusion finds before they are arranged: more than asked for if they are re-ranked.
    func candidates(for request: borrowing RetrievalRequest) -> Int {
        request.isReranked ? Self.candidatesPerItem * request.k : request.k
    }

    /// The best items before re-rankings and rules.
    func ranked(
        _ count: Int,
        for request: borrowing RetrievalRequest,
        of user: RetrievalWorkspace.User,
        among allowed: ItemSet?,
        excluding excluded: [Int32],
        _ snapshot: ServingSnapshot,
        _ workspace: RetrievalWorkspace
    ) -> [Scored] {
        guard !user.vectors.isEmpty else { return popular(count, in: snapshot, among: allowed, excluding: excluded) }
        let eligible = Eligibility(allowed: allowed, excluded: excluded)
        return nearest(count, to: user, for: request, among: eligible, in: snapshot, workspace)
    }

    private func nearest(
        _ count: Int,
        to user: RetrievalWorkspace.User,
        for request: borrowing RetrievalRequest,
        among eligible: borrowing Eligibility,
        in snapshot: ServingSnapshot,
        _ workspace: RetrievalWorkspace
    ) -> [Scored] {
        let index = request.exact ? snapshot.exactIndex : snapshot.index
        let k = min(count, snapshot.itemCount)
        guard let counts = snapshot.counts else {
            return workspace.search(
                index,
                bound: snapshot.identifiers.count,
                for: user.vectors,
                k: k,
                effort: request.effort,
                among: eligible
            )
        }
        return workspace.search(
            index,
            with: counts,
            for: user,
            k: k,
            effort: request.effort,
            among: eligible,
            in: snapshot
        )
    }

    /// Chooses the answer from a longer list.
    func rerank(
        _ items: inout [Scored],
        _ request: borrowing RetrievalRequest,
        in snapshot: ServingSnapshot,
        _ workspace: RetrievalWorkspace
    ) {
        if request.categoryPenalty > 0 {
            workspace.penalising.rerank(
                items,
                keeping: request.k,
                penalty: request.categoryPenalty,
                categories: snapshot.categories.categories
            )
            items = workspace.penalising.results
            return
        }
        workspace.reranking.rerank(
            items,
            keeping: request.k,
            diversity: Float(request.diversity),
            vectors: snapshot.itemVectors,
            changes: snapshot.live?.index,
            categories: snapshot.categories.categories
        )
        items = workspace.reranking.results
    }

    /// Why a search scored every eligible item instead of using the index.
    func exactReason(
        _ request: borrowing RetrievalRequest,
        _ workspace: RetrievalWorkspace
    ) -> ExactSearchReason? {
        if request.exact { return .request }
        guard workspace.fellBack else { return nil }
        // Boosts search among the items of their filters.
        return request.isFiltered || request.rules.addsToScores ? .filter : .effort
    }

    /// The most popular items that may be answered, with a score of 0.
    ///
    /// Added items come last, in the order of their ids, because nobody has taken them yet.
    func popular(
        _ k: Int,
        in snapshot: ServingSnapshot,
        among allowed: ItemSet?,
        excluding exclusions: [Int32]
    ) -> [Scored] {
        let excluded = Set(exclusions)
        let live = snapshot.live
        func isAllowed(_ item: Int32) -> Bool {
            !excluded.contains(item) && allowed?.contains(item) != false && live?.index.contains(item) != false
        }
        var items = Array(snapshot.popularity.lazy.filter(isAllowed).prefix(k))
        if let live, items.count < k {
            items += live.addedByID.lazy.filter(isAllowed).prefix(k - items.count)
        }
        return items.map { Scored(id: $0, score: 0) }
    }
}
