import CheckpointStore
public import Kernels
import VectorIndex

/// Finds the items that pass an ``ItemFilter``, and caches the sets of recent filters.
///
/// A filter's set is made once and shared by all threads; see ``FilterCache``. Sets cover every item that the snapshot
/// ever had: a search leaves out removed items itself.
public final class FilterIndex: Sendable {
    /// The key of the categories in a filter.
    static let categoriesKey = "categories"

    /// The attributes of the items.
    public let attributes: AttributeIndex
    private let categories: CategoryIndex
    private let identifiers: IdentifierTable
    private let cache: FilterCache<ItemFilter>

    /// Groups the parts of a catalogue that filters test.
    init(
        attributes: AttributeIndex,
        categories: CategoryIndex,
        identifiers: IdentifierTable,
        keeping cache: FilterCache<ItemFilter>? = nil
    ) {
        self.attributes = attributes
        self.categories = categories
        self.identifiers = identifiers
        self.cache = cache ?? FilterCache(items: identifiers.count)
    }

    /// The index after changes of items; sets that the changes cannot affect stay cached.
    ///
    /// - Parameters:
    ///   - categories: The categories after the changes.
    ///   - identifiers: The ids after the changes.
    ///   - attributes: The attributes after the changes.
    ///   - changed: The names of the attributes with changed values.
    /// - Returns: This index if nothing changed.
    func following(
        categories: CategoryIndex,
        identifiers: IdentifierTable,
        attributes: AttributeIndex,
        changed: Set<String>
    ) -> FilterIndex {
        let isSame = categories === self.categories && identifiers.count == self.identifiers.count
        guard !isSame || !changed.isEmpty else { return self }
        return FilterIndex(
            attributes: attributes,
            categories: categories,
            identifiers: identifiers,
            keeping: isSame ? cache.copy { $0.group.keys.isDisjoint(with: changed) } : nil
        )
    }

    /// Whether a filter's set is at hand.
    public func isCached(_ filter: ItemFilter) -> Bool { cache.contains(filter) }

    /// The items that pass a filter.
    ///
    /// - Parameters:
    ///   - filter: The filter.
    ///   - path: The filter's path in the request, for errors.
    /// - Returns: A set whose bound is the number of all items, removed ones included.
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)`` with a path such as `filter/must/0/key` for an
    ///   unknown attribute, or a test that does not suit its type.
    /// - Complexity: O(cached sets) for a cached filter; else O(items / 64) for each clause and more for ranges, see
    ///   ``NumberColumn``, without blocking other threads.
    public func items(passing filter: ItemFilter, at path: String = "filter") throws(RetrievalError) -> ItemSet {
        if let items = cache.items(for: filter) { return items }
        let items = try items(of: filter.group, at: path)
        cache.insert(items, for: filter)
        return items
    }

    /// The column of a key.
    ///
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)`` with the attributes that there are.
    func column(_ key: String, at path: String) throws(RetrievalError) -> AttributeIndex.Column {
        if key == Self.categoriesKey {
            return AttributeIndex.Column(name: key, type: .keywords, values: .texts(TextColumn(categories)))
        }
        guard let column = attributes.column(key) else {
            let message =
                "'\(key.prefix(64))' is no attribute of this version. \(attributes.listed(also: ["categories (keywords)"]))"
            throw .invalidArgument(field: path, message: message)
        }
        return column
    }

    // MARK: Groups

    private func items(of group: ItemFilter.Group, at path: String) throws(RetrievalError) -> ItemSet {
        var set: ItemSet?
        for (position, clause) in group.must.enumerated() {
            let items = try items(of: clause, at: "\(path)/must/\(position)")
            if set == nil { set = items } else { set?.formIntersection(items) }
        }
        var should: [ItemSet] = []
        for (position, clause) in group.should.enumerated() {
            should.append(try items(of: clause, at: "\(path)/should/\(position)"))
        }
        if let items = Self.items(inAtLeast: group.minimum, of: should) {
            if set == nil { set = items } else { set?.formIntersection(items) }
        }
        var passing = set ?? ItemSet(bound: identifiers.count, full: true)
        for (position, clause) in group.mustNot.enumerated() {
            passing.subtract(try items(of: clause, at: "\(path)/must_not/\(position)"))
        }
        return passing
    }

    /// The items in at least `minimum` of some sets; nil if that restricts nothing.
    private static func items(inAtLeast minimum: Int, of sets: [ItemSet]) -> ItemSet? {
        guard minimum > 0, let first = sets.first else { return nil }
        // `reached[n]` holds the items of at least n + 1 sets so far.
        var reached = [first]
        for set in sets.dropFirst() {
            if reached.count < minimum { reached.append(ItemSet(bound: first.bound)) }
            for level in reached.indices.dropFirst().reversed() {
                var both = reached[level - 1]
                both.formIntersection(set)
                reached[level].formUnion(both)
            }
            reached[0].formUnion(set)
        }
        return reached.count == minimum ? reached[minimum - 1] : ItemSet(bound: first.bound)
    }

    private func items(of clause: ItemFilter.Clause, at path: String) throws(RetrievalError) -> ItemSet {
        switch clause {
        case .group(let group): return try items(of: group, at: path)
        case .ids(let ids): return ItemSet(ids.compactMap(identifiers.number), bound: identifiers.count)
        case .attribute(let key, let test):
            let column = try column(key, at: path + "/key")
            let values = try ColumnTest(test, of: column, at: path)
            var set = values.items(of: column, bound: identifiers.count)
            if values.isNegated {
                let matching = set
                set = ItemSet(bound: identifiers.count, full: true)
                set.subtract(matching)
            }
            return set
        }
    }
}
