import CKernels

/// Collects the candidates of a search by estimated score, with a rising threshold.
///
/// The threshold is the `k`-th best estimate so far, to a thousandth. Estimates are counted in bins, which costs one
/// increment per candidate instead of a heap operation. A candidate is kept while its estimate plus its margin reaches
/// the threshold, so errors smaller than the margins lose no answer.
public final class CandidateQueue {
    /// The `k`-th best estimate so far, rounded down; minus infinity while there are fewer than `k`.
    public private(set) var threshold = -Float.infinity
    /// The number of kept candidates.
    public private(set) var count = 0
    /// The number of scanned items whose estimate plus margin reached the threshold, whether or not they may be kept.
    public private(set) var reached = 0
    /// The number of those that may be kept.
    public private(set) var admitted = 0

    private var state = AlignedMemory<ck_threshold>(count: 1)
    private var scores = AlignedMemory<Float>(count: 0)
    private var items = AlignedMemory<Int32>(count: 0)
    /// The number of candidates that the last compaction kept.
    private var compacted = 0

    /// An empty queue.
    public init() {}

    /// Starts a search for the best `k`; vectors and queries have length one.
    public func reset(k: Int) {
        precondition(k >= 1 && k <= Int32.max, "k is \(k)")
        threshold = -.infinity
        count = 0
        compacted = 0
        (reached, admitted) = (0, 0)
        state.withPointer { unsafe ck_start_threshold($0, UInt32(k)) }
    }

    /// Scans a range of blocks and keeps the candidates that may be among the best.
    ///
    /// - Parameters:
    ///   - codes: The codes to scan.
    ///   - blocks: The blocks of `codes` to scan.
    ///   - query: The query.
    ///   - base: Added to every inner product.
    ///   - margin: The largest distance of an estimate below the true score.
    ///   - restriction: The items that may be kept.
    public func scan(
        _ codes: borrowing NibbleCodes,
        blocks: Range<Int>,
        query: borrowing QuantisedQuery,
        base: Float,
        margin: Float,
        restriction: borrowing ItemRestriction
    ) {
        precondition(
            restriction.bound >= codes.itemBound,
            "a restriction over \(restriction.bound) items for \(codes.itemBound)"
        )
        makeRoom(for: blocks.count * NibbleCodes.block)
        let from = count
        let allowedBound = Int32(clamping: restriction.allowed?.bound ?? Int.max)
        scores.withPointer { scores in
            items.withPointer { items in
                let found = unsafe codes.scan(
                    blocks: blocks,
                    query,
                    base: base,
                    threshold: threshold - margin,
                    scores: scores + from,
                    positions: items + from
                )
                guard found > 0 else { return }
                reached += found
                state.withPointer { state in
                    unsafe count = ck_admit(
                        scores,
                        items,
                        from,
                        from + found,
                        codes.items,
                        restriction.allowed?.words,
                        allowedBound,
                        restriction.excluded?.words,
                        restriction.removed?.words,
                        margin,
                        state
                    )
                    admitted += count - from
                    unsafe threshold = ck_current_threshold(state)
                }
            }
        }
    }

    /// Moves the items that may still be among the best to `out`, and empties the queue.
    public func drain(into out: inout [Int32]) {
        keepPromising()
        out.removeAll(keepingCapacity: true)
        items.withPointer { unsafe out.append(contentsOf: UnsafeBufferPointer(start: $0, count: count)) }
        count = 0
    }

    private func keepPromising() {
        scores.withPointer { scores in
            items.withPointer { unsafe count = ck_keep_at_least(threshold, scores, $0, count) }
        }
        compacted = count
    }

    private func makeRoom(for added: Int) {
        if count > 2 * compacted + 4096 { keepPromising() }
        guard count + added > scores.count else { return }
        let room = max(4096, 2 * (count + added))
        let (grownScores, grownItems) = (AlignedMemory<Float>(count: room), AlignedMemory<Int32>(count: room))
        scores.withPointer { old in grownScores.withPointer { unsafe $0.update(from: old, count: count) } }
        items.withPointer { old in grownItems.withPointer { unsafe $0.update(from: old, count: count) } }
        (scores, items) = (grownScores, grownItems)
    }
}

/// The items that a scan may keep: allowed, and neither excluded nor removed.
public struct ItemRestriction: Sendable {
    /// All item numbers are below this bound.
    let bound: Int
    fileprivate let allowed: ItemSet?
    fileprivate let excluded: ItemSet?
    fileprivate let removed: ItemSet?

    /// Combines sets; nil means no restriction.
    ///
    /// - Parameters:
    ///   - bound: All item numbers are below it.
    ///   - allowed: Its bound may be lower; items from its bound on are not allowed.
    ///   - excluded: Its bound is at least `bound`.
    ///   - removed: Its bound is at least `bound`.
    public init(bound: Int, allowed: ItemSet? = nil, excluded: ItemSet? = nil, removed: ItemSet? = nil) {
        let reached = min(excluded?.bound ?? bound, removed?.bound ?? bound)
        precondition(reached >= bound, "a set of bound \(reached) for \(bound) items")
        self.bound = bound
        self.allowed = allowed
        self.excluded = excluded
        self.removed = removed
    }
}
