import Foundation
import Kernels

extension PartitionedIndex {
    /// The largest error of the 8-bit codes of query and means and of the threshold's bins.
    private static let rounding: Float = 0.003
    /// The approximate cost of scoring a float vector, in scanned codes: 7 ns for 64 elements, against 1 to 2 ns per
    /// code.
    private static let exactCost = 8
    /// The most spreads that are added to the bounds of filtered and deep searches.
    private static let deepWidening = 1.0
    /// A search that reaches this many times as many items as the widths are tuned for is deep.
    private static let deep = 4.0
    /// A search that finds less than this part of the share of eligible items near the query is repeated with wider
    /// bounds and margins.
    private static let scarce = 0.5
    /// The part of the answers that the repeated search may lose.
    private static let lost = 0.02
    /// The factor of its margin: many items are about as near as the answers, and the best estimates of so many are
    /// above their scores.
    private static let crowdedMargin: Float = 3

    /// Finds the best `k` eligible items in the partitions that it visits.
    ///
    /// - Parameters:
    ///   - query: A vector of `dimension` finite elements; its length does not change the order.
    ///   - k: The number of items to return; fewer are returned only if fewer are eligible.
    ///   - effort: The largest number of partitions to visit; with `partitions` or more the search is exact. The
    ///     default is tuned for 50 answers. It rises with `k`, with exclusions and with the part of the items that a
    ///     filter leaves out.
    ///   - eligible: The items that may be returned.
    ///   - workspace: The calling thread's own.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        precondition(query.count == dimension, "a query of \(query.count) elements against \(dimension)")
        let k = min(k, count)
        guard let plan = plan(k: k, effort: effort, among: eligible) else {
            workspace.scanExactly(vectors, query, k: k, among: eligible)
            workspace.fellBack = true
            return
        }
        workspace.fellBack = false
        let (allowed, removed) = (eligible.allowed, eligible.removed)
        workspace.withExclusions(eligible.excluded, items: count) { [isExcluding = !eligible.excluded.isEmpty] in
            let excluded = isExcluding ? workspace.excluded : nil
            let restriction = ItemRestriction(bound: count, allowed: allowed, excluded: excluded, removed: removed)
            collect(query, k: k, plan, restriction, in: workspace)
        }
        workspace.rescore(vectors, query, k: k)
    }

    /// Collects every item that may be among the best `k` in the workspace.
    private func collect(
        _ query: Span<Float>,
        k: Int,
        _ plan: Plan,
        _ restriction: borrowing ItemRestriction,
        in workspace: SearchWorkspace
    ) {
        workspace.setQuery(query, rotation: rotation, kept: codes.dimension, partitions: codedMeans.paddedCount)
        visit(plan.widths, k: k, restriction, in: workspace)
        guard let share = plan.share, isScarceNearby(share, workspace.candidates) else { return }
        let scanned = workspace.scanned
        var widths = plan.widths
        widths.bound = max(widths.bound, Self.surely(missing: k, of: share * Double(count)))
        widths.margin *= Self.crowdedMargin
        visit(widths, k: k, restriction, in: workspace)
        workspace.scanned += scanned
    }

    /// Visits partitions by falling bound, and collects the candidates for the best `k`.
    private func visit(
        _ widths: SearchWidths,
        k: Int,
        _ restriction: borrowing ItemRestriction,
        in workspace: SearchWorkspace
    ) {
        let largest = codedMeans.bounds(
            of: workspace.query,
            width: widths.bound,
            scores: &workspace.meanScores,
            bounds: &workspace.bounds
        )
        // Local copies avoid the run-time exclusivity check of every access to a property of the workspace.
        let (candidates, keptQuery) = (workspace.candidates, workspace.keptQuery)
        let (scores, bounds) = (workspace.meanScores, workspace.bounds)
        var order = PartitionOrder()
        swap(&order, &workspace.order)
        order.start(largest: largest)
        candidates.reset(k: k)
        var (visited, scanned) = (0, 0)
        while let list = order.next(bounds, count: partitions) {
            let threshold = candidates.threshold
            let isUseless = bounds[list] + Self.rounding < threshold
            if threshold > -.infinity, isUseless || visited >= widths.effort { break }
            let blocks = firstBlocks[list]..<firstBlocks[list + 1]
            if let upcoming = order.upcoming { codes.prefetch(block: firstBlocks[upcoming]) }
            candidates.scan(
                codes,
                blocks: blocks,
                query: keptQuery,
                base: scores[list],
                margin: widths.margin * spreads[list] + Self.rounding,
                restriction: restriction
            )
            visited += 1
            scanned += blocks.count * NibbleCodes.block
        }
        swap(&order, &workspace.order)
        workspace.scanned = scanned
    }

    /// Whether a filter or exclusions leave out far more of the items near the query than of all items.
    ///
    /// The items that are left then come from the tails of many lists, whose bounds a usual search does not expect.
    private func isScarceNearby(_ share: Double, _ candidates: CandidateQueue) -> Bool {
        Double(candidates.admitted) < Self.scarce * share * Double(candidates.reached)
    }

    /// The number of spreads above a list's mean beyond which it has few of the best `k` of `count` items.
    ///
    /// With normal scores, `count` items have about `lost * k` beyond it: the tail `p` of a normal distribution begins
    /// near `sqrt(l - ln(2 pi l))` deviations with `l = -2 ln p`.
    private static func surely(missing k: Int, of count: Double) -> Float {
        let tail = min(0.01, lost * Double(k) / max(1, count))
        let l = -2 * log(tail)
        return Float((l - log(2 * .pi * l)).squareRoot())
    }

    /// The widths of a search; nil if scoring every eligible item costs less or is requested.
    ///
    /// The widths are tuned for answers among the best 50 of all items. A filter, exclusions or a large `k` reach
    /// deeper. There lists are no longer clearly near or far, and a list's eligible items may all lie on one side of
    /// its mean. So the bounds get wider, and the limit of effort rises with the square of the depth. A filter may
    /// leave no item near the query, so only the bounds end a filtered search. An effort above the tuned one asks for
    /// more recall, so it widens the bounds too.
    private func plan(k: Int, effort: Int?, among eligible: borrowing Eligibility) -> Plan? {
        let allowed = eligible.allowed?.count ?? count
        guard k > 0, allowed > 0, effort ?? 0 < partitions else { return nil }
        let reached = Double(k + eligible.excluded.count) * Double(count) / Double(allowed)
        let depth = max(1, reached / Double(Self.tunedK))
        let usual = min(Double(partitions), Double(effort ?? defaultEffort) * depth)
        if Double(allowed * Self.exactCost) <= usual * Double(count) / Double(partitions) { return nil }
        let isFiltered = eligible.allowed != nil
        let limit = isFiltered ? .infinity : Double(defaultEffort) * depth * depth
        let share = Double(allowed) / Double(count)
        var plan = Plan(widths: widths, share: isFiltered || depth > Self.deep ? share : nil)
        plan.widths.effort = max(1, effort ?? Int(min(Double(partitions), limit)))
        if plan.share != nil { plan.widths.bound += Float(Self.deepWidening * min(1, log(depth) / log(Self.deep))) }
        if let effort, effort > widths.effort {
            let factor = (Float(effort) / Float(widths.effort)).squareRoot().squareRoot()
            plan.widths.bound *= factor
            plan.widths.margin *= factor
        }
        return plan
    }

    /// How one search goes.
    private struct Plan {
        /// Its widths.
        var widths: SearchWidths
        /// The share of the items that may be answered; nil if hardly any item near the query can be left out.
        let share: Double?
    }
}
