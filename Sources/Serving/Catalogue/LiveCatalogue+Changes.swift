public import CheckpointStore
import Kernels
import VectorIndex

extension ServingSnapshot {
    /// How many similar items ``completed(_:)`` lists for a vector.
    private static let completedLikeness = 10

    /// The snapshot after changes of items, applied in order.
    ///
    /// Only the newest change of an item counts. If this version skips that change, older ones are undone too. An
    /// item gets the normalised mean of its similar items' learned vectors if the change has no vector or a vector
    /// of another version. ``LiveCatalogue`` says how changed items count in histories.
    ///
    /// - Parameters:
    ///   - changes: Changes of this model. Removing an item that is not there changes nothing.
    ///   - attributes: New values of attributes, applied in order after the changes. Values that do not suit this
    ///     version's attributes, and items that it does not have, are skipped.
    /// - Returns: A snapshot of the same generation whose ``revision`` is one higher, and the changes that this
    ///   version skips, in order. The new snapshot shares all unchanged parts with this one.
    /// - Complexity: O(items / 64 + changed items) for all changes together, O(dimension) for each, and a search for
    ///   an added item with a vector and no similar items. O(items) for each changed attribute of numbers. The next
    ///   use of a filter that the changes can affect collects its items anew.
    public func applying(
        _ changes: [ItemChange],
        attributes: [AttributeChange] = []
    ) -> (snapshot: ServingSnapshot, skipped: [SkippedChange]) {
        var live = LiveCatalogue(of: self)
        let skipped = live.apply(changes, in: self)
        let changed = live.apply(attributes, of: model)
        return (ServingSnapshot(self, with: live, changedAttributes: changed), skipped)
    }

    /// Checks a change against this snapshot and completes it, so that every version can apply it.
    ///
    /// A vector is scaled to length one. If it comes without similar items, the ten nearest unchanged items are
    /// added, for versions with another vector space. A change by similar items stays without a vector, unless one
    /// of them was itself changed. That change may be gone when the store is read again, so the similar items' mean
    /// vector replaces them.
    ///
    /// - Parameter change: A change of this model.
    /// - Returns: The change as of this version. This snapshot does not skip it.
    /// - Throws: ``ItemChangeError`` naming the field that is wrong.
    public func completed(_ change: ItemChange) throws(ItemChangeError) -> ItemChange {
        precondition(change.model == model, "a change of \(change.model) completed by \(model)")
        var completed = change
        completed.version = version
        guard var content = change.content else {
            guard number(of: change.item) != nil else { throw .unknownItem(change.item) }
            return completed
        }
        var like: [Int32] = []
        for (position, id) in content.like.enumerated() {
            guard let number = number(of: id) else { throw .unknownLike(id, position: position) }
            like.append(number)
        }
        let builtCount = itemVectors.rows
        if let vector = content.vector {
            content.vector = try unit(vector)
            content.like = like.filter { Int($0) < builtCount }.map(identifiers.id)
        } else {
            guard !like.isEmpty else { throw .noPlace }
            guard let mean = normalisedMean(like.map(vector)) else { throw .noDirection }
            if like.contains(where: { live?.index.isInBase($0) == false }) {
                content.vector = mean
                content.like = []
            }
        }
        if let vector = content.vector, content.like.isEmpty {
            content.like = builtItems(near: vector, k: Self.completedLikeness, but: identifiers.number(of: change.item))
                .map(identifiers.id)
        }
        completed.content = content
        return completed
    }

    /// How many built items were removed.
    ///
    /// - Complexity: O(items that were ever added).
    public var tombstones: Int { itemVectors.rows + addedItems - itemCount }

    /// How many items in service were added after the build.
    ///
    /// - Complexity: O(items that were ever added).
    public var addedItems: Int { live?.addedItems ?? 0 }

    /// The vector of an item in this version, and the built item most similar to it.
    func place(
        of content: ItemChange.Content,
        isOwnVector: Bool
    ) throws(SkippedChange.Reason) -> (vector: [Float], likest: Int32) {
        let like = content.like.compactMap(identifiers.number).filter { Int($0) < itemVectors.rows }
        if isOwnVector, let vector = content.vector {
            let place: [Float]
            do throws(ItemChangeError) { place = try unit(vector) } catch { throw .unusableVector(error) }
            if let likest = like.first { return (place, likest) }
            if let likest = learnedIndex.search(place.span, k: 1).first { return (place, likest.id) }
        } else if let likest = like.first,
            let mean = normalisedMean(like.map { itemVectors.row(Int($0)) })
        {
            return (mean, likest)
        }
        throw .nothingAlike
    }

    /// The built index, without changes.
    private var learnedIndex: any VectorIndex { (localIndex as? LiveIndex)?.base ?? localIndex }

    /// Built items that did not change, the nearest to a vector first.
    private func builtItems(near vector: [Float], k: Int, but item: Int32?) -> [Int32] {
        let workspace = SearchWorkspace()
        let unchanged = Eligibility(excluded: item.map { [$0] } ?? [], removed: live?.index.superseded)
        learnedIndex.search(vector.span, k: k, effort: nil, among: unchanged, in: workspace)
        return workspace.results.map(\.id)
    }

    /// A vector of this version's space, scaled to length one.
    private func unit(_ vector: [Float]) throws(ItemChangeError) -> [Float] {
        guard vector.count == itemVectors.columns else {
            throw .wrongDimension(vector.count, expected: itemVectors.columns, version: version)
        }
        if let position = vector.firstIndex(where: { !$0.isFinite }) { throw .notFinite(position: position) }
        guard let unit = normalisedMean([vector]) else { throw .zeroVector }
        return unit
    }

    /// The direction of the mean of vectors, or nil when it has none.
    private func normalisedMean(_ vectors: [[Float]]) -> [Float]? {
        var sum = [Double](repeating: 0, count: itemVectors.columns)
        for vector in vectors {
            for (column, element) in vector.enumerated() { sum[column] += Double(element) }
        }
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        // Unit vectors that cancel out leave a rounding error. A single vector may have any length above 0.
        guard length > (vectors.count == 1 ? 0 : 1e-6 * Double(vectors.count)) else { return nil }
        return sum.map { Float($0 / length) }
    }
}

/// A change that a version skips.
public struct SkippedChange: Sendable, Equatable {
    /// Why a version skips a change.
    public enum Reason: Error, Equatable, CustomStringConvertible {
        /// The version was published after the change and learned the item itself.
        case learned
        /// The version has none of the similar items, or their vectors cancel out.
        case nothingAlike
        /// The vector does not belong to this version's space.
        case unusableVector(ItemChangeError)

        /// What is wrong and what to do.
        public var description: String {
            switch self {
            case .learned:
                "The version is newer than the change and knows the item itself; no action is needed."
            case .nothingAlike:
                "The version has none of the similar items; put the item again."
            case .unusableVector(let error):
                "\(error)"
            }
        }
    }

    /// The change.
    public let change: ItemChange
    /// Why the version skips it.
    public let reason: Reason
}

/// Why a change of an item is rejected.
public enum ItemChangeError: Error, Equatable, CustomStringConvertible {
    /// The vector has another length than those of the version.
    case wrongDimension(Int, expected: Int, version: Int)
    /// An element of the vector is NaN or infinite.
    case notFinite(position: Int)
    /// The vector has no direction.
    case zeroVector
    /// The change has neither a vector nor similar items.
    case noPlace
    /// A similar item is not in the catalogue.
    case unknownLike(String, position: Int)
    /// The vectors of the similar items cancel each other out.
    case noDirection
    /// The item to remove is not in the catalogue.
    case unknownItem(String)

    /// The field that is wrong: `vector`, `like`, `like/2` or `item`.
    public var field: String {
        switch self {
        case .wrongDimension, .notFinite, .zeroVector, .noPlace: "vector"
        case .unknownLike(_, let position): "like/\(position)"
        case .noDirection: "like"
        case .unknownItem: "item"
        }
    }

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .wrongDimension(let found, let expected, let version):
            "The vector has \(found) elements, but version \(version) needs \(expected); make it with that version's "
                + "model, or name similar items in 'like'."
        case .notFinite(let position):
            "Element \(position) of the vector is not a finite number; make the vector again."
        case .zeroVector:
            "The vector is zero and has no direction; give another one, or name similar items in 'like'."
        case .noPlace:
            "The item has neither a vector nor similar items; give 'vector' or 'like'."
        case .unknownLike(let id, _):
            "Similar item '\(id)' is not in the catalogue; name other items."
        case .noDirection:
            "The vectors of the items in 'like' cancel each other out; name items that are similar to each other."
        case .unknownItem(let id):
            "Item '\(id)' is not in the catalogue, so it cannot be removed."
        }
    }
}
