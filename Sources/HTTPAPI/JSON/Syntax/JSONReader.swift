/// Where and why a text is not JSON.
package struct JSONSyntaxError: Error, Equatable {
    /// The byte offset of the first byte that is not valid JSON.
    package let offset: Int
    /// What is wrong there.
    package let reason: String
}

/// Reads JSON text token by token, strictly by RFC 8259, without building a tree.
///
/// Accepts exactly the RFC's grammar over valid UTF-8. The RFC leaves some cases to implementations; the reader
/// refuses those that would hide a mistake: a byte order mark, lone surrogates, numbers outside the range of a Double
/// or longer than 1024 bytes, nesting deeper than ``maximumDepth``. Each method skips leading white space. The caller
/// checks ``kind()`` and then calls the matching method. Nothing recurses, so no input exhausts the stack.
package struct JSONReader {
    /// The kind of the next value.
    package enum Kind: String {
        case object = "an object"
        case array = "an array"
        case string = "a string"
        case number = "a number"
        case boolean = "a boolean"
        case null
    }

    /// The deepest nesting that ``skipValue()`` accepts.
    package static let maximumDepth = 64
    private static let maximumNumberLength = 1024

    let bytes: [UInt8]
    /// The offset of the next byte.
    var position = 0

    /// Starts at the beginning of a text.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The kind of the next value.
    package mutating func kind() throws(JSONSyntaxError) -> Kind {
        skipWhitespace()
        guard position < bytes.count else { throw error("the text ends where a value is expected") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case 0xef where position == 0: throw error("the text starts with a byte order mark")
        default: throw error("a value is expected")
        }
    }

    /// Enters an object or array, after ``kind()``.
    package mutating func enter() {
        position += 1
    }

    /// Moves to the next element of an array, or leaves it.
    ///
    /// - Parameter isFirst: True before the first element; the method sets it to false.
    /// - Returns: Whether there is another one.
    /// - Throws: ``JSONSyntaxError``.
    package mutating func nextElement(isFirst: inout Bool) throws(JSONSyntaxError) -> Bool {
        try next(isFirst: &isFirst, closing: UInt8(ascii: "]"))
    }

    /// Moves to the next member of an object and reads its key, or leaves the object.
    ///
    /// - Parameters:
    ///   - isFirst: True before the first member; the method sets it to false.
    ///   - key: Receives the key's bytes, appended.
    /// - Returns: Whether there is another one.
    /// - Throws: ``JSONSyntaxError``.
    package mutating func nextKey(isFirst: inout Bool, into key: inout [UInt8]) throws(JSONSyntaxError) -> Bool {
        guard try next(isFirst: &isFirst, closing: UInt8(ascii: "}")) else { return false }
        skipWhitespace()
        guard peek() == UInt8(ascii: "\"") else { throw error("a key in double quotes is expected") }
        try string(appendingTo: &key)
        skipWhitespace()
        guard peek() == UInt8(ascii: ":") else { throw error("a colon is expected after a key") }
        position += 1
        return true
    }

    /// Reads `true` or `false`.
    package mutating func boolean() throws(JSONSyntaxError) -> Bool {
        let value = peek() == UInt8(ascii: "t")
        try literal(value ? "true" : "false")
        return value
    }

    /// Reads `null`.
    package mutating func null() throws(JSONSyntaxError) {
        try literal("null")
    }

    /// Reads a number; returns the range of its text, and whether it has neither fraction nor exponent.
    package mutating func number() throws(JSONSyntaxError) -> (text: Range<Int>, isInteger: Bool) {
        let start = position
        var isInteger = true
        if peek() == UInt8(ascii: "-") { position += 1 }
        if peek() == UInt8(ascii: "0") {
            position += 1
            if let byte = peek(), isDigit(byte) { throw error("a number must not start with a zero") }
        } else {
            try digits()
        }
        if peek() == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try digits()
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        let text = start..<position
        guard text.count <= Self.maximumNumberLength else {
            throw JSONSyntaxError(offset: start, reason: "a number is longer than \(Self.maximumNumberLength) bytes")
        }
        // A shorter number without an exponent cannot exceed the range of a Double.
        if !isInteger || text.count > 300, !double(text).isFinite {
            throw JSONSyntaxError(offset: start, reason: "a number is outside the range of a Double")
        }
        return (text, isInteger)
    }

    /// Reads an integer of at most 18 digits, the usual id, and returns the range of its text.
    ///
    /// - Returns: Nil if the next value is anything else; then the position does not move.
    mutating func shortInteger() -> Range<Int>? {
        var end = position
        if end < bytes.count, bytes[end] == UInt8(ascii: "-") { end += 1 }
        let first = end
        while end < bytes.count, isDigit(bytes[end]) { end += 1 }
        guard 1...18 ~= end - first, bytes[first] != UInt8(ascii: "0") || end - first == 1, end < bytes.count,
            bytes[end] != UInt8(ascii: "."), bytes[end] | 0x20 != UInt8(ascii: "e")
        else { return nil }
        defer { position = end }
        return position..<end
    }

    /// The value of a number in a range that was read.
    package func double(_ text: Range<Int>) -> Double {
        Double(String(decoding: bytes[text], as: UTF8.self)) ?? .nan
    }

    /// The value of an integer in a range that was read; nil if it does not fit the type.
    package func integer<Value: FixedWidthInteger>(_ text: Range<Int>, as type: Value.Type) -> Value? {
        let isNegative = bytes[text.lowerBound] == UInt8(ascii: "-")
        var value: Value = 0
        for index in (text.lowerBound + (isNegative ? 1 : 0))..<text.upperBound {
            let digit = Value(bytes[index] - UInt8(ascii: "0"))
            let (product, productOverflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) =
                isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            guard !productOverflow, !sumOverflow else { return nil }
            value = sum
        }
        return value
    }

    /// Checks that only white space follows the outermost value.
    package mutating func end() throws(JSONSyntaxError) {
        skipWhitespace()
        guard position == bytes.count else { throw error("there is text after the outermost value") }
    }

    /// Skips one value of any kind.
    package mutating func skipValue() throws(JSONSyntaxError) {
        var isObject: [Bool] = []
        var isFirst = false
        var ignored: [UInt8] = []
        repeat {
            if let inObject = isObject.last {
                ignored.removeAll(keepingCapacity: true)
                let hasNext =
                    inObject
                    ? try nextKey(isFirst: &isFirst, into: &ignored)
                    : try nextElement(isFirst: &isFirst)
                guard hasNext else {
                    isObject.removeLast()
                    isFirst = false
                    continue
                }
            }
            let kind = try kind()
            switch kind {
            case .object, .array:
                guard isObject.count < Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth)") }
                isObject.append(kind == .object)
                isFirst = true
                enter()
            case .string:
                ignored.removeAll(keepingCapacity: true)
                try string(appendingTo: &ignored)
            case .number: _ = try number()
            case .boolean: _ = try boolean()
            case .null: try null()
            }
        } while !isObject.isEmpty
    }

    /// Checks that a text is one JSON value.
    package static func validate(_ bytes: [UInt8]) throws(JSONSyntaxError) {
        var reader = JSONReader(bytes)
        try reader.skipValue()
        try reader.end()
    }

    private mutating func next(isFirst: inout Bool, closing: UInt8) throws(JSONSyntaxError) -> Bool {
        skipWhitespace()
        let byte = peek()
        if byte == closing {
            position += 1
            return false
        }
        if isFirst {
            isFirst = false
            return true
        }
        guard byte == UInt8(ascii: ",") else {
            throw error("a comma or '\(Character(UnicodeScalar(closing)))' is expected")
        }
        position += 1
        skipWhitespace()
        guard peek() != closing else { throw error("a comma stands before the end") }
        return true
    }

    private mutating func literal(_ word: String) throws(JSONSyntaxError) {
        let end = position + word.utf8.count
        guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8) else {
            throw error("a value is expected")
        }
        position = end
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while let byte = peek(), isDigit(byte) { position += 1 }
        guard position > start else { throw error("a digit is expected") }
    }

    private mutating func skipWhitespace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    /// The next byte, or nil at the end.
    func peek() -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    /// An error at the current position.
    func error(_ reason: String) -> JSONSyntaxError {
        JSONSyntaxError(offset: position, reason: reason)
    }
}
