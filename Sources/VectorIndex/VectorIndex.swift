public import Kernels

/// Finds the items whose unit vectors have the largest inner product with a query.
///
/// Results have item numbers: the catalogue's dense numbers, which are row numbers of the matrix that the index was
/// built from. Results are sorted best first, ties by the lower number. A search never changes the index: any number
/// of threads may search it at once, each with its own workspace.
public protocol VectorIndex: Sendable {
    /// The number of items that a search can return.
    var count: Int { get }

    /// The length of every vector and query.
    var dimension: Int { get }

    /// Finds the best `k` eligible items and leaves them in the workspace's ``SearchWorkspace/results``.
    ///
    /// Fewer than `k` items are returned only if fewer are eligible. A search allocates nothing once the workspace is
    /// large enough.
    ///
    /// - Parameters:
    ///   - query: A vector of `dimension` finite elements; its length does not change the order.
    ///   - k: The number of items to return.
    ///   - effort: The trade-off of recall and time: the largest number of visited partitions; nil is the index's
    ///     default. An exact index ignores it.
    ///   - eligible: The items that may be returned.
    ///   - workspace: The calling thread's own.
    func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    )

    /// The saved form without the vectors; see ``IndexFormat``.
    func serialised() -> [UInt8]

    /// Whether a search waits for other processes, so that event loops must not search.
    var isExternal: Bool { get }
}

extension VectorIndex {
    /// False: most indexes are in the process.
    public var isExternal: Bool { false }

    /// The best `k` items that are not excluded, for callers without a workspace.
    public func search(_ query: Span<Float>, k: Int, effort: Int? = nil, excluding: [Int32] = []) -> [Scored] {
        let workspace = SearchWorkspace()
        search(query, k: k, effort: effort, among: Eligibility(excluded: excluding), in: workspace)
        return workspace.results
    }
}

/// The items that a search may return: items of `allowed` that are neither `excluded` nor `removed`.
public struct Eligibility: Sendable {
    /// The items to choose from; nil allows every item.
    ///
    /// Items from its bound on are not allowed. Numbers that are not in the index are ignored. So a set stays usable
    /// when a ``LiveIndex`` gains items.
    public var allowed: ItemSet?
    /// Items that this request excludes, in any order; numbers may repeat or be unknown.
    public var excluded: [Int32]
    /// Tombstones: items that the index still holds but that count as deleted; nil means none.
    ///
    /// A ``LiveIndex`` gives its base such a set, of the base's bound. It may hold a large part of all items: a search
    /// tests every candidate against it and never enumerates it.
    public var removed: ItemSet?

    /// Creates a restriction; the default allows every item.
    public init(allowed: ItemSet? = nil, excluded: [Int32] = [], removed: ItemSet? = nil) {
        self.allowed = allowed
        self.excluded = excluded
        self.removed = removed
    }
}
