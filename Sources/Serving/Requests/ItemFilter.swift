/// Conditions that an item must meet to be in an answer: a tree of clauses over attributes, categories and ids.
///
/// It is a value with shared storage and a stored hash, so copies and look-ups in a cache are cheap.
public struct ItemFilter: Sendable, Hashable {
    /// The bounds of a filter.
    public enum Limits {
        /// The deepest nesting of groups; the filter itself is one.
        public static let depth = 8
        /// The most clauses, groups included.
        public static let clauses = 64
        /// The most clauses of one list.
        public static let listed = 20
        /// The most values of all clauses together.
        public static let values = 4096
    }

    /// A value that a clause compares with.
    public enum Value: Sendable, Hashable {
        /// For numbers, integers and times (seconds since 1970).
        case number(Double)
        /// For booleans.
        case boolean(Bool)
        /// For keywords, and for times in ISO 8601.
        case text(String)

        /// Texts are equal if their bytes are: other spellings of a letter are other texts, as in look-ups.
        public static func == (left: Value, right: Value) -> Bool {
            switch (left, right) {
            case (.number(let left), .number(let right)): left == right
            case (.boolean(let left), .boolean(let right)): left == right
            case (.text(let left), .text(let right)): left.utf8.elementsEqual(right.utf8)
            default: false
            }
        }
    }

    /// One end of a range.
    public struct Bound: Sendable, Hashable {
        /// A number, or a time.
        public var value: Value
        /// Whether the range holds the value itself.
        public var isInclusive: Bool

        /// An end of a range.
        public init(_ value: Value, isInclusive: Bool) {
            self.value = value
            self.isInclusive = isInclusive
        }
    }

    /// A condition of an attribute's value.
    ///
    /// An item without the attribute passes only ``none(_:)`` and `exists(false)`.
    public enum Test: Sendable, Hashable {
        /// The attribute has this value; a list has it among others.
        case match(Value)
        /// The attribute has at least one of these values.
        case any([Value])
        /// The attribute has none of these values.
        case none([Value])
        /// The attribute lies between two ends, of which one may be nil.
        case range(lower: Bound?, upper: Bound?)
        /// Whether the attribute has a value.
        case exists(Bool)
    }

    /// One condition.
    public indirect enum Clause: Sendable, Hashable {
        /// An attribute, or `categories`, passes a test.
        case attribute(String, Test)
        /// The item is one of these; unknown ids match nothing.
        case ids([String])
        /// A nested group.
        case group(Group)

        /// Keys and ids are equal if their bytes are.
        public static func == (left: Clause, right: Clause) -> Bool {
            switch (left, right) {
            case (.attribute(let left, let test), .attribute(let right, let other)):
                left.utf8.elementsEqual(right.utf8) && test == other
            case (.ids(let left), .ids(let right)):
                left.count == right.count && zip(left, right).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
            case (.group(let left), .group(let right)): left == right
            default: false
            }
        }
    }

    /// Clauses that are combined; a group without clauses passes every item.
    public struct Group: Sendable, Hashable {
        /// All of these hold.
        public var must: [Clause]
        /// At least ``minimum`` of these hold, unless there are none.
        public var should: [Clause]
        /// How many of ``should`` hold at least, from 0 to their number.
        public var minimum: Int
        /// None of these holds.
        public var mustNot: [Clause]

        /// Combines clauses.
        public init(must: [Clause] = [], should: [Clause] = [], minimum: Int = 1, mustNot: [Clause] = []) {
            self.must = must
            self.should = should
            self.minimum = minimum
            self.mustNot = mustNot
        }
    }

    private final class Storage: Sendable {
        let group: Group
        let hash: Int

        init(_ group: Group) {
            self.group = group
            hash = group.hashValue
        }
    }

    private let storage: Storage
    /// How many sets of items its evaluation combines: values, bounds and groups.
    public let weight: Int

    /// A filter of a group of clauses.
    public init(_ group: Group) {
        storage = Storage(group)
        weight = group.weight
    }

    /// The clauses.
    public var group: Group { storage.group }

    /// Filters are equal if their clauses are equal in the same order.
    public static func == (left: ItemFilter, right: ItemFilter) -> Bool {
        left.storage === right.storage
            || left.storage.hash == right.storage.hash && left.storage.group == right.storage.group
    }

    /// Feeds the stored hash.
    public func hash(into hasher: inout Hasher) { hasher.combine(storage.hash) }
}

extension ItemFilter.Group {
    /// The attributes that its clauses test, nested ones included.
    var keys: Set<String> {
        [must, should, mustNot].joined().reduce(into: []) { keys, clause in
            switch clause {
            case .attribute(let key, _): keys.insert(key)
            case .group(let group): keys.formUnion(group.keys)
            case .ids: break
            }
        }
    }

    fileprivate var weight: Int {
        let own = [must, should, mustNot].joined().reduce(1) { sum, clause in
            switch clause {
            case .attribute(_, .any(let values)), .attribute(_, .none(let values)): sum + values.count
            case .attribute(_, .range): sum + 2
            case .attribute: sum + 1
            // Looking up some ids costs about as much as combining two sets.
            case .ids(let ids): sum + 1 + ids.count / 16
            case .group(let group): sum + group.weight
            }
        }
        // Counting how many of some clauses hold needs a set for each count.
        return own + (minimum > 1 ? minimum * should.count : 0)
    }
}

extension CategoryFilter {
    /// The same restriction as clauses that must and must not hold.
    package var clauses: (must: [ItemFilter.Clause], mustNot: [ItemFilter.Clause]) {
        func clause(_ names: borrowing IdentifierList) -> [ItemFilter.Clause] {
            names.isEmpty ? [] : [.attribute(FilterIndex.categoriesKey, .any(names.strings.map { .text($0) }))]
        }
        return (clause(anyOf), clause(noneOf))
    }
}

extension ItemFilter {
    /// This filter with a restriction of categories.
    package func joined(with categories: borrowing CategoryFilter) -> ItemFilter {
        let clauses = categories.clauses
        return ItemFilter(Group(must: [.group(group)] + clauses.must, mustNot: clauses.mustNot))
    }
}
