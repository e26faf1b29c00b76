/// Splits a file into rows, as ranges of a sliding chunk.
struct CSVRecords: ~Copyable {
    private enum Scan {
        case row(end: Int, lineBreaks: Int, isASCII: Bool, isBlank: Bool)
        case incomplete
        case end
    }

    private static let chunk = 1 << 20
    private static let longestRow = 16 << 20
    private static let quote = UInt8(ascii: "\"")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    let file: String
    private(set) var dialect: CSVDialect
    /// Whether the rows are JSON records instead of separated values.
    private let hasRecords: Bool
    /// The names of the fields of JSON records.
    private var memberNames: [[UInt8]] = []
    /// The place of each of these names.
    private var memberPlaces: [ArraySlice<UInt8>: Int] = [:]
    private let source: ByteSource
    private var bytes: [UInt8] = []
    private var isAtEnd = false
    private var fields: [RowField] = []
    /// Whether this row is valid UTF-8; false only when the dialect falls back to ISO 8859-1.
    private(set) var isUTF8 = true
    /// First byte and line of this row, then of the next.
    private var rowStart = 0
    private var line = 1
    private var nextStart = 0
    private var nextLine = 1

    /// Opens a source of rows.
    ///
    /// - Parameters:
    ///   - source: The bytes.
    ///   - dialect: The format of separated values.
    ///   - acceptsRecords: Whether the rows may be JSON records, one a line, which the first byte tells.
    /// - Throws: `CSVError` when the bytes cannot be read, or are of another format.
    init(_ source: ByteSource, dialect: CSVDialect, acceptsRecords: Bool) throws(CSVError) {
        var bytes = try source.read(upTo: Self.chunk)
        var isAtEnd = bytes.isEmpty
        // A pipe may give less than a line at a time.
        while !isAtEnd, bytes.count < Self.chunk, !Self.hasLine(bytes) {
            let more = try source.read(upTo: Self.chunk)
            bytes += more
            isAtEnd = more.isEmpty
        }
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        let first = bytes[start...].first { !" \t\r\n".utf8.contains($0) }
        let hasRecords = acceptsRecords && first == UInt8(ascii: "{")
        if !hasRecords, let format = ForeignFormat(bytes[start...]) {
            throw .foreignFormat(format, file: source.name)
        }
        // The names come from the first chunk, so it must be the same however the bytes arrive.
        while hasRecords, !isAtEnd, bytes.count < Self.chunk || !Self.hasLine(bytes) {
            guard bytes.count <= Self.longestRow else {
                let place = CSVError.Location(file: source.name, line: 1, column: 1)
                throw .rowTooLong(at: place, limit: Self.longestRow)
            }
            let more = try source.read(upTo: Self.chunk)
            bytes += more
            isAtEnd = more.isEmpty
        }
        file = source.name
        self.dialect = hasRecords ? .records : dialect
        self.source = source
        self.bytes = bytes
        self.isAtEnd = isAtEnd
        self.hasRecords = hasRecords
        nextStart = start
    }

    /// Reads the names of the columns: the first row, or the fields of the first JSON records; nil for an empty file.
    mutating func readHeader() throws(CSVError) -> [String]? {
        if hasRecords {
            let names = try recordNames()
            memberNames = names.map { Array($0.utf8) }
            memberPlaces = Dictionary(uniqueKeysWithValues: zip(memberNames.lazy.map { $0[...] }, names.indices))
            return names
        }
        guard try advance() else { return nil }
        return (0..<count).map { String(decoding: field($0), as: UTF8.self) }
    }

    /// Whether there is a whole line that is not blank.
    private static func hasLine(_ bytes: [UInt8]) -> Bool {
        bytes.drop { $0 == lineFeed || $0 == carriageReturn }.contains(lineFeed)
    }

    /// Recognises the delimiter from the header; call it before the first row is read.
    mutating func recogniseDelimiter(_ score: ([String]) -> Int) {
        guard !hasRecords else { return }
        dialect = CSVDialect.recognised(in: bytes[nextStart...], score)
    }

    var count: Int { fields.count }

    var start: CSVError.Location { location(at: rowStart) }

    /// Whether spaces around a field belong to it.
    func isQuoted(_ index: Int) -> Bool {
        switch fields[index].form {
        case .quoted, .doubledQuotes, .escaped: true
        case .plain, .list, .nested, .missing: false
        }
    }

    /// Whether a field is a JSON object, or a list of more than texts, numbers and flags.
    func isNested(_ index: Int) -> Bool { fields[index].form == .nested }

    /// Whether a field is a JSON list of texts, numbers and flags.
    func isList(_ index: Int) -> Bool { fields[index].form == .list }

    func location(ofField field: Int) -> CSVError.Location { location(at: fields[field].start) }

    func field(_ index: Int) -> ArraySlice<UInt8> { value(fields[index]) }

    /// The value that the bytes of a field stand for.
    private func value(_ field: RowField) -> ArraySlice<UInt8> {
        switch field.form {
        case .plain, .quoted, .nested, .missing: return bytes[field.start..<field.end]
        case .escaped: return (JSONLine.decoded(bytes[field.start..<field.end]) ?? [])[...]
        case .list: return JSONLine.joined(bytes[field.start..<field.end])[...]
        case .doubledQuotes: break
        }
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
            switch try hasRecords ? scanRecord() : scan() {
            case .incomplete: try refill()
            case .end: return false
            case .row(let end, let lineBreaks, let isASCII, let isBlank):
                nextStart = end
                nextLine = line + lineBreaks
                let invalid = isASCII ? nil : firstInvalidUTF8(in: rowStart..<end)
                isUTF8 = invalid == nil
                if let invalid, !dialect.fallsBackToLatin1 { throw .invalidUTF8(at: location(at: invalid)) }
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
                    RowField(start: start, end: index - 1, form: hasDoubledQuotes ? .doubledQuotes : .quoted)
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
                fields.append(RowField(start: start, end: index))
            }
            let isASCII = seen < 0x80
            let isBlank = fields.count == 1 && fields[0].start == rowStart && fields[0].end == rowStart
            guard index < bytes.count else {
                guard isAtEnd else { return .incomplete }
                return .row(end: index, lineBreaks: lineBreaks, isASCII: isASCII, isBlank: isBlank)
            }
            switch bytes[index] {
            case separator:
                index += width
            case Self.lineFeed:
                return .row(end: index + 1, lineBreaks: lineBreaks + 1, isASCII: isASCII, isBlank: isBlank)
            case Self.carriageReturn:
                if index + 1 == bytes.count, !isAtEnd { return .incomplete }
                guard index + 1 < bytes.count, bytes[index + 1] == Self.lineFeed else {
                    throw .malformed(
                        at: location(at: index),
                        reason:
                            "a carriage return stands here without a line feed; end lines in LF or CRLF, for example "
                            + "with `tr '\\r' '\\n'` if no line has a line feed"
                    )
                }
                return .row(end: index + 2, lineBreaks: lineBreaks + 1, isASCII: isASCII, isBlank: isBlank)
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

    // MARK: JSON records

    /// The bytes of the line at a place without its line feed; nil when the chunk ends before the line.
    private func lineEnd(from start: Int) -> (end: Int, isASCII: Bool)? {
        let bytes = bytes.span
        var (index, seen): (Int, UInt8) = (start, 0)
        while index < bytes.count, bytes[index] != Self.lineFeed {
            seen |= bytes[index]
            index += 1
        }
        return index < bytes.count || isAtEnd ? (index, seen < 0x80) : nil
    }

    /// The names of all fields in the first lines, by first appearance: the lines that end in the first chunk.
    private mutating func recordNames() throws(CSVError) -> [String] {
        var (names, known): ([String], Set<String>) = ([], [])
        var start = nextStart
        while start < bytes.count, let (end, _) = lineEnd(from: start), names.isEmpty || end < Self.chunk {
            rowStart = start
            if !isBlank(start..<end) {
                try forEachMember(in: start..<end) { name, _ in
                    let name = String(decoding: value(name), as: UTF8.self)
                    if known.insert(name).inserted { names.append(name) }
                }
            }
            start = end + 1
            line += 1
        }
        (rowStart, line) = (nextStart, nextLine)
        return names
    }

    /// Finds the fields of the record at `rowStart`; fields that the first lines do not name are skipped.
    private mutating func scanRecord() throws(CSVError) -> Scan {
        guard rowStart < bytes.count || !isAtEnd else { return .end }
        guard let (end, isASCII) = lineEnd(from: rowStart) else { return .incomplete }
        let next = min(end + 1, bytes.count)
        let isBlank = isBlank(rowStart..<end)
        if !isBlank {
            var found = [RowField](
                repeating: RowField(start: -1, end: -1, form: .missing),
                count: memberNames.count
            )
            var expected = 0
            try forEachMember(in: rowStart..<end) { (name, value) throws(JSONLine.Fault) in
                let own = self.value(name)
                // Records mostly have their fields in one order.
                let isExpected = expected < found.count && memberNames[expected].elementsEqual(own)
                guard let place = isExpected ? expected : memberPlaces[own] else { return }
                guard found[place].start < 0 else {
                    throw JSONLine.Fault(
                        position: name.start,
                        reason: "the record has the field '\(String(decoding: own, as: UTF8.self))' twice"
                    )
                }
                found[place] = value
                expected = place + 1
            }
            for place in found.indices where found[place].start < 0 {
                (found[place].start, found[place].end) = (rowStart, rowStart)
            }
            fields = found
        }
        return .row(end: next, lineBreaks: next - end, isASCII: isASCII, isBlank: isBlank)
    }

    private func forEachMember(
        in line: Range<Int>,
        _ body: (_ name: RowField, _ value: RowField) throws(JSONLine.Fault) -> Void
    ) throws(CSVError) {
        do {
            try JSONLine.forEachMember(bytes, in: line, body)
        } catch {
            throw .malformed(at: location(at: error.position), reason: error.reason)
        }
    }

    private func isBlank(_ line: Range<Int>) -> Bool { bytes[line].allSatisfy { " \t\r".utf8.contains($0) } }

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
