/// The type of an attribute of the items.
public enum AttributeType: String, Codable, Sendable, CaseIterable {
    /// A finite number.
    case number
    /// A whole number of at most 2^53 in magnitude, which a Double holds exactly.
    case integer
    /// True or false.
    case boolean
    /// A point in time, in seconds since 1970 in UTC, from year 1 to year 9999.
    case time
    /// One text, compared exactly.
    case keyword
    /// A list of texts.
    case keywords

    /// Whether the values are texts; otherwise they are numbers, with 0 and 1 for a boolean.
    public var isText: Bool { self == .keyword || self == .keywords }

    /// Whether a number is a value of this type.
    package func holds(_ number: Double) -> Bool {
        switch self {
        case .number: number.isFinite
        case .integer: number.magnitude <= 0x1p53 && number.rounded() == number
        case .boolean: number == 0 || number == 1
        case .time: CalendarTime.range.contains(number)
        case .keyword, .keywords: false
        }
    }
}

/// The value of an attribute of one item, as JSON shows it.
public enum AttributeValue: Sendable, Hashable {
    /// A number or an integer.
    case number(Double)
    /// True or false.
    case boolean(Bool)
    /// A keyword, or a time in ISO 8601.
    case text(String)
    /// Keywords.
    case texts([String])

    /// Whether two values are the same, texts byte by byte: spellings that Unicode calls equivalent are not.
    public static func == (a: AttributeValue, b: AttributeValue) -> Bool {
        switch (a, b) {
        case (.number(let a), .number(let b)): a == b
        case (.boolean(let a), .boolean(let b)): a == b
        case (.text(let a), .text(let b)): a.utf8.elementsEqual(b.utf8)
        case (.texts(let a), .texts(let b)): a.elementsEqual(b) { $0.utf8.elementsEqual($1.utf8) }
        default: false
        }
    }
}

/// An attribute with its values for all items of a catalogue.
public struct AttributeColumn: Sendable, Equatable {
    /// The values by item number.
    public enum Values: Sendable {
        /// Numbers; NaN where an item has no value.
        case numbers([Double])
        /// Distinct texts, and per item the positions of its own texts; an empty list where an item has no value.
        case texts(names: [String], lists: [[Int32]])
    }

    /// The name, unique in a catalogue.
    public let name: String
    /// The type.
    public let type: AttributeType
    /// The values by item number.
    public let values: Values

    /// Groups the parts of an attribute.
    ///
    /// - Precondition: The values are texts exactly if the type's values are.
    public init(name: String, type: AttributeType, values: Values) {
        if case .texts = values {
            precondition(type.isText, "texts for the attribute '\(name)' of type \(type)")
        } else {
            precondition(!type.isText, "numbers for the attribute '\(name)' of type \(type)")
        }
        self.name = name
        self.type = type
        self.values = values
    }

    /// How many items the column covers.
    public var count: Int {
        switch values {
        case .numbers(let numbers): numbers.count
        case .texts(_, let lists): lists.count
        }
    }

    /// Why the column cannot belong to a catalogue, or nil.
    ///
    /// - Complexity: O(items).
    package func contradiction(items: Int) -> String? {
        guard count == items else { return "attribute '\(name)' has \(count) values for \(items) items" }
        switch values {
        case .numbers(let numbers):
            if let item = numbers.firstIndex(where: { !$0.isNaN && !type.holds($0) }) {
                return "attribute '\(name)' of item \(item) is \(numbers[item]), which is no \(type.rawValue)"
            }
        case .texts(let names, let lists):
            guard Set(names.map { Array($0.utf8) }).count == names.count else {
                return "attribute '\(name)' lists a text twice"
            }
            for (item, list) in lists.enumerated() {
                if let position = list.first(where: { !names.indices.contains(Int($0)) }) {
                    return "attribute '\(name)' of item \(item) is text \(position) of \(names.count)"
                }
                guard type == .keywords || list.count <= 1 else {
                    return "attribute '\(name)' of item \(item) has \(list.count) values"
                }
            }
        }
        return nil
    }

    /// Columns are equal if all values are; a missing value equals a missing value.
    public static func == (left: AttributeColumn, right: AttributeColumn) -> Bool {
        guard left.name == right.name, left.type == right.type else { return false }
        switch (left.values, right.values) {
        case (.numbers(let left), .numbers(let right)):
            return left.elementsEqual(right) { $0 == $1 || $0.isNaN && $1.isNaN }
        case (.texts(let leftNames, let leftLists), .texts(let rightNames, let rightLists)):
            return leftNames == rightNames && leftLists == rightLists
        default: return false
        }
    }
}
