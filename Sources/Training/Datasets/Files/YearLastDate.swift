import CheckpointStore

/// A date in digits whose year comes last, such as `12/31/2024 8:05` or `31.12.2024`.
///
/// One date may not tell whether the day or the month comes first; the other dates of its column usually do, see
/// ``DateOrder``.
struct YearLastDate {
    /// The two numbers before the year.
    let (first, second): (Int, Int)
    private let year: ArraySlice<UInt8>
    /// What follows the date: nothing, or a separator and a time of the day.
    private let rest: ArraySlice<UInt8>
    private let divider: UInt8

    /// The date at the start of a text; nil for another text.
    init?(_ text: ArraySlice<UInt8>) {
        var rest = text
        guard let first = Self.number(&rest), let divider = rest.popFirst(), "/.-".utf8.contains(divider),
            let second = Self.number(&rest), rest.popFirst() == divider, Self.digits(rest) == 4
        else { return nil }
        (self.first, self.second, self.divider) = (first, second, divider)
        year = rest.prefix(4)
        rest = rest.dropFirst(4)
        // JavaScript writes a comma between date and time.
        if rest.starts(with: ", ".utf8) { rest.removeFirst() }
        self.rest = rest
    }

    /// The order that the date itself shows; nil if both numbers may be a month.
    ///
    /// Points divide dates where the day comes first.
    var isDayFirst: Bool? {
        if first > 12 { return second > 12 ? nil : true }
        if second > 12 { return false }
        return divider == UInt8(ascii: ".") ? true : nil
    }

    /// The time of the date in one of the two orders; nil if it does not exist.
    func time(dayFirst isDayFirst: Bool) -> CalendarTime? {
        let (day, month) = isDayFirst ? (first, second) : (second, first)
        return CalendarTime(written: ArraySlice(year + Array("-\(month)-\(day)".utf8) + rest))
    }

    /// How many digits the text begins with.
    private static func digits(_ text: ArraySlice<UInt8>) -> Int { text.prefix { $0 &- UInt8(ascii: "0") < 10 }.count }

    /// Takes a number of one or two digits.
    private static func number(_ text: inout ArraySlice<UInt8>) -> Int? {
        let count = digits(text)
        guard 1...2 ~= count else { return nil }
        defer { text.removeFirst(count) }
        return text.prefix(count).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}

/// Whether the day or the month comes first in the dates of a log, and the date that shows it.
struct DateOrder: Equatable {
    /// Whether the day comes first.
    let isDayFirst: Bool
    /// The first date that has one meaning.
    let evidence: CSVError.WrittenTime

    /// The order as a form of times.
    static func form(dayFirst isDayFirst: Bool) -> String {
        "a date with the \(isDayFirst ? "day" : "month") first"
    }
}

extension CSVReader {
    /// What the rows of a file tell about the order of day and month.
    enum OrderSearch {
        /// The first date with one meaning.
        case found(DateOrder)
        /// Dates whose year comes last, each with two meanings; other dates; or no time at all.
        case undecided
        /// Numbers, which are no such dates.
        case numbers
    }

    /// The order that the dates of a column show from the next row on.
    ///
    /// Times of a file share their form, so the first one tells whether to read on.
    ///
    /// - Throws: ``CSVError`` for a row that cannot be read.
    mutating func dateOrder(_ column: Int) throws(CSVError) -> OrderSearch {
        var hasDates = false
        while try next() {
            let field = trimmedField(column)
            guard let date = YearLastDate(field) else {
                let isMissing = field.isEmpty || Self.missingValues.contains(String(decoding: field, as: UTF8.self))
                guard hasDates || isMissing else { return DecimalNumber(field) == nil ? .undecided : .numbers }
                continue
            }
            hasDates = true
            guard let isDayFirst = date.isDayFirst, date.time(dayFirst: isDayFirst) != nil else { continue }
            let evidence = CSVError.WrittenTime(
                place: location(column),
                text: String(text(column).prefix(40)),
                form: DateOrder.form(dayFirst: isDayFirst)
            )
            return .found(DateOrder(isDayFirst: isDayFirst, evidence: evidence))
        }
        return .undecided
    }
}

extension EventSource {
    /// Whether the day or the month comes first in the dates of the log.
    ///
    /// Reads each file up to its first date that shows it, such as `12/31/2024`, or to its first time if that is written
    /// in another way.
    ///
    /// - Parameter request: The columns of the log.
    /// - Returns: The order; nil if the times are written in another way, if no date shows it, and for logs that cannot be
    ///   read twice: pipes, standard input and the rows of a query.
    /// - Throws: ``CSVError`` if a file cannot be read or lacks a column.
    func dateOrder(_ request: ColumnRequest) throws(CSVError) -> DateOrder? {
        for part in parts {
            guard case .file(let path) = part, FilePattern.isRegularFile(path) else { continue }
            var search = CSVReader.OrderSearch.undecided
            try part.read(request) { (reader: inout CSVReader) throws(CSVError) in
                guard let column = try ColumnChoice(request, in: &reader)[.time] else { return }
                search = try reader.dateOrder(column)
            }
            switch search {
            case .found(let order): return order
            case .numbers: return nil
            case .undecided: continue
            }
        }
        return nil
    }
}
