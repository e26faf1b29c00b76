/// Where a field of a row stands in the bytes of a chunk, and how it is written there.
struct RowField {
    enum Form {
        /// The bytes are the value.
        case plain
        /// The bytes between two quotes are the value.
        case quoted
        /// The bytes between two quotes hold doubled quotes.
        case doubledQuotes
        /// A JSON string with backslashes.
        case escaped
        /// A JSON list of texts, numbers and flags.
        case list
        /// A JSON object, or a list that holds one.
        case nested
        /// A JSON record without this field, or with null in it.
        case missing
    }

    var start: Int
    var end: Int
    var form = Form.plain
}

/// Finds the members of a JSON object that fills one line.
///
/// Names and texts may have all of JSON's escapes. Objects and lists inside are skipped over, so only their brackets
/// and texts are checked.
enum JSONLine {
    /// The problem of a line and the byte where it stands.
    struct Fault: Error {
        let position: Int
        let reason: String
    }

    private static let pythonAdvice =
        "single quotes are Python's and not JSON's; convert the file, for example with `python3 -c "
        + "'import ast,json,sys; [print(json.dumps(ast.literal_eval(line))) for line in sys.stdin]' < OLD > NEW`"

    /// Calls `body` with name and value of each member, in the order of the line.
    static func forEachMember(
        _ bytes: [UInt8],
        in line: Range<Int>,
        _ body: (_ name: RowField, _ value: RowField) throws(Fault) -> Void
    ) throws(Fault) {
        var index = line.lowerBound
        func skipSpaces() {
            while index < line.upperBound, " \t\r".utf8.contains(bytes[index]) { index += 1 }
        }
        func take(_ byte: Unicode.Scalar, _ reason: String) throws(Fault) {
            guard index < line.upperBound, bytes[index] == UInt8(ascii: byte) else {
                throw Fault(position: min(index, line.upperBound), reason: reason)
            }
            index += 1
        }
        func next(is byte: Unicode.Scalar) -> Bool { index < line.upperBound && bytes[index] == UInt8(ascii: byte) }

        skipSpaces()
        try take("{", "a JSON object such as {\"user\": \"u1\", \"item\": \"i1\"} was expected on this line")
        skipSpaces()
        var isFirst = true
        while !next(is: "}") {
            if !isFirst {
                try take(",", "a comma or a closing brace was expected; write one whole object a line, like `jq -c .`")
                skipSpaces()
            }
            isFirst = false
            guard next(is: "\"") else {
                let isPython = next(is: "'")
                throw Fault(
                    position: index,
                    reason: isPython
                        ? pythonAdvice
                        : "the name of a field in double quotes was expected; write one whole object a line, as `jq -c .` does"
                )
            }
            let name = try text(bytes, &index, line.upperBound)
            skipSpaces()
            try take(":", "a colon was expected after the name of a field")
            skipSpaces()
            let value = try value(bytes, &index, line.upperBound)
            try body(name, value)
            skipSpaces()
        }
        index += 1
        skipSpaces()
        guard index == line.upperBound else {
            throw Fault(position: index, reason: "text follows the object; write one object a line")
        }
    }

    /// The names of an object's members, and whether one of them is an object or a list itself.
    static func members(of object: [UInt8]) -> (names: [String], areNested: Bool) {
        var (names, areNested): ([String], Bool) = ([], false)
        try? forEachMember(object, in: object.indices) { (name, value) throws(Fault) in
            names.append(String(decoding: object[name.start..<name.end], as: UTF8.self))
            if value.form == .nested || value.form == .list { areNested = true }
        }
        return (names, areNested)
    }

    /// The first element of a list; nil for an empty one.
    static func firstElement(of list: [UInt8]) -> (bytes: [UInt8], form: RowField.Form)? {
        var index = 1
        while index < list.count, " \t\r".utf8.contains(list[index]) { index += 1 }
        guard let field = try? value(list, &index, list.count) else { return nil }
        return (Array(list[field.start..<field.end]), field.form)
    }

    /// How many objects and lists stand inside one another in an object or a list, with itself.
    static func levels(of bytes: [UInt8]) -> Int {
        var (index, open, most) = (0, 0, 0)
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                guard (try? text(bytes, &index, bytes.count)) != nil else { return most }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open += 1
                most = max(most, open)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
            default: break
            }
            index += 1
        }
        return most
    }

    private static func value(_ bytes: [UInt8], _ index: inout Int, _ end: Int) throws(Fault) -> RowField {
        guard index < end else {
            throw Fault(position: index, reason: "the line ends before the value of a field; write one object a line")
        }
        switch bytes[index] {
        case UInt8(ascii: "\""): return try text(bytes, &index, end)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return try container(bytes, &index, end)
        case UInt8(ascii: "'"): throw Fault(position: index, reason: pythonAdvice)
        default: return try word(bytes, &index, end)
        }
    }

    /// A text, without its quotes.
    private static func text(_ bytes: [UInt8], _ index: inout Int, _ end: Int) throws(Fault) -> RowField {
        let start = index + 1
        index = start
        var hasEscapes = false
        while index < end, bytes[index] != UInt8(ascii: "\"") {
            guard bytes[index] >= 0x20 else {
                throw Fault(position: index, reason: "a control character stands in a text; write it as \\u0000")
            }
            if bytes[index] == UInt8(ascii: "\\") {
                hasEscapes = true
                index += 1
            }
            index += 1
        }
        guard index < end else {
            throw Fault(position: start - 1, reason: "the text that starts here does not end on this line")
        }
        let field = RowField(start: start, end: index, form: hasEscapes ? .escaped : .quoted)
        index += 1
        guard hasEscapes else { return field }
        guard decoded(bytes[field.start..<field.end]) != nil else {
            throw Fault(position: start, reason: "the text holds a backslash that JSON does not know")
        }
        return field
    }

    /// A number, true, false or null.
    private static func word(_ bytes: [UInt8], _ index: inout Int, _ end: Int) throws(Fault) -> RowField {
        let start = index
        while index < end, !",}] \t\r".utf8.contains(bytes[index]) { index += 1 }
        let word = Array(bytes[start..<index])
        switch word {
        case Array("null".utf8): return RowField(start: start, end: start, form: .missing)
        case Array("true".utf8), Array("false".utf8): return RowField(start: start, end: index)
        default:
            let isNumber = word.last.map { 0x30...0x39 ~= $0 } ?? false
            guard isNumber, word.allSatisfy({ 0x30...0x39 ~= $0 || "+-.eE".utf8.contains($0) }) else {
                throw Fault(
                    position: start,
                    reason: "a JSON value was expected: a text in double quotes, a number, true, false or null"
                )
            }
            return RowField(start: start, end: index)
        }
    }

    /// An object or a list with its brackets.
    private static func container(_ bytes: [UInt8], _ index: inout Int, _ end: Int) throws(Fault) -> RowField {
        let start = index
        var (open, isFlat): ([UInt8], Bool) = ([], bytes[index] == UInt8(ascii: "["))
        repeat {
            guard index < end else {
                throw Fault(
                    position: start,
                    reason: "the bracket that opens here is not closed on this line; write one object a line"
                )
            }
            switch bytes[index] {
            case UInt8(ascii: "\""):
                _ = try text(bytes, &index, end)
                continue
            case UInt8(ascii: "'"): throw Fault(position: index, reason: pythonAdvice)
            case UInt8(ascii: "{"): open.append(UInt8(ascii: "}"))
            case UInt8(ascii: "["): open.append(UInt8(ascii: "]"))
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard open.popLast() == bytes[index] else {
                    throw Fault(position: index, reason: "this bracket closes another kind than was opened")
                }
            default: break
            }
            if open.count > 1 { isFlat = false }
            index += 1
        } while !open.isEmpty
        return RowField(start: start, end: index, form: isFlat ? .list : .nested)
    }

    // MARK: Values

    /// The elements of a flat list, joined by `|`; null is no element.
    static func joined(_ list: ArraySlice<UInt8>) -> [UInt8] {
        var (joined, index, isFirst): ([UInt8], Int, Bool) = ([], 1, true)
        let bytes = Array(list)
        while index < bytes.count - 1 {
            guard !", \t\r".utf8.contains(bytes[index]) else {
                index += 1
                continue
            }
            guard let field = try? value(bytes, &index, bytes.count) else { break }
            guard field.form != .missing else { continue }
            if !isFirst { joined.append(UInt8(ascii: "|")) }
            isFirst = false
            let own = bytes[field.start..<field.end]
            joined += field.form == .escaped ? decoded(own) ?? [] : Array(own)
        }
        return joined
    }

    /// The text that an escaped one stands for; nil for unknown escapes and for half of a surrogate pair.
    static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var (result, index): ([UInt8], Int) = ([], text.startIndex)
        result.reserveCapacity(text.count)
        func unit() -> UInt16? {
            guard index + 4 <= text.endIndex else { return nil }
            var unit: UInt16 = 0
            for _ in 0..<4 {
                guard let digit = Character(Unicode.Scalar(text[index])).hexDigitValue else { return nil }
                unit = unit << 4 | UInt16(digit)
                index += 1
            }
            return unit
        }
        while index < text.endIndex {
            let byte = text[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard index < text.endIndex else { return nil }
            let escape = text[index]
            index += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(escape)
            case UInt8(ascii: "b"): result.append(8)
            case UInt8(ascii: "f"): result.append(12)
            case UInt8(ascii: "n"): result.append(10)
            case UInt8(ascii: "r"): result.append(13)
            case UInt8(ascii: "t"): result.append(9)
            case UInt8(ascii: "u"):
                guard let first = unit() else { return nil }
                var code = UInt32(first)
                if UTF16.isLeadSurrogate(first) {
                    guard text[index...].starts(with: "\\u".utf8) else { return nil }
                    index += 2
                    guard let second = unit(), UTF16.isTrailSurrogate(second) else { return nil }
                    code = 0x10000 + (code - 0xD800) << 10 + UInt32(second) - 0xDC00
                }
                guard let scalar = Unicode.Scalar(code) else { return nil }
                result += Array(String(scalar).utf8)
            default: return nil
            }
        }
        return result
    }
}
