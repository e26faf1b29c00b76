/// Which items may be answered, by the names of their categories.
///
/// As in other retrieval services, a name that no item has is no error: in ``anyOf`` it matches nothing, in ``noneOf`` it
/// excludes nothing. So a client need not know which categories a newly activated version has.
public struct CategoryFilter: Sendable, Equatable {
    /// Names of which an item must have at least one; an empty list asks for nothing.
    public var anyOf = IdentifierList()
    /// Names of which an item must have none.
    public var noneOf = IdentifierList()

    /// A filter that every item passes.
    public init() {}

    /// A filter by names.
    public init(anyOf: some Sequence<String> = [], noneOf: some Sequence<String> = []) {
        self.anyOf = IdentifierList(anyOf)
        self.noneOf = IdentifierList(noneOf)
    }

    /// Whether every item passes because nothing is asked for.
    public var isEmpty: Bool { anyOf.isEmpty && noneOf.isEmpty }

    /// Makes every item pass and keeps the storage.
    public mutating func removeAll() {
        anyOf.removeAll()
        noneOf.removeAll()
    }
}
