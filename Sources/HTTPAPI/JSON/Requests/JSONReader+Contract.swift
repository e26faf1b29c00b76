import CheckpointStore
import Serving

/// A place where valid JSON breaks the API contract.
struct ContractViolation: Error {
    /// The RFC 6901 pointer from the value that is being read.
    let pointer: String
    /// What is wrong there.
    let message: String
}

/// Reads values of one kind; another kind is a ``ContractViolation`` at `pointer`.
extension JSONReader {
    /// Checks the kind of the next value.
    mutating func expect(_ expected: Kind, at pointer: String) throws {
        let found = try kind()
        guard found == expected else {
            let message = "is \(found.rawValue); \(expected.rawValue) is expected."
            throw ContractViolation(pointer: pointer, message: message)
        }
    }

    /// Reads the next value if it is null, and returns whether it was.
    mutating func isNull() throws -> Bool {
        guard try kind() == .null else { return false }
        try null()
        return true
    }

    mutating func boolean(at pointer: String) throws -> Bool {
        try expect(.boolean, at: pointer)
        return try boolean()
    }

    /// Reads a number within a range.
    mutating func double(at pointer: String, in range: ClosedRange<Double>? = nil) throws -> Double {
        try expect(.number, at: pointer)
        let text = try number().text
        let value = double(text)
        if let range, !range.contains(value) {
            throw ContractViolation(pointer: pointer, message: range.requirement(got: excerpt(text)))
        }
        return value
    }

    mutating func text(at pointer: String) throws -> String {
        try expect(.string, at: pointer)
        var bytes: [UInt8] = []
        try string(appendingTo: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads an id: a string, or the digits of an integer.
    mutating func identifier(at pointer: String) throws -> String {
        guard try kind() == .number else { return try text(at: pointer) }
        let value: Int64 = try integer(at: pointer)
        return String(value)
    }

    /// Reads a whole number within a range.
    mutating func integer<Value: FixedWidthInteger>(
        at pointer: String,
        in range: ClosedRange<Value> = .min ... .max
    ) throws -> Value {
        try expect(.number, at: pointer)
        let number = try number()
        guard number.isInteger, let value = integer(number.text, as: Value.self), range.contains(value) else {
            throw ContractViolation(pointer: pointer, message: range.requirement(got: excerpt(number.text)))
        }
        return value
    }

    /// The beginning of a number's text, for a message.
    private func excerpt(_ text: Range<Int>) -> String { String(decoding: bytes[text].prefix(32), as: UTF8.self) }

    /// Reads a list of strings.
    mutating func names(at pointer: String, into list: inout IdentifierList) throws {
        try expect(.array, at: pointer)
        enter()
        var isFirst = true
        while try nextElement(isFirst: &isFirst) {
            let kind = try kind()
            guard kind == .string else {
                throw ContractViolation(
                    pointer: "\(pointer)/\(list.count)",
                    message: "is \(kind.rawValue); a category name (a string) is expected."
                )
            }
            try string(appendingTo: &list.bytes)
            list.endIdentifier()
        }
    }

    /// Reads a list of ids; returns whether its first id is an integer.
    mutating func identifiers(at pointer: String, into list: inout IdentifierList) throws -> Bool {
        var context = HistoryContext()
        return try entries(at: pointer, into: &list, context: &context, acceptsObjects: false)
    }

    /// Reads a history: ids, or objects with an id and its context; returns whether its first id is an integer.
    mutating func history(
        at pointer: String,
        into list: inout IdentifierList,
        context: inout HistoryContext
    ) throws -> Bool {
        try entries(at: pointer, into: &list, context: &context, acceptsObjects: true)
    }

    private mutating func entries(
        at pointer: String,
        into list: inout IdentifierList,
        context: inout HistoryContext,
        acceptsObjects: Bool
    ) throws -> Bool {
        try expect(.array, at: pointer)
        enter()
        var isFirst = true
        var startsWithInteger = false
        // A local reference saves a retain and a release for each id.
        let bytes = bytes
        while try nextElement(isFirst: &isFirst) {
            if let text = shortInteger() {
                if list.isEmpty { startsWithInteger = true }
                list.append(text, of: bytes)
                continue
            }
            switch try kind() {
            case .string:
                try string(appendingTo: &list.bytes)
            case .number:
                let number = try number()
                guard number.isInteger, integer(number.text, as: Int64.self) != nil else {
                    throw ContractViolation(
                        pointer: "\(pointer)/\(list.count)",
                        message: "is not an item id; give a string, or a 64-bit integer without fraction or exponent."
                    )
                }
                if list.isEmpty { startsWithInteger = true }
                list.append(number.text, of: bytes)
                continue
            case .object where acceptsObjects:
                let entry = try interaction(at: "\(pointer)/\(list.count)", context: &context)
                if list.isEmpty { startsWithInteger = entry.isInteger }
                list.append(entry.id)
                continue
            case let kind:
                throw ContractViolation(
                    pointer: "\(pointer)/\(list.count)",
                    message: "is \(kind.rawValue); an item id is a string or an integer."
                )
            }
            list.endIdentifier()
        }
        return startsWithInteger
    }

    /// Reads an object of some fields, each at most once.
    mutating func members(
        at pointer: String,
        of what: String,
        _ names: [String],
        _ read: (inout JSONReader, String, String) throws -> Void
    ) throws {
        try expect(.object, at: pointer)
        enter()
        var isFirst = true
        var left = names
        var key: [UInt8] = []
        while try nextKey(isFirst: &isFirst, into: &key) {
            let name = String(decoding: key, as: UTF8.self)
            let place = pointer + pointerStep(key)
            guard let position = left.firstIndex(of: name) else {
                let message =
                    names.contains(name)
                    ? "is given twice."
                    : "is not a field of \(what); the fields are \(names.joined(separator: ", "))."
                throw ContractViolation(pointer: place, message: message)
            }
            left.remove(at: position)
            key.removeAll()
            try read(&self, name, place)
        }
    }
}

extension JSONReader {
    /// Reads an entry of a history with its context.
    private mutating func interaction(
        at pointer: String,
        context: inout HistoryContext
    ) throws -> (id: String, isInteger: Bool) {
        var (id, isInteger): (String?, Bool) = (nil, false)
        var given = HistoryContext()
        try members(at: pointer, of: "an entry of a history", ["id", "at", "weight", "event"]) { reader, name, place in
            switch name {
            case "id":
                isInteger = try reader.kind() == .number
                id = try reader.identifier(at: place)
            case "at":
                given.insert(.times)
                guard try reader.kind() == .string else {
                    _ = try reader.double(at: place)
                    return
                }
                let text = try reader.text(at: place)
                guard CalendarTime(Array(text.utf8)[...]) != nil else {
                    let message = "'\(text.prefix(40))' is no time; write it like 2024-01-31T10:00:00Z."
                    throw ContractViolation(pointer: place, message: message)
                }
            case "weight":
                given.insert(.weights)
                _ = try reader.double(at: place, in: 0...1_000_000)
            default:
                given.insert(.events)
                _ = try reader.text(at: place)
            }
        }
        guard let id else { throw ContractViolation(pointer: pointer, message: "must have an 'id'.") }
        context.formUnion(given)
        return (id, isInteger)
    }
}

extension Problem {
    /// The problem for an error while reading a body.
    ///
    /// - Parameters:
    ///   - error: A ``JSONSyntaxError`` or a ``ContractViolation``.
    ///   - body: The body.
    init(_ error: any Error, in body: [UInt8]) {
        var error = error
        if error is ContractViolation {
            // A syntax error anywhere comes first: it explains the contract violation.
            do { try JSONReader.validate(body) } catch let syntaxError { error = syntaxError }
        }
        switch error {
        case let violation as ContractViolation:
            self.init(.invalidArgument, at: violation.pointer, violation.message)
        case let error as JSONSyntaxError:
            self.init(.invalidJSON, at: "", "At byte \(error.offset): \(error.reason).")
        default:
            preconditionFailure("reading a body cannot throw \(error)")
        }
    }
}
