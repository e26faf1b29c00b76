// The cost of a request, estimated before the answer: event loops answer cheap requests, worker threads the others.

import Kernels
import VectorIndex

extension RetrievalService {
    /// Event loops answer requests up to these bounds: exactly scored vector elements, compared pairs, and samples.
    private static let heavyElements = 1 << 20
    private static let heavyPairs = 1 << 18
    private static let heavySamples = 4
    /// And new filters up to this many sets times items.
    private static let heavyFilter = 1 << 21
    /// And rules that may read deep, up to this many items.
    private static let heavyItems = 1 << 17

    /// Whether a request takes so long that a worker thread should answer it instead of an event loop.
    ///
    /// True from about a quarter of a millisecond on: a slow encoder, an index outside of the process, a new filter over
    /// many items, many exact scores, a large re-ranking, or many samples.
    ///
    /// - Precondition: The request was checked against the ``limits``.
    public func isHeavy(_ request: borrowing RetrievalRequest) -> Bool {
        let table = holder.current
        if let blend = blend(of: request, in: table) { return isHeavy(request, blend, in: table) }
        guard let route = try? table.route(to: request.model) else { return false }
        return isRerankingHeavy(request) || isHeavy(request, on: route.arms[0].snapshot)
    }

    /// Whether a version in service is searched outside of the process.
    ///
    /// - Complexity: O(versions in service).
    public var searchesOutside: Bool {
        holder.current.routes.values.contains { $0.arms.contains { $0.snapshot.index.isExternal } }
    }

    /// Whether one version takes so long to find the items of a request.
    func isHeavy(_ request: borrowing RetrievalRequest, on snapshot: ServingSnapshot) -> Bool {
        // Searches among small sets score all of their items, and together the sets may be the whole catalogue.
        let scoresAll = request.exact || request.rules.addsToScores
        let exactElements = scoresAll ? snapshot.itemCount * max(1, snapshot.itemVectors.columns) : 0
        var newSets = 0
        for boost in request.rules.boosts where !snapshot.filters.isCached(boost.filter) {
            newSets += boost.filter.weight
        }
        if let conditions = request.conditions, !snapshot.filters.isCached(conditions) { newSets += conditions.weight }
        return snapshot.encoder.isSlow || snapshot.index.isExternal || newSets * snapshot.itemCount > Self.heavyFilter
            || exactElements > Self.heavyElements
            || request.rules.isSelective && snapshot.itemCount > Self.heavyItems
            || request.samples > Self.heavySamples
    }

    /// Whether the re-ranking of a request compares so many pairs.
    func isRerankingHeavy(_ request: borrowing RetrievalRequest) -> Bool {
        guard request.isReranked else { return false }
        let candidates = candidates(for: request)
        return candidates * candidates > Self.heavyPairs
    }
}
