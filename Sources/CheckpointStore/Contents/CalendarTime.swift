/// The form of a written time; all times of a column must share one, because others cannot be ordered safely.
package enum TimeForm: String, Sendable {
    /// Seconds, or any other count.
    case number = "a number"
    /// `2024-01-31`: the start of that day in UTC.
    case date = "a date"
    /// `2024-01-31T10:00:00`, read as UTC.
    case localTime = "a time without zone"
    /// `2024-01-31T10:00:00+02:00`.
    case zonedTime = "a time with zone"
}

/// A date or time of the Gregorian calendar (ISO 8601), as seconds from 1970 in UTC.
package struct CalendarTime {
    /// The seconds of the years 1 to 9999.
    package static let range = -62_135_596_800.0...253_402_300_799.0

    private static let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    /// Whole seconds, rounded down.
    package let seconds: Int
    /// The fraction of a second, in nanoseconds.
    package let nanoseconds: Int
    /// The form in which it is written.
    package let form: TimeForm

    /// Reads `2024-01-31`, optionally followed by `T` or a space, a time, and a zone.
    ///
    /// A time has hours, minutes and optional seconds, the seconds up to nine decimals. A zone is `Z`, `UTC`, or an
    /// offset such as `+02:00`, `+0200` or `+02`. Nil for other text and for times that do not exist.
    package init?(_ text: ArraySlice<UInt8>) { self.init(text, asPeopleWrite: false) }

    /// Reads the forms of ``init(_:)``, and other dates of people and spreadsheets that have one meaning.
    ///
    /// Months, days and hours may have one digit, slashes may divide the date, as in `2024/1/31 8:05`, and `AM` or `PM`
    /// may follow the time. Dates with the English name of a month are read too, see ``NamedDate``, and the year may be
    /// the last word, as `asctime` and `date -u` in the locale C write it. A name of the zone in brackets after an offset, as
    /// JavaScript adds it, says nothing new.
    package init?(written text: ArraySlice<UInt8>) {
        self.init(NamedDate.withYearFirst(Self.withoutZoneName(text)), asPeopleWrite: true)
    }

    /// The text without ` (CET)` after a time with an offset such as `+0100` or `+01:00`.
    private static func withoutZoneName(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard text.last == UInt8(ascii: ")"), let start = text.lastIndex(of: UInt8(ascii: "(")),
            text[..<start].last == UInt8(ascii: " "), isZoneName(text[start...].dropFirst().dropLast())
        else { return text }
        let time = text[..<start].dropLast()
        // The time of day has a colon; without one, `-2024` is the year of a date.
        guard let sign = time.lastIndex(where: "+-".utf8.contains), time[..<sign].contains(UInt8(ascii: ":")) else {
            return text
        }
        let digits = time[sign...].dropFirst().filter { $0 &- UInt8(ascii: "0") < 10 }
        let hasColon = time[sign...].dropFirst(3).first == UInt8(ascii: ":")
        return digits.count == 4 && time[sign...].count == (hasColon ? 6 : 5) ? time : text
    }

    /// Whether a text may name a zone, as `CET`, `Central European Standard Time` and `GMT+03:00` do.
    private static func isZoneName(_ text: ArraySlice<UInt8>) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || byte >= 0x80 }
        return text.first.map(isLetter) ?? false
            && text.allSatisfy { isLetter($0) || 0x30...0x39 ~= $0 || " .+-:".utf8.contains($0) }
    }

    private init?(_ text: ArraySlice<UInt8>, asPeopleWrite isLenient: Bool) {
        var rest = text
        let fewest = isLenient ? 1 : 2
        let numeric = Self.numericDate(&rest, isLenient: isLenient)
        let named = numeric == nil && isLenient ? NamedDate(&rest) : nil
        guard let date = numeric ?? named.map({ ($0.year, $0.month, $0.day) }), date.year >= 1, 1...12 ~= date.month,
            1...Self.days(of: date.month, in: date.year) ~= date.day
        else { return nil }
        let start = Self.days(year: date.year, month: date.month, day: date.day) * 86_400
        guard let separator = rest.popFirst() else {
            (seconds, nanoseconds, form) = (start, 0, .date)
            return
        }
        if named != nil, separator == UInt8(ascii: ",") { _ = Self.skip(UInt8(ascii: " "), in: &rest) }
        guard "Tt ".utf8.contains(separator) || named != nil && ":,".utf8.contains(separator),
            var hour = Self.number(&rest, digits: 2, atLeast: fewest), hour < 24,
            Self.skip(UInt8(ascii: ":"), in: &rest), let minute = Self.number(&rest, digits: 2), minute < 60
        else { return nil }
        var (second, fraction) = (0, 0)
        if Self.skip(UInt8(ascii: ":"), in: &rest) {
            guard let value = Self.number(&rest, digits: 2), value < 60 else { return nil }
            second = value
            if Self.skip(UInt8(ascii: "."), in: &rest) || Self.skip(UInt8(ascii: ","), in: &rest) {
                guard let value = Self.fraction(&rest) else { return nil }
                fraction = value
            }
        }
        if isLenient, let isNoon = Self.halfOfDay(&rest) {
            guard 1...12 ~= hour else { return nil }
            hour = hour % 12 + (isNoon ? 12 : 0)
        }
        let local = start + (hour * 60 + minute) * 60 + second
        nanoseconds = fraction
        guard !rest.isEmpty else {
            (seconds, form) = (local, .localTime)
            return
        }
        guard let offset = Self.offset(rest, isLenient: isLenient) else { return nil }
        (seconds, form) = (local - offset, .zonedTime)
    }

    /// Takes the year, month and day of `2024-01-31`; nil for another text, which stays as it was.
    private static func numericDate(
        _ text: inout ArraySlice<UInt8>,
        isLenient: Bool
    ) -> (year: Int, month: Int, day: Int)? {
        let fewest = isLenient ? 1 : 2
        var rest = text
        guard let year = number(&rest, digits: 4), let divider = rest.popFirst(),
            divider == UInt8(ascii: "-") || isLenient && divider == UInt8(ascii: "/"),
            let month = number(&rest, digits: 2, atLeast: fewest), skip(divider, in: &rest),
            let day = number(&rest, digits: 2, atLeast: fewest)
        else { return nil }
        text = rest
        return (year, month, day)
    }

    /// The offset of a zone from UTC, in seconds; positive east of Greenwich.
    private static func offset(_ text: ArraySlice<UInt8>, isLenient: Bool) -> Int? {
        var rest = text
        _ = skip(UInt8(ascii: " "), in: &rest)
        if isLenient, rest.starts(with: "GMT".utf8) {
            rest.removeFirst(3)
            if rest.isEmpty { return 0 }
        }
        if rest.elementsEqual("UTC".utf8) || rest.elementsEqual("Z".utf8) || rest.elementsEqual("z".utf8) { return 0 }
        guard let sign = rest.popFirst(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
            let hours = number(&rest, digits: 2), hours < 24
        else { return nil }
        var minutes = 0
        if !rest.isEmpty {
            _ = skip(UInt8(ascii: ":"), in: &rest)
            guard let value = number(&rest, digits: 2), value < 60, rest.isEmpty else { return nil }
            minutes = value
        }
        return (sign == UInt8(ascii: "-") ? -60 : 60) * (hours * 60 + minutes)
    }

    /// The nanoseconds that one to nine decimals give.
    private static func fraction(_ rest: inout ArraySlice<UInt8>) -> Int? {
        var (value, digits) = (0, 0)
        while let byte = rest.first, byte &- UInt8(ascii: "0") < 10 {
            guard digits < 9 else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
            digits += 1
            rest.removeFirst()
        }
        guard digits > 0 else { return nil }
        return (digits..<9).reduce(value) { value, _ in value * 10 }
    }

    /// Takes `AM` or `PM`; true for the half of the day that begins at noon, nil without either.
    private static func halfOfDay(_ text: inout ArraySlice<UInt8>) -> Bool? {
        var rest = text
        // Some programs write a narrow space that does not break.
        if rest.starts(with: [0xE2, 0x80, 0xAF]) {
            rest.removeFirst(3)
        } else {
            _ = skip(UInt8(ascii: " "), in: &rest)
        }
        let half = String(decoding: rest.prefix(2), as: UTF8.self).lowercased()
        guard half == "am" || half == "pm" else { return nil }
        text = rest.dropFirst(2)
        return half == "pm"
    }

    /// A number of so many digits, or of at least a few of them.
    static func number(_ rest: inout ArraySlice<UInt8>, digits: Int, atLeast fewest: Int? = nil) -> Int? {
        let own = rest.prefix(digits).prefix { $0 &- UInt8(ascii: "0") < 10 }
        guard own.count >= fewest ?? digits else { return nil }
        rest.removeFirst(own.count)
        return own.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    static func skip(_ byte: UInt8, in rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }

    private static func days(of month: Int, in year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return lengths[month - 1] + (isLeap && month == 2 ? 1 : 0)
    }

    /// Days from 1 January 1970 in the Gregorian calendar.
    ///
    /// Years are counted from March, so a leap day is the last of its year. The days before month m of such a year
    /// are then `(153 m + 2) / 5`.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return 365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }

    /// Seconds from 1970, to the nearest Double.
    package var sinceEpoch: Double { Double(seconds) + Double(nanoseconds) / 1e9 }

    /// Seconds from 1970 as ISO 8601 in UTC, such as `2024-01-31T10:00:00Z`, rounded to microseconds.
    ///
    /// - Precondition: `seconds` is in ``range``.
    package static func text(seconds: Double) -> String {
        precondition(range.contains(seconds), "\(seconds) seconds are outside the years 1 to 9999")
        var whole = Int(seconds.rounded(.down))
        var microseconds = Int(((seconds - Double(whole)) * 1e6).rounded())
        if microseconds == 1_000_000 { (whole, microseconds) = (whole + 1, 0) }
        var (days, second) = whole.quotientAndRemainder(dividingBy: 86_400)
        if second < 0 { (days, second) = (days - 1, second + 86_400) }
        let date = date(days: days)
        func padded(_ value: Int, _ digits: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        let fraction = microseconds == 0 ? "" : "." + padded(microseconds, 6)
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
            + "T\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))\(fraction)Z"
    }

    /// The date of a number of days from 1 January 1970, the inverse of ``days(year:month:day:)``.
    private static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        // The average year has 365.2425 days, so the guess is at most one year off.
        var year = 1970 + Int((Double(days) / 365.2425).rounded(.down))
        while self.days(year: year + 1, month: 1, day: 1) <= days { year += 1 }
        while self.days(year: year, month: 1, day: 1) > days { year -= 1 }
        var (month, rest) = (1, days - self.days(year: year, month: 1, day: 1))
        while rest >= self.days(of: month, in: year) {
            rest -= self.days(of: month, in: year)
            month += 1
        }
        return (year, month, rest + 1)
    }
}
