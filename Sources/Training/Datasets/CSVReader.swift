/// A streaming reader of RFC 4180 over bytes.
///
/// Quoted fields may hold commas, doubled quotes and line breaks; lines end in LF or CRLF; a byte order mark and blank
/// lines are skipped; every row is strict UTF-8 and as wide as the header. Holds one chunk of the file, and a field
/// without doubled quotes is a view into it.
package struct CSVReader: ~Copyable {
    /// The file as the caller named it.
    package let file: String
    /// The header's names, in the file's order.
    package let header: [String]
    private var records: CSVRecords

    /// Opens a file and reads its header.
    package init(file: String) throws(CSVError) {
        var records = try CSVRecords(file: file)
        guard try records.advance() else { throw .empty(file: file) }
        self.file = file
        header = (0..<records.count).map { String(decoding: records.field($0), as: UTF8.self) }
        self.records = records
    }

    /// Where each of the named columns is.
    package func columns(_ names: [String]) throws(CSVError) -> [Int] {
        var positions: [Int] = []
        for name in names {
            let found = header.indices.filter { header[$0] == name }
            guard let position = found.first else { throw .missingColumn(name, file: file, found: header) }
            guard found.count == 1 else { throw .duplicateColumn(name, file: file) }
            positions.append(position)
        }
        return positions
    }

    /// Moves to the next row; false at the end of the file.
    package mutating func next() throws(CSVError) -> Bool {
        guard try records.advance() else { return false }
        guard records.count == header.count else {
            throw .wrongFieldCount(at: records.start, expected: header.count, found: records.count)
        }
        return true
    }

    /// A field of this row, its quoting undone.
    package func field(_ column: Int) -> ArraySlice<UInt8> { records.field(column) }

    /// A field of this row as text.
    package func text(_ column: Int) -> String { String(decoding: records.field(column), as: UTF8.self) }

    /// Where a field of this row starts, after its quote if it has one.
    package func location(_ column: Int) -> CSVError.Location { records.location(ofField: column) }

    /// A field of this row that must not be empty.
    package func id(_ column: Int) throws(CSVError) -> ArraySlice<UInt8> {
        let field = records.field(column)
        guard !field.isEmpty else { throw .emptyID(at: location(column), column: header[column]) }
        return field
    }

    /// A field of this row as a finite decimal number.
    ///
    /// Integers of up to 15 digits take a short cut; what a number may hold is digits, signs, a point and an exponent.
    package func number(_ column: Int) throws(CSVError) -> Double {
        let field = records.field(column)
        if let integer = Self.shortInteger(field) { return Double(integer) }
        let isDecimal = field.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.eE".utf8.contains(byte)
        }
        guard isDecimal, let value = Double(text(column)), value.isFinite else {
            throw .invalidNumber(at: location(column), column: header[column], text: String(text(column).prefix(40)))
        }
        return value
    }

    /// The value of an optional minus and 1 to 15 digits, which a Double holds exactly.
    private static func shortInteger(_ field: ArraySlice<UInt8>) -> Int? {
        let isNegative = field.first == UInt8(ascii: "-")
        let digits = isNegative ? field.dropFirst() : field
        guard (1...15).contains(digits.count) else { return nil }
        var value = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int(digit)
        }
        return isNegative ? -value : value
    }
}

/// The rows of a file as ranges of a sliding chunk.
private struct CSVRecords: ~Copyable {
    /// Bytes of a value inside the chunk, without the enclosing quotes.
    private struct Field {
        var start: Int
        var end: Int
        var hasDoubledQuotes = false
    }

    private enum Scan {
        case row(end: Int, lineBreaks: Int, isASCII: Bool)
        case incomplete
        case end
    }

    private static let chunk = 1 << 20
    private static let longestRow = 16 << 20
    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    private let file: String
    private let source: ByteSource
    private var bytes: [UInt8] = []
    private var isAtEnd = false
    private var fields: [Field] = []
    /// First byte and line of this row, then of the next.
    private var rowStart = 0
    private var line = 1
    private var nextStart = 0
    private var nextLine = 1

    init(file: String) throws(CSVError) {
        let source = try ByteSource(file: file)
        let bytes = try source.read(upTo: Self.chunk)
        self.file = file
        self.source = source
        self.bytes = bytes
        isAtEnd = bytes.isEmpty
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { nextStart = 3 }
    }

    var count: Int { fields.count }

    var start: CSVError.Location { location(at: rowStart) }

    func location(ofField field: Int) -> CSVError.Location { location(at: fields[field].start) }

    func field(_ index: Int) -> ArraySlice<UInt8> {
        let field = fields[index]
        guard field.hasDoubledQuotes else { return bytes[field.start..<field.end] }
        var value: [UInt8] = []
        var position = field.start
        while position < field.end {
            value.append(bytes[position])
            position += bytes[position] == Self.quote ? 2 : 1
        }
        return value[...]
    }

    /// Moves to the next row that is not a blank line.
    mutating func advance() throws(CSVError) -> Bool {
        while true {
            rowStart = nextStart
            line = nextLine
            switch try scan() {
            case .incomplete: try refill()
            case .end: return false
            case .row(let end, let lineBreaks, let isASCII):
                nextStart = end
                nextLine = line + lineBreaks
                if !isASCII { try requireUTF8(rowStart..<end) }
                let isBlank = fields.count == 1 && fields[0].start == rowStart && fields[0].end == rowStart
                if !isBlank { return true }
            }
        }
    }

    /// Drops what was read, keeps the row begun, and reads on; chunks grow with the row so that rescans stay linear.
    private mutating func refill() throws(CSVError) {
        let pending = bytes.count - nextStart
        guard pending <= Self.longestRow else { throw .rowTooLong(at: start, limit: Self.longestRow) }
        let more = try source.read(upTo: max(Self.chunk, pending))
        bytes.removeFirst(nextStart)
        (rowStart, nextStart) = (0, 0)
        bytes.append(contentsOf: more)
        isAtEnd = more.isEmpty
    }

    /// Splits the row at `rowStart` into fields.
    private mutating func scan() throws(CSVError) -> Scan {
        fields.removeAll(keepingCapacity: true)
        let chunk = bytes
        let bytes = chunk.span
        var index = rowStart
        var lineBreaks = 0
        var seen: UInt8 = 0
        while true {
            if index == bytes.count {
                guard isAtEnd else { return .incomplete }
                guard !fields.isEmpty else { return .end }
            }
            if index < bytes.count, bytes[index] == Self.quote {
                let start = index + 1
                var hasDoubledQuotes = false
                index = start
                while true {
                    guard index < bytes.count else {
                        guard isAtEnd else { return .incomplete }
                        throw .malformed(at: location(at: start - 1), reason: "the quote opened here is never closed")
                    }
                    let byte = bytes[index]
                    index += 1
                    seen |= byte
                    if byte == Self.lineFeed { lineBreaks += 1 }
                    guard byte == Self.quote else { continue }
                    if index == bytes.count, !isAtEnd { return .incomplete }
                    guard index < bytes.count, bytes[index] == Self.quote else { break }
                    hasDoubledQuotes = true
                    index += 1
                }
                fields.append(Field(start: start, end: index - 1, hasDoubledQuotes: hasDoubledQuotes))
            } else {
                let start = index
                while index < bytes.count {
                    let byte = bytes[index]
                    if byte == Self.comma || byte == Self.lineFeed || byte == Self.carriageReturn
                        || byte == Self.quote
                    {
                        break
                    }
                    seen |= byte
                    index += 1
                }
                fields.append(Field(start: start, end: index))
            }
            let isASCII = seen < 0x80
            guard index < bytes.count else {
                guard isAtEnd else { return .incomplete }
                return .row(end: index, lineBreaks: lineBreaks, isASCII: isASCII)
            }
            switch bytes[index] {
            case Self.comma:
                index += 1
            case Self.lineFeed:
                return .row(end: index + 1, lineBreaks: lineBreaks + 1, isASCII: isASCII)
            case Self.carriageReturn:
                if index + 1 == bytes.count, !isAtEnd { return .incomplete }
                guard index + 1 < bytes.count, bytes[index + 1] == Self.lineFeed else {
                    throw .malformed(
                        at: location(at: index),
                        reason: "a carriage return stands here without a line feed; end lines in LF or CRLF"
                    )
                }
                return .row(end: index + 2, lineBreaks: lineBreaks + 1, isASCII: isASCII)
            case Self.quote:
                throw .malformed(
                    at: location(at: index),
                    reason: "a quote stands inside an unquoted field; quote the whole field and double its quotes"
                )
            default:
                throw .malformed(
                    at: location(at: index),
                    reason: "text follows a closing quote; double the quotes inside a quoted field"
                )
            }
        }
    }

    private func requireUTF8(_ row: Range<Int>) throws(CSVError) {
        var parser = Unicode.UTF8.ForwardParser()
        var rest = bytes[row].makeIterator()
        var position = row.lowerBound
        while true {
            switch parser.parseScalar(from: &rest) {
            case .valid(let scalar): position += scalar.count
            case .emptyInput: return
            case .error: throw .invalidUTF8(at: location(at: position))
            }
        }
    }

    /// Counts lines and characters from the row's start.
    private func location(at position: Int) -> CSVError.Location {
        var place = CSVError.Location(file: file, line: line, column: 1)
        for byte in bytes[rowStart..<position] {
            if byte == Self.lineFeed {
                place.line += 1
                place.column = 1
            } else if byte & 0xC0 != 0x80 {
                place.column += 1
            }
        }
        return place
    }
}
