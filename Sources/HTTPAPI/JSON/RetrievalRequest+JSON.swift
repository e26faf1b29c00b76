package import Serving

/// Reads the body of `POST /retrieve`.
///
/// A body that is not JSON is `invalid_json`; a JSON body that breaks the contract is `invalid_argument` with a pointer.
package struct RetrievalRequestReader {
    private enum Field: Int {
        case history
        case exclude
        case excludeHistory
        case filter
        case model
        case k
        case seed
        case steps
        case samples
        case diversity
        case exact
        case ef
        case explain
    }

    /// JSON that is not a request.
    private struct ContractViolation: Error {
        let pointer: String
        let message: String
    }

    private var key: [UInt8] = []

    /// A reader that can be used again and again.
    package init() {}

    /// Reads a body.
    ///
    /// - Parameters:
    ///   - body: The bytes.
    ///   - request: Reset and filled.
    /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`.
    package mutating func read(_ body: [UInt8], into request: inout RetrievalRequest) throws(Problem) {
        do {
            try readObject(body, into: &request)
        } catch {
            throw Self.problem(error, in: body)
        }
    }

    private static func problem(_ error: any Error, in body: [UInt8]) -> Problem {
        var error = error
        if error is ContractViolation {
            // Rather the error that explains the other one: a broken text breaks the contract by accident.
            do { try JSONReader.validate(body) } catch let syntaxError { error = syntaxError }
        }
        switch error {
        case let violation as ContractViolation:
            return Problem(.invalidArgument, at: violation.pointer, violation.message)
        case let error as JSONSyntaxError:
            return Problem(.invalidJSON, at: "", "At byte \(error.offset): \(error.reason).")
        default:
            preconditionFailure("reading a body throws no \(error)")
        }
    }

    private mutating func readObject(
        _ body: [UInt8],
        into request: inout RetrievalRequest
    ) throws {
        var reader = JSONReader(body)
        var seen: UInt32 = 0
        var isFirst = true
        request.reset()
        try expect(.object, &reader, "")
        reader.enter()
        while true {
            key.removeAll(keepingCapacity: true)
            guard try reader.nextKey(isFirst: &isFirst, into: &key) else { break }
            guard let field = field(key) else {
                throw ContractViolation(pointer: pointerStep(key), message: "is not a field of this request.")
            }
            let bit: UInt32 = 1 << UInt32(field.rawValue)
            guard seen & bit == 0 else {
                throw ContractViolation(pointer: pointerStep(key), message: "is given twice.")
            }
            seen |= bit
            try read(field, &reader, into: &request)
        }
        try reader.end()
        guard seen & 1 << UInt32(Field.history.rawValue) != 0 else {
            throw ContractViolation(pointer: "/history", message: "is missing; give a list of ids, which may be empty.")
        }
    }

    /// The field of a key.
    ///
    /// Every name has at most 15 bytes, so its String needs no allocation.
    private func field(_ key: [UInt8]) -> Field? {
        guard key.count <= 15 else { return nil }
        switch String(decoding: key, as: UTF8.self) {
        case "history": return .history
        case "k": return .k
        case "exclude": return .exclude
        case "exclude_history": return .excludeHistory
        case "filter": return .filter
        case "model": return .model
        case "seed": return .seed
        case "steps": return .steps
        case "samples": return .samples
        case "diversity": return .diversity
        case "exact": return .exact
        case "ef": return .ef
        case "explain": return .explain
        default: return nil
        }
    }

    private mutating func read(
        _ field: Field,
        _ reader: inout JSONReader,
        into request: inout RetrievalRequest
    ) throws {
        switch field {
        case .history:
            request.answersIntegers = try identifiers(&reader, "/history", into: &request.history)
        case .exclude:
            _ = try identifiers(&reader, "/exclude", into: &request.exclude)
        case .excludeHistory: request.excludeHistory = try boolean(&reader, "/exclude_history")
        case .exact: request.exact = try boolean(&reader, "/exact")
        case .explain: request.explain = try boolean(&reader, "/explain")
        case .k: request.k = try integer(&reader, "/k")
        case .seed: request.seed = try isNull(&reader) ? nil : integer(&reader, "/seed")
        case .steps: request.steps = try isNull(&reader) ? nil : integer(&reader, "/steps")
        case .ef: request.effort = try isNull(&reader) ? nil : integer(&reader, "/ef")
        case .model: request.model = try isNull(&reader) ? nil : text(&reader, "/model")
        case .filter:
            if try !isNull(&reader) { try filter(&reader, into: &request.filter) }
        case .samples:
            let samples: Int = try integer(&reader, "/samples")
            guard samples == 1 else {
                let message = "is not supported by this build yet; leave it out or give 1."
                throw ContractViolation(pointer: "/samples", message: message)
            }
        case .diversity:
            try expect(.number, &reader, "/diversity")
            request.diversity = reader.double(try reader.number().text)
        }
    }

    /// Reads `{"any_of":[...],"none_of":[...]}`, each list at most once.
    private mutating func filter(_ reader: inout JSONReader, into filter: inout CategoryFilter) throws {
        try expect(.object, &reader, "/filter")
        reader.enter()
        var (isFirst, hasAnyOf, hasNoneOf) = (true, false, false)
        while true {
            key.removeAll(keepingCapacity: true)
            guard try reader.nextKey(isFirst: &isFirst, into: &key) else { return }
            let pointer = "/filter" + pointerStep(key)
            switch pointer {
            case "/filter/any_of" where !hasAnyOf:
                hasAnyOf = true
                try names(&reader, pointer, into: &filter.anyOf)
            case "/filter/none_of" where !hasNoneOf:
                hasNoneOf = true
                try names(&reader, pointer, into: &filter.noneOf)
            case "/filter/any_of", "/filter/none_of":
                throw ContractViolation(pointer: pointer, message: "is given twice.")
            default:
                let message = "is not a field of a filter, which has any_of and none_of."
                throw ContractViolation(pointer: pointer, message: message)
            }
        }
    }

    /// Reads a list of strings.
    private func names(_ reader: inout JSONReader, _ pointer: String, into list: inout IdentifierList) throws {
        try expect(.array, &reader, pointer)
        reader.enter()
        var isFirst = true
        while try reader.nextElement(isFirst: &isFirst) {
            let kind = try reader.kind()
            guard kind == .string else {
                throw ContractViolation(
                    pointer: "\(pointer)/\(list.count)",
                    message: "is \(kind.rawValue); the name of a category, a string, is expected."
                )
            }
            try reader.string(appendingTo: &list.bytes)
            list.endIdentifier()
        }
    }

    /// Reads a list of ids; returns whether its first id is an integer.
    private func identifiers(
        _ reader: inout JSONReader,
        _ pointer: String,
        into list: inout IdentifierList
    ) throws -> Bool {
        try expect(.array, &reader, pointer)
        reader.enter()
        var isFirst = true
        var startsWithInteger = false
        while try reader.nextElement(isFirst: &isFirst) {
            switch try reader.kind() {
            case .string:
                try reader.string(appendingTo: &list.bytes)
            case .number:
                let number = try reader.number()
                guard number.isInteger, reader.integer(number.text, as: Int64.self) != nil else {
                    throw ContractViolation(
                        pointer: "\(pointer)/\(list.count)",
                        message: "is no item id: an id is a string or a 64-bit integer without fraction or exponent."
                    )
                }
                if list.isEmpty { startsWithInteger = true }
                reader.append(number.text, to: &list.bytes)
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

    private func boolean(_ reader: inout JSONReader, _ pointer: String) throws -> Bool {
        try expect(.boolean, &reader, pointer)
        return try reader.boolean()
    }

    private func text(_ reader: inout JSONReader, _ pointer: String) throws -> String {
        try expect(.string, &reader, pointer)
        var bytes: [UInt8] = []
        try reader.string(appendingTo: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func integer<Value: FixedWidthInteger>(
        _ reader: inout JSONReader,
        _ pointer: String
    ) throws -> Value {
        try expect(.number, &reader, pointer)
        let number = try reader.number()
        guard number.isInteger, let value = reader.integer(number.text, as: Value.self) else {
            throw ContractViolation(
                pointer: pointer,
                message: "must be an integer of \(Value.min) to \(Value.max), written without fraction or exponent."
            )
        }
        return value
    }

    /// Whether the next value is null, which is then read.
    private func isNull(_ reader: inout JSONReader) throws -> Bool {
        guard try reader.kind() == .null else { return false }
        try reader.null()
        return true
    }

    private func expect(
        _ expected: JSONReader.Kind,
        _ reader: inout JSONReader,
        _ pointer: String
    ) throws {
        let found = try reader.kind()
        guard found == expected else {
            let message = "is \(found.rawValue); \(expected.rawValue) is expected."
            throw ContractViolation(pointer: pointer, message: message)
        }
    }
}
