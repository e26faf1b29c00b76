public import Kernels

/// The categories of every item and the items of every category.
///
/// Both directions lie in flat memory: 4 bytes for every pair of an item and a category on the item's side, at most as
/// many on the category's, whose items are a list while they are few and an ``ItemSet`` from where that is smaller. A
/// million items with three categories each take 8 MB for the ends of the items' lists and at most 24 MB for the pairs.
///
/// A value: what a copy changes by ``set(_:of:)`` lies beside that memory, which both share.
public struct ItemCategories: Sendable {
    /// The items of one category.
    private enum Members {
        case few([Int32])
        case many(ItemSet)
    }

    /// A member of a list takes 32 bits, an item of a set one.
    private static let bitsPerListed = 32

    /// How many items there are.
    public private(set) var itemCount: Int
    /// How many categories there are.
    public private(set) var categoryCount: Int
    /// The categories of item 0, then of item 1 and so on, each item's in the order in which it lists them.
    private var numbers: [Int32] = []
    /// Where each item's categories end in `numbers`; empty when no item has any.
    private var ends: [Int] = []
    private let members: [Members]
    /// Items below it are in `ends` and `members`.
    private let builtCount: Int
    /// The categories of items that were changed or added.
    private var changed: [Int32: [Int32]] = [:]

    /// Indexes lists of categories.
    ///
    /// - Parameters:
    ///   - lists: The numbers of each item's categories, each from 0 to below `categoryCount`, the main one first, also
    ///     repeated; or no lists at all, when the catalogue has no categories.
    ///   - itemCount: How many items there are.
    ///   - categoryCount: How many categories there are.
    /// - Complexity: O(items + categories + pairs).
    public init(_ lists: [[Int32]], itemCount: Int, categoryCount: Int) {
        precondition(lists.isEmpty || lists.count == itemCount, "\(lists.count) lists for \(itemCount) items")
        self.itemCount = itemCount
        self.categoryCount = categoryCount
        builtCount = itemCount
        ends.reserveCapacity(lists.count)
        numbers.reserveCapacity(lists.reduce(0) { $0 + $1.count })
        var counts = [Int](repeating: 0, count: categoryCount)
        for list in lists {
            let start = numbers.count
            for category in list where !numbers[start...].contains(category) {
                precondition(category >= 0 && category < categoryCount, "category \(category) of \(categoryCount)")
                numbers.append(category)
                counts[Int(category)] += 1
            }
            ends.append(numbers.count)
        }
        // A counting sort by category: the items of each lie together, ascending.
        var places = [Int](repeating: 0, count: categoryCount)
        for category in counts.indices.dropFirst() { places[category] = places[category - 1] + counts[category - 1] }
        var items = [Int32](repeating: 0, count: numbers.count)
        var item: Int32 = 0
        for (position, category) in numbers.enumerated() {
            while position == ends[Int(item)] { item += 1 }
            items[places[Int(category)]] = item
            places[Int(category)] += 1
        }
        members = zip(counts, places).map { count, end in
            let ofCategory = items[(end - count)..<end]
            return count * Self.bitsPerListed > itemCount
                ? .many(ItemSet(ofCategory, bound: itemCount)) : .few(Array(ofCategory))
        }
    }

    /// The numbers of an item's categories in the order in which it lists them, each once.
    public func categories(of item: Int32) -> ArraySlice<Int32> {
        if !changed.isEmpty, let list = changed[item] { return list[...] }
        return Int(item) < builtCount ? numbers[range(item)] : []
    }

    /// Whether an item's categories are other than those it was built with.
    public func isChanged(_ item: Int32) -> Bool { changed[item] != nil }

    /// Gives an item other categories; an item or a category that is not there yet is added, with all numbers below it.
    ///
    /// - Parameters:
    ///   - list: Numbers of categories, the main one first, also repeated; nil restores what the item was built with, which for
    ///     an added one is none.
    ///   - item: The item's number.
    /// - Complexity: O(categories of the item); O(changed items) more when a copy shares them.
    public mutating func set(_ list: [Int32]?, of item: Int32) {
        precondition(item >= 0, "item \(item)")
        itemCount = max(itemCount, Int(item) + 1)
        changed[item] = list.map { list in
            precondition(list.allSatisfy { $0 >= 0 }, "categories \(list)")
            return list.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
        if let last = list?.max() { categoryCount = max(categoryCount, Int(last) + 1) }
    }

    /// The items that have one of some categories and none of others.
    ///
    /// - Parameters:
    ///   - anyOf: Numbers of categories of which an item must have at least one, so that of none it has none; nil asks
    ///     for nothing.
    ///   - noneOf: Numbers of categories of which an item must have none.
    /// - Returns: A set of bound ``itemCount``.
    /// - Complexity: O(items / 64) for the set and for each frequent category, and O(1) for each item of a rare one and for
    ///   each changed or added item.
    public func items(anyOf: [Int32]?, noneOf: [Int32]) -> ItemSet {
        var set = ItemSet(bound: builtCount, full: anyOf == nil)
        for category in anyOf ?? [] where Int(category) < members.count {
            switch members[Int(category)] {
            case .few(let items): for item in items { set.insert(item) }
            case .many(let items): set.formUnion(items)
            }
        }
        for category in noneOf where Int(category) < members.count {
            switch members[Int(category)] {
            case .few(let items): for item in items { set.remove(item) }
            case .many(let items): set.subtract(items)
            }
        }
        func passes(_ list: ArraySlice<Int32>) -> Bool {
            anyOf?.contains { list.contains($0) } != false && !noneOf.contains { list.contains($0) }
        }
        set.grow(to: itemCount)
        for (item, list) in changed {
            if passes(list[...]) { set.insert(item) } else { set.remove(item) }
        }
        for item in Int32(builtCount)..<Int32(itemCount) where passes(categories(of: item)) { set.insert(item) }
        return set
    }

    private func range(_ item: Int32) -> Range<Int> {
        if ends.isEmpty { return 0..<0 }
        return (item == 0 ? 0 : ends[Int(item) - 1])..<ends[Int(item)]
    }
}
