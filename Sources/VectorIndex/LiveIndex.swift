public import Kernels

/// An index that changes without a rebuild: an immutable base, tombstones for base items, and a delta of new vectors.
///
/// This is a value type: changing a copy does not affect searches of the original. Copies share the base and all
/// unchanged parts. A search combines the base's answers without the tombstoned items and the delta's items, which are
/// scored exactly.
///
/// Base items have the numbers below `base.count`; added items have the following numbers. A number always belongs to
/// the same item: only ``replace(_:with:)`` brings a removed item back under its number.
///
/// Complexity: a search costs as much as the base's search, plus O(changed * dimension) for added and replaced items.
/// For removed items it reads one bit per candidate. A change of a shared value copies `base.count / 8` bytes, about
/// ten bytes for each added or replaced item, and at most two chunks of 256 vectors. Build a new index from
/// ``merged(baseVectors:)`` when a few percent of the base have changed.
public struct LiveIndex: VectorIndex {
    /// The built index, which never changes.
    public let base: any VectorIndex
    /// The upper bound of item numbers: one more than the highest number that any item ever had.
    public private(set) var bound: Int

    /// Items of the base that were removed, or replaced by a vector of the delta.
    public private(set) var superseded: ItemSet
    /// Vectors of added and replaced items.
    private var delta: ChunkedVectors

    /// An index without changes.
    ///
    /// - Parameter base: The built index. If it is a live index, the result is a copy of it.
    public init(_ base: any VectorIndex) {
        if let live = base as? LiveIndex {
            self = live
        } else {
            self.base = base
            bound = base.count
            superseded = ItemSet(bound: base.count)
            delta = ChunkedVectors(dimension: base.dimension)
        }
    }

    /// The number of items that a search can return.
    public var count: Int { base.count - superseded.count + delta.count }

    /// The length of every vector and query.
    public var dimension: Int { base.dimension }

    /// The number of added and replaced items, whose vectors every search scores.
    public var changed: Int { delta.count }

    /// Whether the base is outside of the process.
    public var isExternal: Bool { base.isExternal }

    /// Whether a search can return the item.
    ///
    /// - Complexity: O(1).
    public func contains(_ item: Int32) -> Bool {
        isInBase(item) || delta.position(of: item) != nil
    }

    /// The vector of an added or replaced item; nil if the item has the base's vector or is not in the index.
    public func changedVector(of item: Int32) -> [Float]? {
        place(of: item).map { $0.vectors.row($0.row) }
    }

    /// The place of an added or replaced item's vector.
    func place(of item: Int32) -> (vectors: Matrix, row: Int)? {
        guard delta.count > 0, !isInBase(item), let position = delta.position(of: item) else { return nil }
        let chunk = delta.chunks[position / ChunkedVectors.chunkRows]
        return (chunk.vectors, position % ChunkedVectors.chunkRows)
    }

    /// The same changes over another base of the same items; both values share the changes.
    public func over(_ base: any VectorIndex) -> LiveIndex {
        precondition(
            base.count == self.base.count && base.dimension == dimension,
            "\(base.count) items of \(base.dimension) elements instead of \(self.base.count) of \(dimension)"
        )
        return LiveIndex(base: base, bound: bound, superseded: superseded, delta: delta)
    }

    private init(base: any VectorIndex, bound: Int, superseded: ItemSet, delta: ChunkedVectors) {
        self.base = base
        self.bound = bound
        self.superseded = superseded
        self.delta = delta
    }

    /// Adds an item.
    ///
    /// - Parameter vector: Its unit vector.
    /// - Returns: Its number, which is the former bound.
    /// - Throws: ``IndexError`` if the vector has another dimension, is not finite, is zero, or does not have length
    ///   one; then nothing has changed.
    @discardableResult
    public mutating func add(_ vector: [Float]) throws(IndexError) -> Int32 {
        try validate(vector, of: bound)
        let item = Int32(bound)
        delta.append(vector, of: item)
        bound += 1
        return item
    }

    /// Gives an item another vector; a removed item returns to the index.
    ///
    /// - Parameters:
    ///   - item: A number below the bound.
    ///   - vector: Its unit vector from now on.
    /// - Throws: ``IndexError/unknownItem(_:)`` if no item ever had the number, or the errors of ``add(_:)``; then
    ///   nothing has changed.
    public mutating func replace(_ item: Int32, with vector: [Float]) throws(IndexError) {
        guard item >= 0, item < bound else { throw .unknownItem(Int(item)) }
        try validate(vector, of: Int(item))
        if isInBase(item) {
            superseded.insert(item)
            delta.append(vector, of: item)
        } else if let position = delta.position(of: item) {
            delta.write(vector, of: item, at: position)
        } else {
            delta.append(vector, of: item)
        }
    }

    /// Removes an item, so that no search returns it.
    ///
    /// - Throws: ``IndexError/unknownItem(_:)`` if the item is not in the index; then nothing has changed.
    public mutating func remove(_ item: Int32) throws(IndexError) {
        if isInBase(item) {
            superseded.insert(item)
        } else if let position = delta.position(of: item) {
            delta.remove(at: position)
        } else {
            throw .unknownItem(Int(item))
        }
    }

    /// Gives a base item its original vector again.
    ///
    /// - Throws: ``IndexError/unknownItem(_:)`` if the item is not in the base; then nothing has changed.
    public mutating func restore(_ item: Int32) throws(IndexError) {
        guard item >= 0, item < base.count else { throw .unknownItem(Int(item)) }
        guard !isInBase(item) else { return }
        if let position = delta.position(of: item) { delta.remove(at: position) }
        superseded.remove(item)
    }

    /// Finds the best `k` eligible items of base and delta.
    ///
    /// - Parameters:
    ///   - query: A vector of `dimension` finite elements; its length does not change the order.
    ///   - k: The number of items to return; fewer are returned only if fewer are eligible.
    ///   - effort: The effort of the base's search.
    ///   - eligible: The items that may be returned. `allowed` includes added items only below its bound. `removed`
    ///     must be nil, because the index keeps that set itself.
    ///   - workspace: The calling thread's own.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        precondition(eligible.removed == nil, "a live index of \(count) items removes its own, not a given set")
        let inBase = Eligibility(
            allowed: eligible.allowed,
            excluded: eligible.excluded,
            removed: superseded.count > 0 ? superseded : nil
        )
        base.search(query, k: k, effort: effort, among: inBase, in: workspace)
        if delta.count > 0 { workspace.merge(delta, query, k: min(k, count), among: eligible, bound: bound) }
    }

    /// The vectors of all items in the index, for the next build.
    ///
    /// - Parameter baseVectors: The vectors that the base was built from, row `i` for item `i`.
    /// - Returns: The vectors, and each row's item number in this index. The row numbers are the item numbers of the
    ///   next index. The items ascend, so equal scores keep their order.
    /// - Complexity: O(bound * dimension).
    public func merged(baseVectors: Matrix) -> (vectors: Matrix, items: [Int32]) {
        precondition(
            baseVectors.shape == [base.count, dimension],
            "vectors of shape \(baseVectors.shape) for a base of \([base.count, dimension])"
        )
        var places = [(chunk: Int, row: Int)?](repeating: nil, count: bound)
        for (index, chunk) in delta.chunks.enumerated() {
            for (row, item) in chunk.items.enumerated() { places[Int(item)] = (index, row) }
        }
        var items: [Int32] = []
        var elements: [Float] = []
        items.reserveCapacity(count)
        elements.reserveCapacity(count * dimension)
        for (item, place) in zip(Int32(0)..., places) {
            if let place {
                append(place.row, of: delta.chunks[place.chunk].vectors)
            } else if isInBase(item) {
                append(Int(item), of: baseVectors)
            } else {
                continue
            }
            items.append(item)
        }
        func append(_ row: Int, of vectors: Matrix) {
            elements += vectors.elements[row * dimension..<(row + 1) * dimension]
        }
        return (Matrix(rows: items.count, columns: dimension, elements: elements), items)
    }

    /// The saved form of the base; to save the changes, build an index from ``merged(baseVectors:)``.
    public func serialised() -> [UInt8] { base.serialised() }

    /// Whether an item still has its vector of the base.
    public func isInBase(_ item: Int32) -> Bool {
        item >= 0 && item < base.count && !superseded.contains(item)
    }

    private func validate(_ vector: [Float], of item: Int) throws(IndexError) {
        guard vector.count == dimension else {
            throw .wrongLength(item: item, length: vector.count, dimension: dimension)
        }
        try requireUnitRows(Matrix(rows: 1, columns: dimension, elements: vector), first: item)
    }
}
