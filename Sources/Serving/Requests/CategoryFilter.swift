/// Which items an answer may contain, by the names of their categories.
///
/// A name that no item has is not an error, as in other retrieval services: in ``anyOf`` it matches nothing, in
/// ``noneOf`` it excludes nothing. So clients need not know the categories of a newly activated version.
public struct CategoryFilter: Sendable, Equatable {
    /// An item must have at least one of these names; an empty list accepts every item.
    public var anyOf = IdentifierList()
    /// An item must have none of these names.
    public var noneOf = IdentifierList()

    /// A filter that every item passes.
    public init() {}

    /// A filter by names.
    public init(anyOf: some Sequence<String> = [], noneOf: some Sequence<String> = []) {
        self.anyOf = IdentifierList(anyOf)
        self.noneOf = IdentifierList(noneOf)
    }

    /// Whether both lists are empty, so that every item passes.
    public var isEmpty: Bool { anyOf.isEmpty && noneOf.isEmpty }

    /// Makes every item pass and keeps the storage.
    public mutating func removeAll() {
        anyOf.removeAll()
        noneOf.removeAll()
    }
}
