public import Kernels

/// Finds the items whose unit vectors have the largest inner product with a query.
///
/// Results carry item numbers (the catalogue's dense numbers, row numbers of the matrix the index was built from), never
/// offsets of an index's own layout. Results are sorted best first, ties by the lower number. Searching never mutates the
/// index: any number of threads may search it at once, each with a workspace of its own.
public protocol VectorIndex: Sendable {
    /// How many items can be found.
    var count: Int { get }

    /// The length of every vector and query.
    var dimension: Int { get }

    /// Finds the best `k` eligible items and leaves them in the workspace's ``SearchWorkspace/results``.
    ///
    /// Fewer than `k` come back only when fewer are eligible. Allocates nothing once the workspace has grown to the size
    /// that such searches need.
    ///
    /// - Parameters:
    ///   - query: A vector of `dimension` finite elements; its length does not change the order.
    ///   - k: How many to return.
    ///   - effort: The index's own knob trading recall for time (partitions visited at most); nil is the built-in choice.
    ///     An exact index ignores it.
    ///   - eligible: Which items may be returned.
    ///   - workspace: The calling thread's own.
    func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    )

    /// The built structure without the vectors, for storing beside them; see ``IndexFormat``.
    func serialised() -> [UInt8]
}

extension VectorIndex {
    /// The best `k` items that are not excluded, for callers that keep no workspace.
    public func search(_ query: Span<Float>, k: Int, effort: Int? = nil, excluding: [Int32] = []) -> [Scored] {
        let workspace = SearchWorkspace()
        search(query, k: k, effort: effort, among: Eligibility(excluded: excluding), in: workspace)
        return workspace.results
    }
}

/// Which items a search may return: those of `allowed` that are neither `excluded` nor `removed`.
public struct Eligibility: Sendable {
    /// The items to choose from; nil is every item.
    ///
    /// Items from its bound on are not allowed, and elements that are no items of the index are ignored: so a set stays
    /// usable when a ``LiveIndex`` gains items.
    public var allowed: ItemSet?
    /// Items of this request to leave out; in any order, repeated, also numbers that no item has.
    public var excluded: [Int32]
    /// Items that the index still holds but that count as deleted; nil is none.
    ///
    /// A ``LiveIndex`` gives its base such a set, of the base's bound. Unlike `excluded` it may be a good part of all
    /// items: a search asks it of every candidate and never walks it.
    public var removed: ItemSet?

    /// Restricts a search, or by default does not.
    public init(allowed: ItemSet? = nil, excluded: [Int32] = [], removed: ItemSet? = nil) {
        self.allowed = allowed
        self.excluded = excluded
        self.removed = removed
    }
}
