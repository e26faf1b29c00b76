package import CheckpointStore

/// A streaming reader of rows: separated values, by default RFC 4180, or JSON Lines.
///
/// A file whose first character is `{` holds one JSON object a line. Its header is the list of all fields in the
/// lines of the first chunk; a field that a line does not have, or that is null, is empty. A list of texts or numbers
/// reads as its elements with `|` between them.
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

    /// The most rows of a log or a file: events are numbered in 32 bits.
    package static let rowLimit = Int(Int32.max)

    /// Opens a file of RFC 4180 or of JSON Lines and reads its header.
    package init(file: String) throws(CSVError) {
        try self.init(CSVRecords(ByteSource(file: file), dialect: .csv, acceptsRecords: true))
    }

    /// Opens rows whose format and delimiter are recognised from their start, and reads the header.
    ///
    /// - Parameters:
    ///   - source: The bytes.
    ///   - score: Counts the known names among some names; the delimiter with the highest count is taken.
    /// - Throws: `CSVError` when the bytes cannot be read or have no header.
    init(_ source: ByteSource, recognising score: ([String]) -> Int) throws(CSVError) {
        var records = try CSVRecords(source, dialect: .csv, acceptsRecords: true)
        records.recogniseDelimiter(score)
        try self.init(records)
    }

    private init(_ records: consuming CSVRecords) throws(CSVError) {
        guard let names = try records.readHeader() else { throw .empty(file: records.file) }
        file = records.file
        header = names
        self.records = records
    }

    /// Opens a file without a header line; `header` names its columns.
    package init(file: String, dialect: CSVDialect, header: [String]) throws(CSVError) {
        records = try CSVRecords(ByteSource(file: file), dialect: dialect, acceptsRecords: false)
        self.file = file
        self.header = header
    }

    /// A warning about fields of JSON records that are not read because they begin after the first chunk; nil without any.
    ///
    /// - Parameter isNeeded: Whether a field of a name would have been used.
    /// - Returns: The warning.
    func noteOfLateFields(where isNeeded: (String) -> Bool) -> String? {
        let late = records.lateFields.filter { isNeeded($0.name) }
        guard let first = late.first else { return nil }
        let names = late.prefix(5).map { "'\($0.name)'" }.joined(separator: ", ")
        return
            "warning: \(file): not read: \(names), first in line \(first.line), because only the first MiB of records "
            + "tells the fields. Put a record with all fields first, null where it has no value"
    }

    /// The format of the rows.
    package var dialect: CSVDialect { records.dialect }

    /// The positions of the named columns.
    package func columns(_ names: [String]) throws(CSVError) -> [Int] {
        let missing = names.filter { !header.contains($0) }
        guard missing.isEmpty else { throw .missingColumns(missing, file: file, found: header) }
        var positions: [Int] = []
        for name in names {
            let found = header.indices.filter { header[$0] == name }
            guard found.count == 1 else { throw .duplicateColumn(name, file: file) }
            positions += found
        }
        return positions
    }

    /// Whether the row has a field for each column, between tabs also with quotes that enclose tabs and line breaks.
    private mutating func hasAllFields() throws(CSVError) -> Bool {
        guard dialect.hasLooseQuotes else { return records.count == header.count }
        if records.count == header.count {
            // A line break may end the line inside the last field.
            if records.hasOpenQuote { _ = try records.rereadStrictly(expecting: header.count, keepsRows: true) }
            return true
        }
        return try records.rereadStrictly(expecting: header.count)
    }

    /// Moves to the next row; false at the end of the file.
    package mutating func next() throws(CSVError) -> Bool {
        guard try records.advance() else { return false }
        guard try hasAllFields() else {
            if records.count == header.count + 1, records.field(header.count).isEmpty, dialect != .records {
                throw .surplusDelimiter(at: records.start, delimiter: dialect.delimiter)
            }
            throw .wrongFieldCount(at: records.start, expected: header.count, found: records.count)
        }
        rows += 1
        guard rows <= Self.rowLimit else { throw .tooManyRows(file: file, limit: Self.rowLimit) }
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
        try requireScalar(column)
        let field = records.field(column)
        if let first = field.first, let last = field.last, first > UInt8(ascii: " "), last > UInt8(ascii: " ") {
            return field
        }
        let trimmed = records.isQuoted(column) ? field : Self.trimmed(field)
        guard !trimmed.isEmpty else { throw .emptyID(at: location(column), column: header[column]) }
        return trimmed
    }

    /// Rejects a JSON object or list where one value is needed.
    private func requireScalar(_ column: Int) throws(CSVError) {
        guard records.isNested(column) || records.isList(column) else { return }
        // The field of a flat list is its joined elements, which are no JSON.
        let isDeep =
            records.isNested(column) && JSONLine.levels(of: Array(records.field(column))) > NestedField.mostLevels
        guard !isDeep else {
            throw .nestedTooDeeply(at: location(column), field: header[column], limit: NestedField.mostLevels)
        }
        // Other fields of the row would be refused next, so one filter names them all.
        let assignments = header.indices.compactMap { other -> String? in
            let name = NestedField.path(to: header[other])
            guard records.isNested(other) else { return other == column ? "\(name) = \(name)[0]" : nil }
            let bytes = Array(records.field(other))
            guard JSONLine.levels(of: bytes) <= NestedField.mostLevels else { return nil }
            let inner = NestedField.pathToFirstValue(of: bytes) ?? (other == column ? "[0]" : nil)
            return inner.map { "\(name) = \(name)\($0)" }
        }
        throw .nestedField(
            at: location(column),
            field: header[column],
            filter: assignments.joined(separator: " | ")
        )
    }

    /// Whether a field of this row is a JSON object, or a list of more than texts, numbers and flags.
    package func isNested(_ column: Int) -> Bool { records.isNested(column) }

    /// What a field of this row holds if it is a JSON object or list; nil for other fields.
    func nestedField(_ column: Int) -> NestedField? {
        guard records.isNested(column) || records.isList(column) else { return nil }
        return NestedField(Array(records.field(column)))
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
        try requireScalar(column)
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
        try requireScalar(column)
        let field = records.field(column)
        if let time = Timestamp(digits: field) { return time }
        guard let number = DecimalNumber(field), let time = Timestamp(number) else {
            throw .invalidNumber(at: location(column), column: header[column], text: String(text(column).prefix(40)))
        }
        return time
    }

    /// A field of this row without spaces around it.
    func trimmedField(_ column: Int) -> ArraySlice<UInt8> { Self.trimmed(records.field(column)) }

    /// A field of this row as a time in any of its forms; spaces around it do not count.
    ///
    /// Dates whose year comes last are times only in a log whose order of day and month is known.
    package func timestamp(_ column: Int) throws(CSVError) -> (time: Timestamp, form: TimeForm) {
        try timestamp(column, in: nil)
    }

    func timestamp(_ column: Int, in order: DateOrder?) throws(CSVError) -> (time: Timestamp, form: TimeForm) {
        try requireScalar(column)
        if let time = Timestamp(digits: records.field(column)) { return (time, .number) }
        let field = trimmedField(column)
        guard !field.isEmpty else { throw .emptyTime(at: location(column), column: header[column]) }
        if let number = DecimalNumber(field), let time = Timestamp(number) { return (time, .number) }
        if let calendar = CalendarTime(written: field), let time = calendar.timestamp { return (time, calendar.form) }
        if let order, let date = YearLastDate(field) {
            let isOther = date.isDayFirst == !order.isDayFirst
            if !isOther, let calendar = date.time(dayFirst: order.isDayFirst), let time = calendar.timestamp {
                return (time, calendar.form)
            }
            if isOther, date.time(dayFirst: !order.isDayFirst) != nil {
                let other = CSVError.WrittenTime(
                    place: location(column),
                    text: String(text(column).prefix(40)),
                    form: DateOrder.form(dayFirst: !order.isDayFirst)
                )
                throw .mixedTimes(column: header[column], first: order.evidence, other: other)
            }
        }
        let text = String(decoding: field, as: UTF8.self)
        if Self.missingValues.contains(text) { throw .emptyTime(at: location(column), column: header[column]) }
        throw .unreadableTime(at: location(column), column: header[column], text: String(text.prefix(40)))
    }

    /// Texts that other programs write for a missing value.
    static let missingValues = [
        "NaN", "nan", "NA", "N/A", "n/a", "NULL", "null", "None", "none", "nil", "undefined", "(null)", "<NA>", "#N/A",
        "NaT", "\\N",
    ]

    /// Whether a field of this row is a date, also one that must be converted, or a number that counts from 1970.
    func looksLikeTime(_ column: Int) -> Bool {
        guard let (time, form) = try? timestamp(column) else { return ConvertibleTime(text(column)) != nil }
        return form != .number || TimeScale(time).isClock
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
