/// Histories of different lengths, one after another.
///
/// History `i` is `ids[offsets[i] ..< offsets[i + 1]]`, oldest first; an empty history has equal offsets.
public struct RaggedRows: Sendable, Equatable {
    /// Row numbers of all histories.
    public private(set) var ids: [Int32] = []
    /// The start of each history, and the end of the last: `count + 1` values.
    public private(set) var offsets: [Int] = [0]

    /// No histories yet.
    public init() {}

    /// Histories given as arrays.
    public init(_ histories: some Sequence<some Sequence<Int32>>) {
        for history in histories { append(history) }
    }

    /// Histories given by all of their ids and the start of each.
    ///
    /// - Precondition: `offsets` begins with 0, does not fall, and ends with the number of ids.
    public init(ids: [Int32], offsets: [Int]) {
        precondition(
            offsets.first == 0 && offsets.last == ids.count && zip(offsets, offsets.dropFirst()).allSatisfy(<=),
            "offsets from \(offsets.first ?? -1) to \(offsets.last ?? -1) for \(ids.count) ids"
        )
        (self.ids, self.offsets) = (ids, offsets)
    }

    /// The number of histories.
    public var count: Int { offsets.count - 1 }

    /// The length of each history.
    public var lengths: [Int] { zip(offsets, offsets.dropFirst()).map { $1 - $0 } }

    /// The length of the longest history.
    public var longest: Int { lengths.max() ?? 0 }

    /// Adds a history at the end.
    public mutating func append(_ history: some Sequence<Int32>) {
        ids.append(contentsOf: history)
        offsets.append(ids.count)
    }

    /// One history.
    public subscript(index: Int) -> ArraySlice<Int32> { ids[offsets[index]..<offsets[index + 1]] }

    /// The same histories with every row number mapped.
    public func mapIDs(_ transform: (Int32) -> Int32) -> RaggedRows {
        var result = self
        result.ids = ids.map(transform)
        return result
    }
}
