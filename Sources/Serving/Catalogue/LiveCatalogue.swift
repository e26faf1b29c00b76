import CheckpointStore
import Kernels
import VectorIndex

/// A snapshot's catalogue with the items that were added, replaced or removed since its build.
///
/// The value shares all unchanged parts with the built catalogue and with its copies. It depends only on the built
/// catalogue and the newest change of each item. Older changes do not matter, nor does the order of items, except
/// for ties and item numbers. So a store that keeps only the newest changes restores the same catalogue after a
/// restart.
///
/// The model's learned vectors do not change. In histories, and as a similar item of others:
/// - An added item counts as the built item most similar to it. Exclusion applies to the added item itself.
/// - A replaced item counts with its learned vector, though searches find it by its new vector.
/// - A removed built item still counts as seen by the user. A removed added item is unknown.
struct LiveCatalogue: Sendable {
    /// The built index with the changes.
    private(set) var index: LiveIndex
    /// The ids of all items, built ones first; removed items keep theirs.
    private(set) var identifiers: IdentifierTable
    /// The categories of all items; removed items keep theirs.
    private(set) var categories: CategoryIndex
    /// The attributes of all items; removed items keep theirs.
    private(set) var attributes: AttributeIndex
    /// The attributes of the build.
    private let builtAttributes: AttributeIndex
    /// Titles of changed items.
    private(set) var titles: [Int32: String] = [:]
    /// The most similar built item of each added item, in the order of item numbers.
    private var likest: [Int32] = []
    /// The items that were ever added, in the order of their ids' bytes: their numbers depend on older changes.
    private(set) var addedByID: [Int32] = []

    /// The catalogue of a snapshot; a built one has no changes.
    init(of snapshot: ServingSnapshot) {
        if let live = snapshot.live {
            self = live
        } else {
            index = LiveIndex(snapshot.index)
            identifiers = snapshot.identifiers
            categories = snapshot.categories
            attributes = snapshot.filters.attributes
            builtAttributes = attributes
        }
    }

    /// How many items the built catalogue has.
    var builtCount: Int { index.base.count }

    /// How many added items are in service.
    ///
    /// - Complexity: O(items that were ever added).
    var addedItems: Int { (builtCount..<index.bound).count { index.contains(Int32($0)) } }

    /// Whether an item was built into the snapshot.
    func isBuilt(_ number: Int32) -> Bool { Int(number) < builtCount }

    /// Drops removed added items from a history.
    func dropTakenOut(of history: inout [Int32]) {
        history.removeAll { !isBuilt($0) && !index.contains($0) }
    }

    /// Replaces each added item of a history by its most similar built item.
    func substituteBuilt(in history: inout [Int32]) {
        for place in history.indices where !isBuilt(history[place]) {
            history[place] = likest[Int(history[place]) - builtCount]
        }
    }

    /// Applies changes in order to a snapshot's catalogue and returns those that the version skips.
    mutating func apply(_ changes: [ItemChange], in snapshot: ServingSnapshot) -> [SkippedChange] {
        var skipped: [SkippedChange] = []
        var changing = ChangingCategories(categories)
        for change in changes {
            precondition(change.model == snapshot.model, "a change of \(change.model) applied to \(snapshot.model)")
            do {
                try apply(change, in: snapshot, &changing)
            } catch {
                skipped.append(SkippedChange(change: change, reason: error))
            }
        }
        if changing.isChanged { categories = CategoryIndex(changing) }
        return skipped
    }

    /// Applies new values of attributes in order and returns the names of the attributes that changed.
    mutating func apply(_ changes: [AttributeChange], of model: String) -> Set<String> {
        let known = changes.compactMap { change in
            precondition(change.model == model, "a change of \(change.model) applied to \(model)")
            return identifiers.number(of: change.item).map { (item: $0, change: change) }
        }
        return attributes.apply(known, built: builtAttributes)
    }

    private mutating func apply(
        _ change: ItemChange,
        in snapshot: ServingSnapshot,
        _ categories: inout ChangingCategories
    ) throws(SkippedChange.Reason) {
        let known = identifiers.number(of: change.item)
        guard let content = change.content else {
            if let known { takeOut(known) }
            return
        }
        do throws(SkippedChange.Reason) {
            guard change.applies(to: snapshot.version, knowsItem: known.map(isBuilt) ?? false) else { throw .learned }
            let place = try snapshot.place(of: content, isOwnVector: change.version == snapshot.version)
            let number = put(change.item, known, at: place)
            titles[number] = content.title
            categories.set(content.categories, of: number)
        } catch {
            // Only the newest change to an item counts; undo the older one.
            if let known { restore(known, &categories) }
            throw error
        }
    }

    /// Puts an item's vector into the index and returns the item's number.
    private mutating func put(_ id: String, _ known: Int32?, at place: (vector: [Float], likest: Int32)) -> Int32 {
        do {
            if let known {
                try index.replace(known, with: place.vector)
                if !isBuilt(known) { likest[Int(known) - builtCount] = place.likest }
                return known
            }
            let number = try index.add(place.vector)
            precondition(identifiers.append(id) == number, "\(identifiers.count) ids for \(index.bound) vectors")
            likest.append(place.likest)
            addedByID.insert(number, at: placeAmongAdded(of: id))
            return number
        } catch {
            preconditionFailure("a checked vector of item '\(id)': \(error)")
        }
    }

    /// Where a new id belongs in ``addedByID``.
    private func placeAmongAdded(of id: String) -> Int {
        var (low, high) = (0, addedByID.count)
        while low < high {
            let middle = (low + high) / 2
            if identifiers.utf8(addedByID[middle]).lexicographicallyPrecedes(id.utf8) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    private mutating func takeOut(_ number: Int32) {
        guard index.contains(number) else { return }
        do { try index.remove(number) } catch { preconditionFailure("an item that can be found: \(error)") }
    }

    /// Restores a built item, and removes an added one.
    private mutating func restore(_ number: Int32, _ categories: inout ChangingCategories) {
        guard isBuilt(number) else { return takeOut(number) }
        do { try index.restore(number) } catch { preconditionFailure("an item of the base: \(error)") }
        titles[number] = nil
        categories.set(nil, of: number)
    }
}
