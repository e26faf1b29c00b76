public import Kernels

/// The categories of every item and the items of every category.
///
/// Both directions lie in flat memory. Each pair of item and category takes 4 bytes on the item's side, and at most 4
/// bytes on the category's side: a category stores its items as a list or as an ``ItemSet``, whichever is smaller. A
/// million items with three categories each take 8 MB for the ends of the items' lists and at most 24 MB for the pairs.
///
/// This is a value type. Changes by ``set(_:of:)`` are stored beside the flat memory, which copies share.
public struct ItemCategories: Sendable {
    /// The items of one category.
    private enum Members {
        case few([Int32])
        case many(ItemSet)
    }

    /// A list needs 32 bits per member; a set needs one bit per item of the catalogue.
    private static let bitsPerListed = 32

    /// The number of items.
    public private(set) var itemCount: Int
    /// The number of categories.
    public private(set) var categoryCount: Int
    /// The categories of item 0, then of item 1 and so on, in the order of each item's list.
    private var numbers: [Int32] = []
    /// The end of each item's categories in `numbers`; empty if the catalogue has no categories.
    private var ends: [Int] = []
    private let members: [Members]
    /// Built items with a category.
    private let builtClassified: ItemSet
    /// Items below this number are in `ends` and `members`.
    private let builtCount: Int
    /// The categories of changed and added items.
    private var changed: [Int32: [Int32]] = [:]

    /// Indexes lists of categories.
    ///
    /// - Parameters:
    ///   - lists: The category numbers of each item, in `0..<categoryCount`, the main category first; numbers may
    ///     repeat. Empty if the catalogue has no categories.
    ///   - itemCount: The number of items.
    ///   - categoryCount: The number of categories.
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
            for category in Self.distinct(list) {
                precondition(category >= 0 && category < categoryCount, "category \(category) of \(categoryCount)")
                numbers.append(category)
                counts[Int(category)] += 1
            }
            ends.append(numbers.count)
        }
        builtClassified = ItemSet((0..<Int32(lists.count)).lazy.filter { !lists[Int($0)].isEmpty }, bound: itemCount)
        // A counting sort by category: each category's items are consecutive and ascending.
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

    /// The numbers of a list in its order, each once.
    private static func distinct(_ list: [Int32]) -> [Int32] {
        // Most lists are short, and a file from elsewhere may have a very long one.
        guard list.count > 16 else { return list.reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }
        var seen = Set<Int32>()
        return list.filter { seen.insert($0).inserted }
    }

    /// An item's category numbers in the order of its list, each once.
    public func categories(of item: Int32) -> ArraySlice<Int32> {
        if !changed.isEmpty, let list = changed[item] { return list[...] }
        return Int(item) < builtCount ? numbers[range(item)] : []
    }

    /// Whether an item's categories were set after the build.
    public func isChanged(_ item: Int32) -> Bool { changed[item] != nil }

    /// The items whose categories were set after the build, in any order.
    public var changedItems: some Collection<Int32> { changed.keys }

    /// Sets an item's categories; new item and category numbers are added, with all numbers below them.
    ///
    /// - Parameters:
    ///   - list: Category numbers, the main category first; numbers may repeat. nil restores the categories of the
    ///     build; an added item then has none.
    ///   - item: The item's number.
    /// - Complexity: O(categories of the item), plus O(changed items) if a copy shares them.
    public mutating func set(_ list: [Int32]?, of item: Int32) {
        precondition(item >= 0, "item \(item)")
        itemCount = max(itemCount, Int(item) + 1)
        changed[item] = list.map { list in
            precondition(list.allSatisfy { $0 >= 0 }, "categories \(list)")
            return Self.distinct(list)
        }
        if let last = list?.max() { categoryCount = max(categoryCount, Int(last) + 1) }
    }

    /// The items that have at least one category of `anyOf` and no category of `noneOf`.
    ///
    /// - Parameters:
    ///   - anyOf: Category numbers. An empty list matches no item; nil matches every item.
    ///   - noneOf: Category numbers.
    /// - Returns: A set of bound ``itemCount``.
    /// - Complexity: O(items / 64) for the set and for each frequent category, plus O(1) for each item of a rare
    ///   category and for each changed or added item.
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

    /// The items with at least one category, as a set of bound ``itemCount``.
    ///
    /// - Complexity: O(items / 64 + changed items).
    public var classified: ItemSet {
        var set = builtClassified
        set.grow(to: itemCount)
        for (item, list) in changed {
            if list.isEmpty { set.remove(item) } else { set.insert(item) }
        }
        return set
    }

    private func range(_ item: Int32) -> Range<Int> {
        if ends.isEmpty { return 0..<0 }
        return (item == 0 ? 0 : ends[Int(item) - 1])..<ends[Int(item)]
    }
}
