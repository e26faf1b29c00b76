public import CheckpointStore
import Kernels
import VectorIndex

extension ServingSnapshot {
    /// How many items a completed vector is like.
    private static let completedLikeness = 10

    /// The snapshot with changes of items applied in order.
    ///
    /// Only the newest change of an item matters, also when that one is skipped: then the item is as the version has it.
    /// An item that is given by its likeness, and one whose vector is of another version, gets the normalised mean of what
    /// the model learned of the items it is like. ``LiveCatalogue`` tells what changed items count as in histories.
    ///
    /// - Parameter changes: Changes of this model; taking out an item that is not there changes nothing.
    /// - Returns: A snapshot of the same generation whose ``revision`` is one higher, which shares with this one all that
    ///   is unchanged; and the changes that do not count in this version, in order.
    /// - Complexity: O(items / 64 + changed items) for all changes together, O(dimension) for each, and a search for an
    ///   added item with a vector and without likeness. A filter's items are collected anew when it is next asked for.
    public func applying(_ changes: [ItemChange]) -> (snapshot: ServingSnapshot, skipped: [SkippedChange]) {
        var live = LiveCatalogue(of: self)
        let skipped = live.apply(changes, in: self)
        return (ServingSnapshot(self, with: live), skipped)
    }

    /// Checks a change against this snapshot and completes it, so that every version can apply it.
    ///
    /// A vector is scaled to length one; unless it comes with a likeness, it gets that of the ten nearest items that are as
    /// they were built, for versions in whose space it means nothing. A likeness stays without a vector, unless it names
    /// items that changed: since those changes may not be there when it is read again, it becomes a vector.
    ///
    /// - Parameter change: A change of this model.
    /// - Returns: The change as of this version: applied to this snapshot it is not skipped.
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

    /// How many built items were taken out.
    ///
    /// - Complexity: O(items that were ever added).
    public var tombstones: Int { itemVectors.rows + addedItems - itemCount }

    /// How many items can be answered that are not in the built catalogue.
    ///
    /// - Complexity: O(items that were ever added).
    public var addedItems: Int { live?.addedItems ?? 0 }

    /// Where an item with some content is in this version, and the built item that it is likest.
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
    private var learnedIndex: any VectorIndex { live?.index.base ?? index }

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
        // Unit vectors that cancel out leave rounding; one vector may be as short as it likes.
        guard length > (vectors.count == 1 ? 0 : 1e-6 * Double(vectors.count)) else { return nil }
        return sum.map { Float($0 / length) }
    }
}

/// A change that does not count in a version.
public struct SkippedChange: Sendable, Equatable {
    /// Why a change does not count.
    public enum Reason: Error, Equatable, CustomStringConvertible {
        /// The version was published after the change and knows the item itself.
        case learned
        /// The version has none of the items that the item is like, or these point nowhere together.
        case nothingAlike
        /// The vector is none of this version's space.
        case unusableVector(ItemChangeError)

        /// What is wrong and what to do.
        public var description: String {
            switch self {
            case .learned:
                "The version is newer than the change and knows the item itself; nothing is to be done."
            case .nothingAlike:
                "The version has none of the items that the item is like; put the item again."
            case .unusableVector(let error):
                "\(error)"
            }
        }
    }

    /// The change.
    public let change: ItemChange
    /// Why it does not count.
    public let reason: Reason
}

/// Why a change of an item is refused.
public enum ItemChangeError: Error, Equatable, CustomStringConvertible {
    /// The vector has another length than those of the version.
    case wrongDimension(Int, expected: Int, version: Int)
    /// An element of the vector is NaN or infinite.
    case notFinite(position: Int)
    /// The vector has no direction.
    case zeroVector
    /// There is neither a vector nor an item that the item is like.
    case noPlace
    /// An item that the item is to be like is not in the catalogue.
    case unknownLike(String, position: Int)
    /// The vectors of the items that the item is to be like cancel each other out.
    case noDirection
    /// The item that is to be taken out is not in the catalogue.
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
            "The vector has \(found) elements, those of version \(version) have \(expected); make it with that version's "
                + "model, or name items that the item is like."
        case .notFinite(let position):
            "Element \(position) of the vector is not a finite number; make the vector again."
        case .zeroVector:
            "The vector is zero and has no direction; give another one, or name items that the item is like."
        case .noPlace:
            "There is neither a vector nor an item that the item is like; give one of the two."
        case .unknownLike(let id, _):
            "Item '\(id)' is not in the catalogue, so nothing can be like it; name other items."
        case .noDirection:
            "The vectors of the items in 'like' cancel each other out; name items that are like each other."
        case .unknownItem(let id):
            "Item '\(id)' is not in the catalogue, so it cannot be taken out."
        }
    }
}
