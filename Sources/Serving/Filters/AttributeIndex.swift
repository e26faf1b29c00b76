public import CheckpointStore
import Kernels
import VectorIndex

/// An attribute whose values are texts.
struct TextColumn: Sendable {
    private let names: IdentifierTable
    private let lists: ItemCategories

    /// Indexes lists of positions in `names`.
    init(names: [String], lists: [[Int32]], items: Int) throws(SnapshotError) {
        self.names = try IdentifierTable(names)
        self.lists = ItemCategories(lists, itemCount: items, categoryCount: names.count)
    }

    /// The texts of a snapshot's categories.
    init(_ categories: CategoryIndex) {
        names = categories.names
        lists = categories.categories
    }

    /// The texts of an item.
    func texts(of item: Int32) -> [String] { lists.categories(of: item).map(names.id) }

    /// Whether an item has no text.
    func isEmpty(_ item: Int32) -> Bool { lists.categories(of: item).isEmpty }

    /// The items with at least one of some texts; unknown texts have none.
    func items(withAnyOf texts: [String], bound: Int) -> ItemSet {
        var set = lists.items(anyOf: texts.compactMap(names.number), noneOf: [])
        set.grow(to: bound)
        return set
    }

    /// The items with a text.
    func itemsWithTexts(bound: Int) -> ItemSet {
        var set = lists.classified
        set.grow(to: bound)
        return set
    }

    /// How many items of a set have each text, by number; the most frequent texts first, at most `limit`.
    func counts(in items: ItemSet, limit: Int) -> [(text: String, count: Int)] {
        var counts = [Int](repeating: 0, count: names.count)
        for item in items {
            for number in lists.categories(of: item) { counts[Int(number)] += 1 }
        }
        var best = TopK(k: min(limit, counts.count))
        for (number, count) in counts.enumerated() where count > 0 {
            best.offer(Scored(id: Int32(number), score: Float(count)))
        }
        return best.sorted().map { (names.id($0.id), counts[Int($0.id)]) }
    }
}

/// The attributes of a catalogue, prepared for filters.
public struct AttributeIndex: Sendable {
    enum Values: Sendable {
        case numbers(NumberColumn)
        case texts(TextColumn)
    }

    struct Column: Sendable {
        let name: String
        let type: AttributeType
        let values: Values
    }

    /// By name.
    private(set) var columns: [Column] = []

    /// Indexes the attributes of a catalogue.
    ///
    /// - Throws: ``SnapshotError/badAttribute(_:)``.
    /// - Complexity: O(items * log items) for each attribute of numbers.
    init(_ catalogue: Catalogue) throws(SnapshotError) {
        if let reason = catalogue.attributeContradiction { throw .badAttribute(reason) }
        for column in catalogue.attributes {
            let values: Values
            switch column.values {
            case .numbers(let numbers): values = .numbers(NumberColumn(numbers))
            case .texts(let names, let lists):
                values = .texts(try TextColumn(names: names, lists: lists, items: catalogue.count))
            }
            columns.append(Column(name: column.name, type: column.type, values: values))
        }
    }

    /// The names of the attributes with their types.
    public var types: [(name: String, type: AttributeType)] { columns.map { ($0.name, $0.type) } }

    /// The attribute of a name.
    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// The attributes of an item, without those that it does not have.
    public func values(of item: Int32) -> [(name: String, value: AttributeValue)] {
        columns.compactMap { column in column.value(of: item).map { (column.name, $0) } }
    }
}

extension AttributeIndex.Column {
    /// The value of an item, in its JSON form; nil if it has none.
    func value(of item: Int32) -> AttributeValue? {
        switch values {
        case .numbers(let numbers): numbers.value(of: item).map(described)
        case .texts(let texts): described(texts.texts(of: item))
        }
    }

    /// The JSON form of a number of this attribute.
    func described(_ number: Double) -> AttributeValue {
        switch type {
        case .boolean: .boolean(number == 1)
        case .time: .text(CalendarTime.text(seconds: number))
        case .number, .integer, .keyword, .keywords: .number(number)
        }
    }

    private func described(_ texts: [String]) -> AttributeValue? {
        guard let first = texts.first else { return nil }
        return type == .keyword ? .text(first) : .texts(texts)
    }
}
