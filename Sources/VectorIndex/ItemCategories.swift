public import Kernels

/// The categories of every item and the items of every category.
///
/// Both directions lie in flat memory: 4 bytes for every pair of an item and a category on the item's side, at most as
/// many on the category's, whose items are a list while they are few and an ``ItemSet`` from where that is smaller. A
/// million items with three categories each take 8 MB for the ends of the items' lists and at most 24 MB for the pairs.
public struct ItemCategories: Sendable {
    /// The items of one category.
    private enum Members {
        case few([Int32])
        case many(ItemSet)
    }

    /// A member of a list takes 32 bits, an item of a set one.
    private static let bitsPerListed = 32

    /// How many items there are.
    public let itemCount: Int
    /// The categories of item 0, then of item 1 and so on, each item's ascending.
    private var numbers: [Int32] = []
    /// Where each item's categories end in `numbers`; empty when no item has any.
    private var ends: [Int] = []
    private let members: [Members]

    /// Indexes lists of categories.
    ///
    /// - Parameters:
    ///   - lists: The numbers of each item's categories, each from 0 to below `categoryCount`, in any order and also
    ///     repeated; or no lists at all, when the catalogue has no categories.
    ///   - itemCount: How many items there are.
    ///   - categoryCount: How many categories there are.
    /// - Complexity: O(items + categories + pairs).
    public init(_ lists: [[Int32]], itemCount: Int, categoryCount: Int) {
        precondition(lists.isEmpty || lists.count == itemCount, "\(lists.count) lists for \(itemCount) items")
        self.itemCount = itemCount
        ends.reserveCapacity(lists.count)
        numbers.reserveCapacity(lists.reduce(0) { $0 + $1.count })
        var counts = [Int](repeating: 0, count: categoryCount)
        for list in lists {
            let start = numbers.count
            for category in list.sorted() where numbers.count == start || numbers.last != category {
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

    /// How many categories there are.
    public var categoryCount: Int { members.count }

    /// The numbers of an item's categories, ascending.
    public func categories(of item: Int32) -> ArraySlice<Int32> { numbers[range(item)] }

    /// The items that have one of some categories and none of others.
    ///
    /// - Parameters:
    ///   - anyOf: Numbers of categories of which an item must have at least one, so that of none it has none; nil asks
    ///     for nothing.
    ///   - noneOf: Numbers of categories of which an item must have none.
    /// - Returns: A set of bound ``itemCount``.
    /// - Complexity: O(items / 64) for the set and for each frequent category, and O(1) for each item of a rare one.
    public func items(anyOf: [Int32]?, noneOf: [Int32]) -> ItemSet {
        var set = ItemSet(bound: itemCount, full: anyOf == nil)
        for category in anyOf ?? [] {
            switch members[Int(category)] {
            case .few(let items): for item in items { set.insert(item) }
            case .many(let items): set.formUnion(items)
            }
        }
        for category in noneOf {
            switch members[Int(category)] {
            case .few(let items): for item in items { set.remove(item) }
            case .many(let items): set.subtract(items)
            }
        }
        return set
    }

    private func range(_ item: Int32) -> Range<Int> {
        if ends.isEmpty { return 0..<0 }
        return (item == 0 ? 0 : ends[Int(item) - 1])..<ends[Int(item)]
    }
}
