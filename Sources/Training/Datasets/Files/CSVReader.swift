package import CheckpointStore

/// A streaming reader of separated values, by default RFC 4180.
///
/// Quoted fields may hold delimiters, doubled quotes and line breaks. Lines end in LF or CRLF. The reader skips a
/// byte order mark and blank lines. Every row must have as many fields as the header and be strict UTF-8, unless its
/// ``CSVDialect`` says otherwise. The reader holds one chunk of the file; a field without doubled quotes is a view
/// into it.
package struct CSVReader: ~Copyable {
    /// The file as the caller named it.
    package let file: String
    /// The header's names, in the file's order.
    package let header: [String]
    private var records: CSVRecords
    private var rows = 0
    private let rowLimit: Int

    /// The most rows of a file: events are numbered in 32 bits.
    package static let rowLimit = Int(Int32.max)

    /// Opens a file of RFC 4180 and reads its header.
    package init(file: String) throws(CSVError) {
        try self.init(file: file, records: CSVRecords(file: file, dialect: .csv), rowLimit: Self.rowLimit)
    }

    /// Opens a file whose delimiter is recognised from its header, and reads the header.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - rowLimit: The most rows below the header.
    ///   - score: Counts the known names among some names; the delimiter with the highest count is taken.
    /// - Throws: `CSVError` when the file cannot be read or has no header.
    package init(file: String, rowLimit: Int = rowLimit, recognising score: ([String]) -> Int) throws(CSVError) {
        var records = try CSVRecords(file: file, dialect: .csv)
        records.recogniseDelimiter(score)
        try self.init(file: file, records: records, rowLimit: rowLimit)
    }

    private init(file: String, records: consuming CSVRecords, rowLimit: Int) throws(CSVError) {
        guard try records.advance() else { throw .empty(file: file) }
        self.file = file
        self.rowLimit = rowLimit
        header = (0..<records.count).map { String(decoding: records.field($0), as: UTF8.self) }
        self.records = records
    }

    /// Opens a file without a header line; `header` names its columns.
    package init(file: String, dialect: CSVDialect, header: [String]) throws(CSVError) {
        records = try CSVRecords(file: file, dialect: dialect)
        self.file = file
        self.header = header
        rowLimit = Self.rowLimit
    }

    /// The format of the rows.
    package var dialect: CSVDialect { records.dialect }

    /// The positions of the named columns.
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
        rows += 1
        guard rows <= rowLimit else { throw .tooManyRows(file: file, limit: rowLimit) }
        return true
    }

    /// A field of this row, without its quoting.
    package func field(_ column: Int) -> ArraySlice<UInt8> { records.field(column) }

    /// A field of this row as text.
    package func text(_ column: Int) -> String {
        let field = records.field(column)
        guard !records.isUTF8 else { return String(decoding: field, as: UTF8.self) }
        return String(String.UnicodeScalarView(field.map { Unicode.Scalar($0) }))
    }

    /// Where a field of this row starts, after its quote if it has one.
    package func location(_ column: Int) -> CSVError.Location { records.location(ofField: column) }

    /// A field of this row that must not be empty; spaces around it count only inside quotes.
    package func id(_ column: Int) throws(CSVError) -> ArraySlice<UInt8> {
        let field = records.field(column)
        if let first = field.first, let last = field.last, first > UInt8(ascii: " "), last > UInt8(ascii: " ") {
            return field
        }
        let trimmed = records.isQuoted(column) ? field : Self.trimmed(field)
        guard !trimmed.isEmpty else { throw .emptyID(at: location(column), column: header[column]) }
        return trimmed
    }

    /// Rejects an id that no request could name.
    func requireText(_ id: ArraySlice<UInt8>, _ column: Int) throws(CSVError) {
        guard id.contains(0) else { return }
        throw .malformed(
            at: location(column),
            reason: "the id in column '\(header[column])' holds a NUL byte; remove it, for example with `tr -d '\\000'`"
        )
    }

    private static func trimmed(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var field = field
        while isSpace(field.first) { field.removeFirst() }
        while isSpace(field.last) { field.removeLast() }
        return field
    }

    /// A field of this row as a finite decimal number.
    ///
    /// Integers of up to 15 digits take a fast path. Allowed characters: digits, signs, a point and an exponent.
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

    /// A field of this row as an exact number.
    package func exactNumber(_ column: Int) throws(CSVError) -> Timestamp {
        let field = records.field(column)
        if let time = Timestamp(digits: field) { return time }
        guard let number = DecimalNumber(field), let time = Timestamp(number) else {
            throw .invalidNumber(at: location(column), column: header[column], text: String(text(column).prefix(40)))
        }
        return time
    }

    /// A field of this row as a time in any of its forms; spaces around it do not count.
    package func timestamp(_ column: Int) throws(CSVError) -> (time: Timestamp, form: TimeForm) {
        if let time = Timestamp(digits: records.field(column)) { return (time, .number) }
        let field = Self.trimmed(records.field(column))
        if let number = DecimalNumber(field), let time = Timestamp(number) { return (time, .number) }
        if let calendar = CalendarTime(field), let time = calendar.timestamp { return (time, calendar.form) }
        throw .unreadableTime(at: location(column), column: header[column], text: String(text(column).prefix(40)))
    }

    /// A field of this row as seconds since 1970, of a time in UTC such as `2014-04-07T10:51:09.277Z`.
    ///
    /// The fraction of a second is dropped.
    package func time(_ column: Int) throws(CSVError) -> Int {
        guard let seconds = UTCTime.seconds(records.field(column)) else {
            throw .invalidTime(at: location(column), column: header[column], text: String(text(column).prefix(40)))
        }
        return seconds
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
