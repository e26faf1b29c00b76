public import Kernels

/// An index that changes without a rebuild: an immutable base, base items that no longer count, and a delta of vectors.
///
/// A value: changing a copy leaves the original as it was, so that searches of the original go on. Copies share the base
/// and all but the changed parts of the rest. A search finds what
/// the base's search finds among the items that still count, and every item of the delta, scored exactly.
///
/// Base items have the numbers below `base.count`, and added items the following ones. A number never becomes another
/// item's: that of a removed item may come back by ``replace(_:with:)`` only.
///
/// Complexity: a search costs the base's, plus O(changed * dimension) for the items that were added or replaced; items
/// that were removed cost a bit of memory a candidate. A change of a shared value copies `base.count / 8` bytes, some ten
/// bytes for each item with a vector of its own, and at most two chunks of 256 vectors. So a few percent of the base are meant to be changed
/// before ``merged(baseVectors:)`` gives the vectors of the next build.
public struct LiveIndex: VectorIndex {
    /// What was built; it is searched as it was.
    public let base: any VectorIndex
    /// Item numbers are below it: one more than the highest that any item ever had.
    public private(set) var bound: Int

    /// Items of the base that were removed, or replaced by a vector of the delta.
    public private(set) var superseded: ItemSet
    /// Vectors of added and replaced items.
    private var delta: ChunkedVectors

    /// An index without changes.
    ///
    /// - Parameter base: What was built. If it is a live index itself, this is a copy of it.
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

    /// How many items can be found.
    public var count: Int { base.count - superseded.count + delta.count }

    /// The length of every vector and query.
    public var dimension: Int { base.dimension }

    /// How many vectors every search scores beside the base's: those of added and replaced items.
    public var changed: Int { delta.count }

    /// Whether an item can be found.
    ///
    /// - Complexity: O(1).
    public func contains(_ item: Int32) -> Bool {
        isInBase(item) || delta.position(of: item) != nil
    }

    /// The vector of an item that was added or replaced; nil for one whose vector is the base's and for one that cannot be
    /// found.
    public func changedVector(of item: Int32) -> [Float]? {
        place(of: item).map { $0.vectors.row($0.row) }
    }

    /// Where the vector of an item that was added or replaced is.
    func place(of item: Int32) -> (vectors: Matrix, row: Int)? {
        guard delta.count > 0, !isInBase(item), let position = delta.position(of: item) else { return nil }
        let chunk = delta.chunks[position / ChunkedVectors.chunkRows]
        return (chunk.vectors, position % ChunkedVectors.chunkRows)
    }

    /// The same changes over another index of the same items, which shares them.
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
    /// - Returns: Its number, the bound so far.
    /// - Throws: ``IndexError`` for a vector that is of another length, not finite, zero, or not of length one; then
    ///   nothing has changed.
    @discardableResult
    public mutating func add(_ vector: [Float]) throws(IndexError) -> Int32 {
        try validate(vector, of: bound)
        let item = Int32(bound)
        delta.append(vector, of: item)
        bound += 1
        return item
    }

    /// Gives an item another vector; one that was removed can be found again.
    ///
    /// - Parameters:
    ///   - item: A number below the bound.
    ///   - vector: Its unit vector from now on.
    /// - Throws: ``IndexError/unknownItem(_:)`` for a number that no item ever had, or what ``add(_:)`` throws; then
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

    /// Takes out an item, so that no search returns it.
    ///
    /// - Throws: ``IndexError/unknownItem(_:)`` for an item that cannot be found anyway; then nothing has changed.
    public mutating func remove(_ item: Int32) throws(IndexError) {
        if isInBase(item) {
            superseded.insert(item)
        } else if let position = delta.position(of: item) {
            delta.remove(at: position)
        } else {
            throw .unknownItem(Int(item))
        }
    }

    /// Makes a base item what it was in the base.
    ///
    /// - Throws: ``IndexError/unknownItem(_:)`` for an item that the base never held; then nothing has changed.
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
    ///   - k: How many to return; fewer come back only when fewer are eligible.
    ///   - effort: The base's.
    ///   - eligible: Which items may be returned; `allowed` covers added items when its bound does. `removed` is nil: the
    ///     index keeps that set itself.
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

    /// What the next index is to be built from: the vectors of all items that can be found.
    ///
    /// - Parameter baseVectors: The vectors that the base was built from, row `i` that of item `i`.
    /// - Returns: The vectors, and for each row the item's number here, ascending: so equal scores come in the same order
    ///   from an index over these rows. Row numbers are the items' numbers in that index.
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

    /// The saved form of the base: changes are saved by building from ``merged(baseVectors:)``.
    public func serialised() -> [UInt8] { base.serialised() }

    /// Whether an item is found by the vector that the base has.
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
