public import Kernels
public import VectorIndex

/// Finds the items that pass a category filter, and caches the sets of recent filters.
///
/// Applications use few different filters, so a filter's set of items is made once and shared by all event loops.
/// See ``FilterCache``.
public final class CategoryIndex: Sendable {
    /// A filter as category numbers, the key of the cache.
    ///
    /// Filters have equal keys if they differ only in the order of names, repeated names and unknown names.
    struct Key: Equatable {
        /// Ascending; nil accepts every item, an empty list accepts none.
        var anyOf: [Int32]?
        /// Ascending.
        var noneOf: [Int32] = []
    }

    /// The categories by number.
    public let categories: ItemCategories
    /// The names by number.
    let names: IdentifierTable
    private let cache: FilterCache<Key>

    /// Indexes a catalogue's categories.
    ///
    /// - Parameters:
    ///   - names: The categories' names.
    ///   - lists: Each item's categories as positions in `names`; no lists when the catalogue has no categories.
    ///   - items: How many items there are.
    /// - Throws: ``SnapshotError/duplicateCategory(_:)``.
    public init(names: [String], lists: [[Int32]], items: Int) throws(SnapshotError) {
        do {
            self.names = try IdentifierTable(names)
        } catch {
            if case .duplicateIdentifier(let name) = error { throw .duplicateCategory(name) }
            throw error
        }
        categories = ItemCategories(lists, itemCount: items, categoryCount: names.count)
        cache = FilterCache(items: items)
    }

    /// Indexes changed categories, with an empty cache.
    init(_ changed: ChangingCategories) {
        var texts = changed.texts
        texts.dropUnused()
        names = texts.names
        categories = texts.lists
        cache = FilterCache(items: categories.itemCount)
    }

    /// The most sets that the cache holds.
    public var setLimit: Int { cache.limit }

    /// The names of an item's categories, in the item's own order.
    public func names(of item: Int32) -> [String] { categories.categories(of: item).map(names.id) }

    /// The items that pass a filter; nil when the filter lets every item pass.
    ///
    /// - Complexity: O(names + ``setLimit``) for a cached filter, else as ``ItemCategories/items(anyOf:noneOf:)``,
    ///   without blocking other threads.
    public func items(passing filter: borrowing CategoryFilter) -> ItemSet? {
        guard !filter.isEmpty else { return nil }
        let key = Key(
            anyOf: filter.anyOf.isEmpty ? nil : numbers(of: filter.anyOf),
            noneOf: numbers(of: filter.noneOf)
        )
        if key.anyOf == nil, key.noneOf.isEmpty { return nil }
        if let items = cache.items(for: key) { return items }
        let items = categories.items(anyOf: key.anyOf, noneOf: key.noneOf)
        cache.insert(items, for: key)
        return items
    }

    /// The numbers of the known names, ascending and without repetition.
    private func numbers(of names: borrowing IdentifierList) -> [Int32] {
        var numbers: [Int32] = []
        var lookup = IdentifierTable.Lookup()
        self.names.appendNumbers(of: names, from: 0, to: &numbers, &lookup)
        numbers.sort()
        var last: Int32?
        numbers.removeAll { number in
            defer { last = number }
            return number == last
        }
        return numbers
    }
}

/// A catalogue's categories while items change; it shares all unchanged parts with its original index.
struct ChangingCategories {
    fileprivate var texts: TextColumn
    /// Whether a filter's set of items may have changed.
    private(set) var isChanged = false

    /// Starts with the categories of an index.
    init(_ index: CategoryIndex) { texts = TextColumn(index) }

    /// Gives an item categories, also new ones; nil restores those of the build, which are none for an added item.
    mutating func set(_ names: [String]?, of item: Int32) {
        // Unchanged categories keep the cached sets valid.
        if names == nil, Int(item) < texts.lists.itemCount, !texts.lists.isChanged(item) { return }
        texts.set(names, of: item)
        isChanged = true
    }
}
