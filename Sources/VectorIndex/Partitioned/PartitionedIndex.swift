import Foundation
public import Kernels

/// Inverted lists of 4-bit codes over k-means partitions, with exact re-scoring of the candidates.
///
/// A search goes through four stages:
/// 1. Every partition gets a bound on its items' scores: the query's inner product with the mean of the items, plus
///    `widths.bound` spreads. The bound is soft: items above it are rare, but possible.
/// 2. Partitions are visited by falling bound. A list is scanned by integer inner products with its items' codes: the
///    rotated residuals to the mean, 4 bits per element. The `k`-th best estimate so far is the threshold. Items whose
///    estimate plus the margin of the codes' error is below the threshold are dropped at once.
/// 3. The search ends when the next bound is below the threshold, or after `effort` partitions. So a query inside a
///    clear group visits few lists and a query between groups many: less work than a fixed number at the same recall.
/// 4. The remaining candidates, two or three per answer, are scored with the float vectors.
///
/// A filter or exclusions may leave out most of the items near the query, so that the answers are spread over many lists.
/// A search notices this and starts again with wider bounds and margins, which leave out next to none of the answers.
///
/// With fewer than `k` candidates a search goes on to further lists, so fewer than `k` items are returned only if fewer
/// are eligible. If a filter leaves few items, these are scored exactly, without any list.
///
/// Sources: inverted lists, Sivic and Zisserman, "Video Google", ICCV 2003; scans of 4-bit codes with exact re-scoring,
/// Guo et al., "Accelerating Large-Scale Inference with Anisotropic Vector Quantization" (ScaNN), ICML 2020. The soft
/// bounds are ours. The page IndexResults of the documentation compares this index with graphs and other indexes.
///
/// Complexity: O(partitions * dimension + scanned * dimension / 2 + candidates * dimension) for a search. Memory
/// besides the vectors: `codes.dimension / 2 + 8` bytes per item, a tenth to a fifth of the vectors.
public struct PartitionedIndex: VectorIndex {
    /// The item vectors, row `i` for item `i`.
    public let vectors: Matrix
    /// The default limit of visited partitions for a search of 50 items; tuned at build.
    public var defaultEffort: Int { widths.effort }

    /// The number of dimensions of the items' codes after the rotation.
    public var codedDimension: Int { codes.dimension }
    /// The distance of a partition's bound above its mean's score, in spreads; tuned at build.
    public var boundWidth: Float { widths.bound }
    /// The largest distance of a candidate's estimate below the threshold, in spreads; tuned at build.
    public var marginWidth: Float { widths.margin }

    /// The mean of each partition's items, `[partitions, dimension]`.
    let means: Matrix
    /// The standard deviation of each partition's item scores, for a query in the span of the residuals.
    let spreads: [Float]
    /// Orthogonal, `[dimension, padded dimension]`; its first `codes.dimension` columns are the coded coordinates.
    let rotation: DenseLayer
    /// The number of items in each partition, at least 1.
    let sizes: [Int32]
    /// The items' coded residuals, list after list, each in whole blocks.
    let codes: NibbleCodes
    /// The search widths, tuned at build.
    private(set) var widths: SearchWidths

    /// List `p` has blocks `firstBlocks[p] ..< firstBlocks[p + 1]`.
    private let firstBlocks: [Int]
    /// The rotated means.
    private let codedMeans: ByteCodes

    /// The number of items in the index.
    public var count: Int { vectors.rows }
    /// The length of every vector and query.
    public var dimension: Int { vectors.columns }
    /// The number of partitions; a search with this effort or more is exact.
    public var partitions: Int { means.rows }

    /// The largest error of the 8-bit codes of query and means and of the threshold's bins.
    private static let rounding: Float = 0.003
    /// The approximate cost of scoring a float vector, in scanned codes: 7 ns for 64 elements, against 1 to 2 ns per
    /// code.
    private static let exactCost = 8
    /// Spreads that are added to the bounds of filtered and deep searches.
    private static let deepWidening: Float = 1
    /// A search that finds less than this part of the share of eligible items near the query is repeated with wider
    /// bounds and margins.
    private static let scarce = 0.5
    /// The part of the answers that the repeated search may lose.
    private static let lost = 0.02
    /// The factor of its margin: many items are about as near as the answers, and the best estimates of so many are
    /// above their scores.
    private static let crowdedMargin: Float = 3
    /// The number of answers for which the default effort is tuned.
    static let tunedK = 50

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
        let isDeep = isFiltered || depth > 4
        var plan = Plan(widths: widths, share: isDeep ? Double(allowed) / Double(count) : nil)
        plan.widths.effort = max(1, effort ?? Int(min(Double(partitions), limit)))
        if isDeep { plan.widths.bound += Self.deepWidening }
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

    /// The saved form without the vectors; ``IndexFormat`` reads it.
    public func serialised() -> [UInt8] {
        var writer = IndexFormat.header(kind: .partitioned, count: count, dimension: dimension)
        IndexFormat.append(self, to: &writer)
        return writer.bytes
    }

    /// Checks the parts, and encodes the rotated means.
    ///
    /// - Throws: ``IndexError/damaged(_:)`` unless every item is in exactly one list and every number is in its range.
    init(
        vectors: Matrix,
        means: Matrix,
        spreads: [Float],
        rotation: Matrix,
        sizes: [Int32],
        codes: NibbleCodes,
        widths: SearchWidths
    ) throws(IndexError) {
        let padded = (vectors.columns + 7) / 8 * 8
        guard means.columns == vectors.columns, rotation.shape == [vectors.columns, padded],
            codes.dimension <= padded, spreads.count == means.rows, sizes.count == means.rows
        else {
            throw .damaged("parts of \(means.shape) and \(rotation.shape) do not fit vectors of \(vectors.shape)")
        }
        // Elements of unit vectors are at most 1 in magnitude; differences of unit vectors are at most 2 long.
        guard means.elements.allSatisfy({ $0.magnitude < 1.01 }), rotation.elements.allSatisfy({ $0.magnitude < 1.01 }),
            spreads.allSatisfy({ 0..<2.01 ~= $0 })
        else { throw .damaged("a mean, a spread or the rotation is out of range") }
        guard widths.isUsable(partitions: means.rows) else { throw .damaged("search widths \(widths)") }
        firstBlocks = try Self.firstBlocks(sizes, items: codes.items, count: vectors.rows)
        self.vectors = vectors
        self.means = means
        self.spreads = spreads
        self.rotation = DenseLayer(weights: rotation)
        self.sizes = sizes
        self.codes = codes
        self.widths = widths
        codedMeans = ByteCodes(Matrix.product(means, rotation), spreads: spreads)
    }

    /// This index with other widths.
    func with(_ widths: SearchWidths) -> PartitionedIndex {
        var index = self
        index.widths = widths
        return index
    }

    private static func firstBlocks(_ sizes: [Int32], items: [Int32], count: Int) throws(IndexError) -> [Int] {
        var firstBlocks = [0]
        firstBlocks.reserveCapacity(sizes.count + 1)
        var seen = ItemSet(bound: count)
        for (list, size) in sizes.enumerated() {
            guard size > 0 else { throw .damaged("list \(list) has \(size) items") }
            let start = firstBlocks[list] * NibbleCodes.block
            let end = firstBlocks[list] + (Int(size) + NibbleCodes.block - 1) / NibbleCodes.block
            guard end * NibbleCodes.block <= items.count else { throw .damaged("list \(list) ends beyond the codes") }
            for position in start..<start + Int(size) {
                let item = items[position]
                guard item >= 0, item < count else { throw .damaged("item \(item) of \(count) is in a list") }
                guard !seen.contains(item) else { throw .damaged("item \(item) is in two lists") }
                seen.insert(item)
            }
            for position in start + Int(size)..<end * NibbleCodes.block where items[position] != -1 {
                throw .damaged("list \(list) goes on after its end")
            }
            firstBlocks.append(end)
        }
        guard seen.count == count, firstBlocks[sizes.count] * NibbleCodes.block == items.count else {
            throw .damaged("lists hold \(seen.count) of \(count) items in \(items.count) places")
        }
        return firstBlocks
    }

    /// Throws unless every partition's mean is the mean of its items.
    package func checkInvariants() throws(IndexError) {
        for list in 0..<partitions {
            let start = firstBlocks[list] * NibbleCodes.block
            let members = vectors.gatheringRows(Array(codes.items[start..<start + Int(sizes[list])]))
            var mean = members.summedRows()
            mean.scale(by: 1 / Float(members.rows))
            for (ours, stored) in zip(mean.elements, means.row(list)) where abs(ours - stored) > 1e-4 {
                throw .damaged("the mean of list \(list) is \(ours) where \(stored) is stored")
            }
        }
    }
}

/// The search parameters that are tuned when an index is built.
struct SearchWidths: Equatable {
    /// The distance of a partition's bound above its mean's score, in spreads.
    var bound: Float
    /// The largest error of an estimate below the true score at which its item is still kept, in spreads.
    var margin: Float
    /// The largest number of visited partitions for 50 answers.
    var effort: Int

    /// Whether all values are in range.
    func isUsable(partitions: Int) -> Bool {
        (0...100).contains(bound) && (0...100).contains(margin) && (1...max(1, partitions)).contains(effort)
    }
}
