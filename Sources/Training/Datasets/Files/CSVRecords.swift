/// A field of JSON records that begins after the first chunk, and the line of the first record that has it.
struct LateField: Equatable {
    let name: String
    let line: Int
}

/// Splits a file into rows, as ranges of a sliding chunk.
struct CSVRecords: ~Copyable {
    /// What a scan for the next row found.
    enum Scan {
        case row(end: Int, lineBreaks: Int, isASCII: Bool, isBlank: Bool)
        case incomplete
        case end
    }

    static let chunk = 1 << 20
    private static let longestRow = 16 << 20
    static let quote = UInt8(ascii: "\"")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")

    let file: String
    private(set) var dialect: CSVDialect
    /// Whether the rows are JSON records instead of separated values.
    private let hasRecords: Bool
    /// The names of the fields of JSON records.
    private(set) var memberNames: [[UInt8]] = []
    /// The place of each of these names.
    private(set) var memberPlaces: [ArraySlice<UInt8>: Int] = [:]
    /// Fields of later records that are not read because the first chunk does not name them, and their lines.
    var lateFields: [LateField] = []
    /// Their names.
    var lateNames: Set<String> = []
    /// The most of them, a bound of memory.
    static let mostLateFields = 10_000
    private let source: ByteSource
    private(set) var bytes: [UInt8] = []
    private(set) var isAtEnd = false
    /// The fields of this row.
    var fields: [RowField] = []
    /// Whether this row is valid UTF-8; false only when the dialect falls back to ISO 8859-1.
    private(set) var isUTF8 = true
    /// First byte and line of this row, then of the next.
    var rowStart = 0
    var line = 1
    private(set) var nextStart = 0
    private(set) var nextLine = 1

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
        if acceptsRecords, let end = Self.endOfSpreadsheetLine(bytes) { (nextStart, nextLine) = (end, 2) }
    }

    /// Where a first line such as `sep=;` ends, by which Excel tells itself the delimiter; nil without such a line.
    private static func endOfSpreadsheetLine(_ bytes: [UInt8]) -> Int? {
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        guard let end = bytes[start...].prefix(10).firstIndex(of: lineFeed) else { return nil }
        let line = bytes[start..<end].filter { $0 != quote && $0 != carriageReturn }
        return line.count == 5 && line.starts(with: "sep=".utf8) ? end + 1 : nil
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
        bytes.dropFirst(endOfSpreadsheetLine(bytes) ?? 0).drop { $0 == lineFeed || $0 == carriageReturn }
            .contains(lineFeed)
    }

    /// Recognises the delimiter from the header; call it before the first row is read.
    mutating func recogniseDelimiter(_ score: ([String]) -> Int) {
        guard !hasRecords else { return }
        dialect = CSVDialect.recognised(in: bytes[nextStart...], score)
    }

    /// Whether quotes enclose fields by RFC 4180, also between tabs.
    var isStrict = false

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
    func value(_ field: RowField) -> ArraySlice<UInt8> {
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

    /// Whether the last field begins with a quote, but is no quoted field of one line.
    var hasOpenQuote: Bool {
        guard let last = fields.last, last.form == .plain, last.start < last.end else { return false }
        return bytes[last.start] == Self.quote
    }

    /// Whether the last field holds a line that is a row of its own by its number of separators.
    private func swallowsRow(of expected: Int) -> Bool {
        guard let last = fields.last else { return false }
        let lines = bytes[last.start..<last.end].split(separator: Self.lineFeed, omittingEmptySubsequences: false)
        return lines.dropFirst().contains { line in line.count { $0 == dialect.separator } + 1 == expected }
    }

    /// Reads the present row again, with quotes that may enclose delimiters and line breaks.
    ///
    /// - Parameters:
    ///   - expected: The number of fields.
    ///   - keepsRows: Whether the last field must not hold lines that are rows of their own.
    /// - Returns: Whether the row has `expected` fields then; otherwise it stays as it was.
    /// - Throws: `CSVError` if the row cannot be read as it was either.
    mutating func rereadStrictly(expecting expected: Int, keepsRows: Bool = false) throws(CSVError) -> Bool {
        (nextStart, nextLine) = (rowStart, line)
        isStrict = true
        do throws(CSVError) {
            if try advance(), count == expected, !(keepsRows && swallowsRow(of: expected)) {
                isStrict = false
                return true
            }
        } catch {}
        isStrict = false
        (nextStart, nextLine) = (rowStart, line)
        _ = try advance()
        return false
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
    func location(at position: Int) -> CSVError.Location {
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
