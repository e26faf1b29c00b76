public import Kernels

/// Finds the items whose unit vectors have the largest inner product with a query.
///
/// Results carry item numbers (the catalogue's dense numbers, row numbers of the matrix the index was built from), never
/// offsets of an index's own layout. Results are sorted best first, ties by the lower number. Searching never mutates:
/// any number of threads may search one index.
public protocol VectorIndex: Sendable {
    /// How many items can be found.
    var count: Int { get }

    /// The length of every vector and query.
    var dimension: Int { get }

    /// The best `k` items that are not excluded.
    ///
    /// - Parameters:
    ///   - query: A vector of `dimension` finite elements; its length does not change the order.
    ///   - k: How many to return; fewer come back only when fewer exist.
    ///   - effort: The index's own knob trading recall for time (partitions probed, here); nil is the built-in choice.
    ///     An exact index ignores it.
    ///   - excluding: Item numbers that must not be returned, in any order.
    /// - Returns: Items with their inner products.
    func search(_ query: Span<Float>, k: Int, effort: Int?, excluding: [Int32]) -> [Scored]

    /// The built structure without the vectors, for storing beside them; see ``IndexFormat``.
    func serialised() -> [UInt8]
}
