/// Reads the body of a rarer route value by value, and tells where it breaks the contract.
///
/// The text is checked whole before: a body that is not JSON is `invalid_json`, and whatever is thrown later is
/// `invalid_argument` with the pointer of the wrong place. The caller names the place that it reads.
struct BodyReader {
    private var reader: JSONReader

    /// A reader at the front of a body.
    init(_ body: [UInt8]) throws(Problem) {
        do {
            try JSONReader.validate(body)
        } catch {
            throw Self.problem(error)
        }
        reader = JSONReader(body)
    }

    /// Reads an object.
    ///
    /// - Parameters:
    ///   - pointer: Where it is.
    ///   - names: Its fields; the first `required` of them must be there.
    ///   - required: How many must be there.
    ///   - read: Reads the value of a field, whose name and pointer it gets.
    /// - Throws: A ``Problem``.
    mutating func object(
        _ pointer: String,
        fields names: [String],
        required: Int,
        _ read: (inout BodyReader, String, String) throws(Problem) -> Void
    ) throws(Problem) {
        try expect(.object, pointer)
        reader.enter()
        var missing = Set(names.prefix(required))
        var left = Set(names)
        var isFirst = true
        while let name = try key(isFirst: &isFirst) {
            let place = pointer + pointerStep(Array(name.utf8))
            guard left.remove(name) != nil else {
                let message =
                    names.contains(name)
                    ? "is given twice." : "is no field; there are \(names.joined(separator: ", "))."
                throw Problem(.invalidArgument, at: place, message)
            }
            missing.remove(name)
            try read(&self, name, place)
        }
        if let name = names.first(where: missing.contains) {
            throw Problem(.invalidArgument, at: "\(pointer)/\(name)", "is missing.")
        }
    }

    /// Reads an array.
    ///
    /// - Parameters:
    ///   - pointer: Where it is.
    ///   - read: Reads an element, whose pointer it gets.
    /// - Returns: How many elements there are.
    /// - Throws: A ``Problem``.
    @discardableResult
    mutating func array(
        _ pointer: String,
        _ read: (inout BodyReader, String) throws(Problem) -> Void
    ) throws(Problem) -> Int {
        try expect(.array, pointer)
        reader.enter()
        var isFirst = true
        var count = 0
        while try element(isFirst: &isFirst) {
            try read(&self, "\(pointer)/\(count)")
            count += 1
        }
        return count
    }

    /// Reads a string.
    mutating func string(_ pointer: String) throws(Problem) -> String {
        try expect(.string, pointer)
        var bytes: [UInt8] = []
        try read { reader throws(JSONSyntaxError) in try reader.string(appendingTo: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads an item id, a string or an integer, and says which.
    mutating func identifier(_ pointer: String) throws(Problem) -> (id: String, isInteger: Bool) {
        if try kind() == .number { return (String(try integer(pointer)), true) }
        return (try string(pointer), false)
    }

    /// Reads an integer of 64 bits.
    mutating func integer(_ pointer: String) throws(Problem) -> Int {
        try expect(.number, pointer)
        let value = try read { reader throws(JSONSyntaxError) in
            let number = try reader.number()
            return number.isInteger ? reader.integer(number.text, as: Int.self) : nil
        }
        guard let value else {
            throw Problem(.invalidArgument, at: pointer, "must be an integer of 64 bits without fraction or exponent.")
        }
        return value
    }

    /// Reads an object whose content does not matter.
    mutating func ignoredObject(_ pointer: String) throws(Problem) {
        try expect(.object, pointer)
        try read { reader throws(JSONSyntaxError) in try reader.skipValue() }
    }

    private mutating func expect(_ expected: JSONReader.Kind, _ pointer: String) throws(Problem) {
        let found = try kind()
        guard found == expected else {
            throw Problem(.invalidArgument, at: pointer, "is \(found.rawValue); \(expected.rawValue) is expected.")
        }
    }

    private mutating func kind() throws(Problem) -> JSONReader.Kind {
        try read { reader throws(JSONSyntaxError) in try reader.kind() }
    }

    private mutating func key(isFirst: inout Bool) throws(Problem) -> String? {
        var key: [UInt8] = []
        let hasNext = try read { reader throws(JSONSyntaxError) in try reader.nextKey(isFirst: &isFirst, into: &key) }
        return hasNext ? String(decoding: key, as: UTF8.self) : nil
    }

    private mutating func element(isFirst: inout Bool) throws(Problem) -> Bool {
        try read { reader throws(JSONSyntaxError) in try reader.nextElement(isFirst: &isFirst) }
    }

    private mutating func read<Value>(
        _ part: (inout JSONReader) throws(JSONSyntaxError) -> Value
    ) throws(Problem) -> Value {
        do throws(JSONSyntaxError) {
            return try part(&reader)
        } catch {
            throw Self.problem(error)
        }
    }

    private static func problem(_ error: JSONSyntaxError) -> Problem {
        Problem(.invalidJSON, at: "", "At byte \(error.offset): \(error.reason).")
    }
}
