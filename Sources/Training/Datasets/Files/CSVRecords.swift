/// Splits a file into rows, as ranges of a sliding chunk.
struct CSVRecords: ~Copyable {
    /// Bytes of a value inside the chunk, without the enclosing quotes.
    private struct Field {
        var start: Int
        var end: Int
        var isQuoted = false
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
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    private let file: String
    private(set) var dialect: CSVDialect
    private let source: ByteSource
    private var bytes: [UInt8] = []
    private var isAtEnd = false
    private var fields: [Field] = []
    /// Whether this row is valid UTF-8; false only when the dialect falls back to ISO 8859-1.
    private(set) var isUTF8 = true
    /// First byte and line of this row, then of the next.
    private var rowStart = 0
    private var line = 1
    private var nextStart = 0
    private var nextLine = 1

    init(file: String, dialect: CSVDialect) throws(CSVError) {
        let source = try ByteSource(file: file)
        var bytes = try source.read(upTo: Self.chunk)
        var isAtEnd = bytes.isEmpty
        // A pipe may give less than a line at a time.
        while !isAtEnd, bytes.count < Self.chunk, !Self.hasLine(bytes) {
            let more = try source.read(upTo: Self.chunk)
            bytes += more
            isAtEnd = more.isEmpty
        }
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        if let format = ForeignFormat(bytes[start...]) { throw .foreignFormat(format, file: file) }
        self.file = file
        self.dialect = dialect
        self.source = source
        self.bytes = bytes
        self.isAtEnd = isAtEnd
        nextStart = start
    }

    /// Whether there is a whole line that is not blank.
    private static func hasLine(_ bytes: [UInt8]) -> Bool {
        bytes.drop { $0 == lineFeed || $0 == carriageReturn }.contains(lineFeed)
    }

    /// Recognises the delimiter from the header; call it before the first row is read.
    mutating func recogniseDelimiter(_ score: ([String]) -> Int) {
        dialect = CSVDialect.recognised(in: bytes[nextStart...], score)
    }

    var count: Int { fields.count }

    var start: CSVError.Location { location(at: rowStart) }

    func isQuoted(_ index: Int) -> Bool { fields[index].isQuoted }

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
                let invalid = isASCII ? nil : firstInvalidUTF8(in: rowStart..<end)
                isUTF8 = invalid == nil
                if let invalid, !dialect.fallsBackToLatin1 { throw .invalidUTF8(at: location(at: invalid)) }
                let isBlank = fields.count == 1 && fields[0].start == rowStart && fields[0].end == rowStart
                if !isBlank { return true }
            }
        }
    }

    /// Drops the finished rows, keeps the current one, and reads on; chunks grow with it, so rescans stay linear.
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
        let (separator, width) = (dialect.separator, dialect.separatorWidth)
        // Without quoting, a line feed takes the quote's place in the search: it ends fields anyway.
        let quote = dialect.hasQuotes ? Self.quote : Self.lineFeed
        var index = rowStart
        var lineBreaks = 0
        var seen: UInt8 = 0
        while true {
            if index == bytes.count {
                guard isAtEnd else { return .incomplete }
                guard !fields.isEmpty else { return .end }
            }
            if index < bytes.count, dialect.hasQuotes, bytes[index] == quote {
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
                fields.append(
                    Field(start: start, end: index - 1, isQuoted: true, hasDoubledQuotes: hasDoubledQuotes)
                )
            } else {
                let start = index
                while index < bytes.count {
                    let byte = bytes[index]
                    if byte == separator {
                        if width == 1 { break }
                        if index + 1 == bytes.count, !isAtEnd { return .incomplete }
                        if index + 1 < bytes.count, bytes[index + 1] == separator { break }
                    } else if byte == Self.lineFeed || byte == Self.carriageReturn || byte == quote {
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
            case separator:
                index += width
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

    private func firstInvalidUTF8(in row: Range<Int>) -> Int? {
        var parser = Unicode.UTF8.ForwardParser()
        var rest = bytes[row].makeIterator()
        var position = row.lowerBound
        while true {
            switch parser.parseScalar(from: &rest) {
            case .valid(let scalar): position += scalar.count
            case .emptyInput: return nil
            case .error: return position
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
