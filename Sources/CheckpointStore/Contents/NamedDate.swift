/// A date with the English name of its month, such as `12 Mar 2024`, `12-Mar-2024` or `March 12, 2024`.
///
/// The name of a weekday may stand before it, as in `Tue, 12 Mar 2024`. A year has four digits.
struct NamedDate {
    let year: Int
    let month: Int
    let day: Int

    /// Takes a date from the start of a text; nil for another text, which stays as it was.
    init?(_ text: inout ArraySlice<UInt8>) {
        var rest = text
        let first = Self.word(&rest)
        if Self.place(of: first, among: Self.weekdays) != nil {
            _ = CalendarTime.skip(UInt8(ascii: ","), in: &rest)
            guard CalendarTime.skip(UInt8(ascii: " "), in: &rest) else { return nil }
        } else {
            rest = text
        }
        let (month, day): (Int?, Int?)
        if let number = CalendarTime.number(&rest, digits: 2, atLeast: 1) {
            guard Self.divider(&rest) else { return nil }
            (day, month) = (number, Self.place(of: Self.word(&rest), among: Self.months))
            guard month != nil, Self.divider(&rest) else { return nil }
        } else {
            month = Self.place(of: Self.word(&rest), among: Self.months)
            guard month != nil, Self.divider(&rest) else { return nil }
            day = CalendarTime.number(&rest, digits: 2, atLeast: 1)
            let hasComma = CalendarTime.skip(UInt8(ascii: ","), in: &rest)
            guard Self.divider(&rest) || hasComma else { return nil }
        }
        guard let month, let day, let year = CalendarTime.number(&rest, digits: 4) else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        text = rest
    }

    /// `Mon Nov 30 2026 22:49:18` for `Mon Nov 30 22:49:18 2026`, with a zone after the time in both; other texts as they
    /// are.
    static func withYearFirst(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        // Most times begin with a digit.
        guard let first = text.first, first >= UInt8(ascii: "A") else { return text }
        let words = text.split(separator: UInt8(ascii: " "))
        guard 5...6 ~= words.count, place(of: lowercased(words[0]), among: weekdays) != nil,
            place(of: lowercased(words[1]), among: months) != nil, words[3].contains(UInt8(ascii: ":")),
            words[words.count - 1].count == 4, words[words.count - 1].allSatisfy({ $0 &- UInt8(ascii: "0") < 10 })
        else { return text }
        let ordered = words[0...2] + [words[words.count - 1]] + words[3..<(words.count - 1)]
        return ArraySlice(ordered.joined(separator: CollectionOfOne(UInt8(ascii: " "))))
    }

    private static func lowercased(_ word: ArraySlice<UInt8>) -> String {
        String(decoding: word, as: UTF8.self).lowercased()
    }

    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]
    private static let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

    /// The number of a name from 1; three letters or more of it suffice.
    private static func place(of word: String, among names: [String]) -> Int? {
        guard word.utf8.count >= 3 else { return nil }
        return names.firstIndex { $0.hasPrefix(word) }.map { $0 + 1 }
    }

    /// The letters at the start, in lower case.
    private static func word(_ rest: inout ArraySlice<UInt8>) -> String {
        let letters = rest.prefix(10).prefix { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 }
        rest.removeFirst(letters.count)
        return String(decoding: letters.map { $0 | 0x20 }, as: UTF8.self)
    }

    private static func divider(_ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let byte = rest.first, " -/".utf8.contains(byte) else { return false }
        rest.removeFirst()
        return true
    }
}
