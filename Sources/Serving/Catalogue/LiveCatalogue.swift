import CheckpointStore
import Kernels
import VectorIndex

/// What a snapshot answers where items were added, replaced or taken out since it was built.
///
/// A value that shares with what was built, and with its copies, all that did not change. It depends on the built catalogue
/// and on the newest change of each item alone: not on the changes before that, and but for ties and item numbers not on
/// the order of items. So a store that keeps the newest change of each item restores at a start what was served before.
///
/// What the model learned does not change, so in a history, and for the likeness of other items,
/// - an added item counts as the built item that it is likest, while what is excluded is the added item itself;
/// - a replaced item counts as what the model learned of it, though it is found by its new vector;
/// - a built item that was taken out still counts as what the user saw; an added one that was taken out is unknown.
struct LiveCatalogue: Sendable {
    /// The built index with the changes.
    private(set) var index: LiveIndex
    /// The ids of all items, added ones behind the built ones; those of items that were taken out are kept.
    private(set) var identifiers: IdentifierTable
    /// The categories of all items; an item that was taken out keeps its own.
    private(set) var categories: CategoryIndex
    /// Titles that are not the built ones.
    private(set) var titles: [Int32: String] = [:]
    /// For each added item, in the order of their numbers, the built item that it is likest.
    private var likest: [Int32] = []

    /// What a snapshot has; a built one has no changes.
    init(of snapshot: ServingSnapshot) {
        if let live = snapshot.live {
            self = live
        } else {
            index = LiveIndex(snapshot.index)
            identifiers = snapshot.identifiers
            categories = snapshot.categories
        }
    }

    /// How many items the built catalogue has.
    var builtCount: Int { index.base.count }

    /// How many added items can be found.
    ///
    /// - Complexity: O(items that were ever added).
    var addedItems: Int { (builtCount..<index.bound).count { index.contains(Int32($0)) } }

    /// Whether an item was built into the snapshot.
    func isBuilt(_ number: Int32) -> Bool { Int(number) < builtCount }

    /// Leaves out of a history the added items that were taken out.
    func dropTakenOut(of history: inout [Int32]) {
        history.removeAll { !isBuilt($0) && !index.contains($0) }
    }

    /// Puts into a history for each added item the built one that it is likest.
    func substituteBuilt(in history: inout [Int32]) {
        for place in history.indices where !isBuilt(history[place]) {
            history[place] = likest[Int(history[place]) - builtCount]
        }
    }

    /// Applies changes to the catalogue of a snapshot, in order, and returns those that do not count there.
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
            // The item's newest change decides, so what an older one made of it ends.
            if let known { restore(known, &categories) }
            throw error
        }
    }

    /// Makes an item found at a place, and returns its number.
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
            return number
        } catch {
            preconditionFailure("a checked vector of item '\(id)': \(error)")
        }
    }

    private mutating func takeOut(_ number: Int32) {
        guard index.contains(number) else { return }
        do { try index.remove(number) } catch { preconditionFailure("an item that can be found: \(error)") }
    }

    /// Makes a built item what it was, and takes out an added one.
    private mutating func restore(_ number: Int32, _ categories: inout ChangingCategories) {
        guard isBuilt(number) else { return takeOut(number) }
        do { try index.restore(number) } catch { preconditionFailure("an item of the base: \(error)") }
        titles[number] = nil
        categories.set(nil, of: number)
    }
}
