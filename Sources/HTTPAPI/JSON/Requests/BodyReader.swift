import Serving

/// Reads the body of a rarely used route value by value, and reports where it breaks the contract.
///
/// The initializer checks the whole text first: a body that is not JSON is `invalid_json`. Every later error is
/// `invalid_argument` with the pointer of the wrong place. The caller passes the pointer of the value that it reads.
struct BodyReader {
    private let body: [UInt8]
    private var reader: JSONReader

    /// A reader at the front of a body.
    init(_ body: [UInt8]) throws(Problem) {
        self.body = body
        reader = JSONReader(body)
        do { try JSONReader.validate(body) } catch { throw Problem(error, in: body) }
    }

    /// Reads an object.
    ///
    /// - Parameters:
    ///   - pointer: The pointer of the value.
    ///   - names: The allowed fields; the first `required` of them must be present.
    ///   - required: How many fields must be present.
    ///   - read: Reads the value of a field; receives the field's name and pointer.
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
                    ? "is given twice." : "is not a field; the fields are \(names.joined(separator: ", "))."
                throw Problem(.invalidArgument, at: place, message)
            }
            missing.remove(name)
            try read(&self, name, place)
        }
        if let name = names.first(where: missing.contains) {
            throw Problem(.invalidArgument, at: "\(pointer)/\(name)", "is missing.")
        }
    }

    /// Reads an object with any names.
    ///
    /// - Parameters:
    ///   - pointer: The pointer of the value.
    ///   - read: Reads the value of a member; receives its name and pointer.
    /// - Throws: A ``Problem``.
    mutating func members(
        _ pointer: String,
        _ read: (inout BodyReader, String, String) throws(Problem) -> Void
    ) throws(Problem) {
        try expect(.object, pointer)
        reader.enter()
        var isFirst = true
        while let name = try key(isFirst: &isFirst) {
            try read(&self, name, pointer + pointerStep(Array(name.utf8)))
        }
    }

    /// The kind of the next value.
    mutating func kind() throws(Problem) -> JSONReader.Kind { try read { try $0.kind() } }

    /// Reads true or false.
    mutating func boolean(_ pointer: String) throws(Problem) -> Bool {
        try read { try $0.boolean(at: pointer) }
    }

    /// Reads an array.
    ///
    /// - Parameters:
    ///   - pointer: The pointer of the value.
    ///   - read: Reads an element; receives the element's pointer.
    /// - Returns: The number of elements.
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
        try read { try $0.text(at: pointer) }
    }

    /// Reads an item id, a string or an integer, and returns which of them it is.
    mutating func identifier(_ pointer: String) throws(Problem) -> (id: String, isInteger: Bool) {
        let isNumber = try read { try $0.kind() == .number }
        return isNumber ? (String(try integer(pointer, in: .min ... .max)), true) : (try string(pointer), false)
    }

    /// Reads a whole number within a range.
    mutating func integer(_ pointer: String, in range: ClosedRange<Int>) throws(Problem) -> Int {
        try read { try $0.integer(at: pointer, in: range) }
    }

    /// Reads a number, within a range if one is given.
    mutating func double(_ pointer: String, in range: ClosedRange<Double>? = nil) throws(Problem) -> Double {
        try read { try $0.double(at: pointer, in: range) }
    }

    /// Reads the next value if it is null, and returns whether it was.
    mutating func isNull() throws(Problem) -> Bool {
        try read { try $0.isNull() }
    }

    /// Reads the field `filter` of a body into a request.
    mutating func filter(into request: inout RetrievalRequest) throws(Problem) {
        var filters = FilterReader()
        try read { try filters.read(&$0, into: &request.filter, &request.conditions) }
    }

    /// Reads the field `sources` or `fusion` of a body.
    mutating func blend(_ field: String, into sources: inout SourcesReader) throws(Problem) {
        try read { try field == "sources" ? sources.readSources(&$0) : sources.readFusion(&$0) }
    }

    /// Reads a seed, any unsigned 64-bit number.
    mutating func seed(_ pointer: String) throws(Problem) -> UInt64 {
        try read { try $0.integer(at: pointer) }
    }

    /// Reads an object and ignores its content.
    mutating func ignoredObject(_ pointer: String) throws(Problem) {
        try expect(.object, pointer)
        try read { try $0.skipValue() }
    }

    private mutating func expect(_ kind: JSONReader.Kind, _ pointer: String) throws(Problem) {
        try read { try $0.expect(kind, at: pointer) }
    }

    private mutating func key(isFirst: inout Bool) throws(Problem) -> String? {
        var key: [UInt8] = []
        let hasNext = try read { try $0.nextKey(isFirst: &isFirst, into: &key) }
        return hasNext ? String(decoding: key, as: UTF8.self) : nil
    }

    private mutating func element(isFirst: inout Bool) throws(Problem) -> Bool {
        try read { try $0.nextElement(isFirst: &isFirst) }
    }

    private mutating func read<Value>(_ part: (inout JSONReader) throws -> Value) throws(Problem) -> Value {
        do { return try part(&reader) } catch { throw Problem(error, in: body) }
    }
}
