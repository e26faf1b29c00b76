import CheckpointStore
import Kernels

/// A test of an attribute, checked against the attribute's type.
struct ColumnTest {
    private enum Accepted {
        case ranges([NumberColumn.Range])
        case texts([String])
        case all
    }

    private let accepted: Accepted
    /// Whether the items that do not match pass.
    let isNegated: Bool

    /// Checks a test.
    ///
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)`` with the path of the value that does not suit the
    ///   type.
    init(_ test: ItemFilter.Test, of column: AttributeIndex.Column, at path: String) throws(RetrievalError) {
        func values(_ list: [ItemFilter.Value], _ name: String) throws(RetrievalError) -> Accepted {
            var (texts, numbers): ([String], Set<Double>) = ([], [])
            for (position, value) in list.enumerated() {
                let place = name == "match" ? "\(path)/match" : "\(path)/\(name)/\(position)"
                if column.type.isText {
                    guard case .text(let text) = value else { throw Self.unsuitable(value, column, at: place) }
                    texts.append(text)
                } else {
                    numbers.insert(try Self.number(value, column, at: place))
                }
            }
            let ranges = numbers.sorted().map { NumberColumn.Range(lower: $0, upper: $0) }
            return column.type.isText ? .texts(texts) : .ranges(ranges)
        }
        switch test {
        case .match(let value): (accepted, isNegated) = (try values([value], "match"), false)
        case .any(let list): (accepted, isNegated) = (try values(list, "any"), false)
        case .none(let list): (accepted, isNegated) = (try values(list, "none"), true)
        case .exists(let isThere): (accepted, isNegated) = (.all, !isThere)
        case .range(let lower, let upper):
            guard !column.type.isText, column.type != .boolean else {
                let message =
                    "needs a number, an integer or a time, but the attribute '\(column.name)' is of type "
                    + "\(column.type.rawValue); use match, any or none."
                throw .invalidArgument(field: path + "/range", message: message)
            }
            var range = NumberColumn.Range()
            if let lower {
                range.holdsLower = lower.isInclusive
                let end = lower.isInclusive ? "gte" : "gt"
                range.lower = try Self.number(lower.value, column, at: "\(path)/range/\(end)")
            }
            if let upper {
                range.holdsUpper = upper.isInclusive
                let end = upper.isInclusive ? "lte" : "lt"
                range.upper = try Self.number(upper.value, column, at: "\(path)/range/\(end)")
            }
            (accepted, isNegated) = (.ranges([range]), false)
        }
    }

    /// The items that match, of a set's bound.
    func items(of column: AttributeIndex.Column, bound: Int) -> ItemSet {
        switch (column.values, accepted) {
        case (.numbers(let numbers), .ranges(let ranges)): numbers.items(in: ranges, bound: bound)
        case (.numbers(let numbers), _): numbers.items(in: [NumberColumn.Range()], bound: bound)
        case (.texts(let texts), .texts(let list)): texts.items(withAnyOf: list, bound: bound)
        case (.texts(let texts), _): texts.itemsWithTexts(bound: bound)
        }
    }

    /// The number of a value that suits an attribute of numbers.
    private static func number(
        _ value: ItemFilter.Value,
        _ column: AttributeIndex.Column,
        at path: String
    ) throws(RetrievalError) -> Double {
        switch (column.type, value) {
        case (.number, .number(let number)), (.integer, .number(let number)), (.time, .number(let number)):
            return number
        case (.boolean, .boolean(let boolean)):
            return boolean ? 1 : 0
        case (.time, .text(let text)):
            guard let seconds = CalendarTime(Array(text.utf8)[...])?.sinceEpoch else {
                let message = "'\(text.prefix(40))' is no time; write it like 2024-01-31 or 2024-01-31T10:00:00Z."
                throw .invalidArgument(field: path, message: message)
            }
            return seconds
        default:
            throw unsuitable(value, column, at: path)
        }
    }

    private static func unsuitable(
        _ value: ItemFilter.Value,
        _ column: AttributeIndex.Column,
        at path: String
    ) -> RetrievalError {
        let found =
            switch value {
            case .number: "a number"
            case .boolean: "a boolean"
            case .text: "a string"
            }
        let message =
            "is \(found), but the attribute '\(column.name)' is of type \(column.type.rawValue); give "
            + "\(column.type.expectation)."
        return .invalidArgument(field: path, message: message)
    }
}

extension AttributeType {
    /// The JSON values of the type, for messages.
    package var expectation: String {
        switch self {
        case .number, .integer: "a number"
        case .boolean: "true or false"
        case .time: "a time such as \"2024-01-31T10:00:00Z\", or seconds since 1970"
        case .keyword, .keywords: "a string"
        }
    }
}
