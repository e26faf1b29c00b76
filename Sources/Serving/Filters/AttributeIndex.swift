public import CheckpointStore
import Kernels

/// The attributes of a catalogue, prepared for filters.
public struct AttributeIndex: Sendable {
    enum Values: Sendable {
        case numbers(NumberColumn)
        case texts(TextColumn)
    }

    struct Column: Sendable {
        let name: String
        let type: AttributeType
        fileprivate(set) var values: Values
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

    /// How many texts the attributes hold, including some that no item has any more.
    package var textCount: Int {
        columns.reduce(0) { sum, column in
            if case .texts(let texts) = column.values { sum + texts.names.count } else { sum }
        }
    }

    /// The attribute of a name.
    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// Gives items other values, and returns the names of the attributes that changed.
    ///
    /// Values that do not suit this catalogue's attributes are skipped.
    ///
    /// - Parameters:
    ///   - changes: The changes by item number, applied in order.
    ///   - built: The attributes of the build, with the same columns.
    /// - Returns: The names of the changed attributes.
    /// - Complexity: O(changes * columns), and O(items) for each changed column of numbers.
    mutating func apply(_ changes: [(item: Int32, change: AttributeChange)], built: AttributeIndex) -> Set<String> {
        var changed = Set<String>()
        for (place, column) in columns.enumerated() {
            var edits: [Int32: AttributeValue?] = [:]
            for (item, change) in changes {
                if change.replaces { edits[item] = .some(built.columns[place].value(of: item)) }
                guard let value = change.values[column.name], value.map({ column.type.suits($0) }) != false else {
                    continue
                }
                edits[item] = .some(value)
            }
            edits = edits.filter { item, value in column.value(of: item) != value.flatMap(column.normalised) }
            guard !edits.isEmpty else { continue }
            columns[place].values = column.setting(edits)
            changed.insert(column.name)
        }
        return changed
    }

    /// Checks new values against the types of the attributes and returns them in the form in which they are stored.
    ///
    /// - Parameters:
    ///   - values: Values by attribute; nil is no value.
    ///   - path: The path of the values, for errors.
    /// - Returns: The values that were checked.
    /// - Throws: ``ServingError/invalidAttribute(field:message:)`` with the attribute's type, or with the attributes
    ///   that there are.
    func checked(
        _ values: [String: AttributeValue?],
        at path: String
    ) throws(ServingError) -> [String: AttributeValue?] {
        var checked: [String: AttributeValue?] = [:]
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            let step = name.replacing("~", with: "~0").replacing("/", with: "~1")
            guard let column = column(name) else {
                let message = "is no attribute of this version. \(listed(also: []))"
                throw .invalidAttribute(field: "\(path)/\(step)", message: message)
            }
            guard let value else {
                checked[name] = .some(nil)
                continue
            }
            guard column.type.suits(value) else {
                let message =
                    "does not suit the attribute '\(name)' of type \(column.type.rawValue); give "
                    + "\(column.type.form), or null for no value."
                throw .invalidAttribute(field: "\(path)/\(step)", message: message)
            }
            checked[name] = .some(value)
        }
        return checked
    }

    /// The attributes of the catalogue and further ones, for a message.
    func listed(also further: [String]) -> String {
        let names = types.prefix(Self.mostListed).map { "\($0.name) (\($0.type.rawValue))" }
        let rest = types.count > names.count ? " and \(types.count - names.count) more" : ""
        let all = names + further
        return all.isEmpty
            ? "The version has no attributes." : "The attributes are \(all.joined(separator: ", "))\(rest)."
    }

    /// How many attributes a message lists.
    private static let mostListed = 20

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

extension AttributeIndex.Column {
    /// The column with other values of some items; nil is no value.
    ///
    /// - Precondition: The values suit the type.
    fileprivate func setting(_ edits: [Int32: AttributeValue?]) -> AttributeIndex.Values {
        switch values {
        case .numbers(let numbers):
            return .numbers(numbers.setting(edits.mapValues { $0.flatMap { type.number($0) } }))
        case .texts(var texts):
            for (item, value) in edits.sorted(by: { $0.key < $1.key }) {
                texts.set(value.flatMap { type.texts($0) } ?? [], of: item)
            }
            texts.dropUnused()
            return .texts(texts)
        }
    }

    /// The form in which ``value(of:)`` gives a value.
    fileprivate func normalised(_ value: AttributeValue) -> AttributeValue? {
        if let number = type.number(value) { return described(number) }
        return type.texts(value).flatMap { described($0) }
    }
}

extension AttributeType {
    /// The longest text of a value in bytes, as in an items file.
    static let longestText = 256

    /// Whether a value, as JSON shows it, is one of this type.
    func suits(_ value: AttributeValue) -> Bool { number(value) != nil || texts(value) != nil }

    /// The number that stands for a value; nil if the value is none of this type.
    fileprivate func number(_ value: AttributeValue) -> Double? {
        let number: Double
        switch (self, value) {
        case (.number, .number(let found)), (.integer, .number(let found)), (.time, .number(let found)): number = found
        case (.boolean, .boolean(let boolean)): return boolean ? 1 : 0
        case (.time, .text(let text)):
            guard let seconds = CalendarTime(Array(text.utf8)[...])?.sinceEpoch else { return nil }
            number = seconds
        default: return nil
        }
        return holds(number) ? number : nil
    }

    /// The texts of a value, each once; nil if the value is none of this type.
    fileprivate func texts(_ value: AttributeValue) -> [String]? {
        let texts: [String]
        switch (self, value) {
        case (.keyword, .text(let text)): texts = [text]
        case (.keywords, .texts(let list)): texts = list
        default: return nil
        }
        guard texts.allSatisfy({ $0.utf8.count <= Self.longestText }) else { return nil }
        // Swift's strings are equal if Unicode calls them equivalent, but these texts are compared byte by byte.
        var seen = Set<[UInt8]>()
        return texts.filter { seen.insert(Array($0.utf8)).inserted }
    }

    /// The JSON form of a value, for messages.
    fileprivate var form: String {
        switch self {
        case .number: "a number"
        case .integer: "a whole number of at most 2^53 in magnitude"
        case .boolean: "true or false"
        case .time: "a time such as \"2024-01-31T10:00:00Z\", or seconds since 1970"
        case .keyword: "a string of at most \(Self.longestText) bytes"
        case .keywords: "a list of strings of at most \(Self.longestText) bytes"
        }
    }
}
