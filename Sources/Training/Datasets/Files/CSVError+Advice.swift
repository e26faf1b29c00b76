// The next steps that messages name.

extension CSVError {
    /// The command that removes incomplete rows.
    static let dropEmpty = "`dimerec import log --drop-empty` writes a log of events without them."

    /// How to add a header line, if the first line is a row or a comment; empty for other headers.
    static func missingHeader(_ found: [FoundColumn]) -> String {
        if found.first?.name.hasPrefix("#") == true {
            return "The first line begins with '#'. If it is a comment, remove such lines with `sed '/^#/d'`. "
        }
        if found.count == 1, found[0].name.split(separator: " ").count > 1 {
            return "If spaces divide the columns, write commas, for example with `tr -s ' ' ','`. "
        }
        let nested = found.filter { $0.nested != nil }
        if let filter = NestedField.filter(for: nested, among: found) {
            let columns = nested.map { "'\($0.name)'" }.joined(separator: ", ")
            let hold = nested.count == 1 ? "Column \(columns) holds" : "Columns \(columns) hold"
            return "\(hold) several values. If ids are among them, make them fields of their own, for example with "
                + "`jq -c '\(filter)'`. "
        }
        // Names are no numbers.
        guard found.allSatisfy({ $0.role == nil }), found.contains(where: { Double($0.name) != nil }) else { return "" }
        return "The first line looks like a row. Add a header line before it, for example with "
            + "`sed '1i user,item,timestamp'`, with the order and the delimiter of the file's columns. "
    }

    /// How to add a column of users to the log of one person, if a column is known to hold items or times.
    static func adviceForOnePerson(_ found: [FoundColumn]) -> String {
        guard found.contains(where: { $0.role == .item || $0.role == .time }) else { return "" }
        return " If all events are one person's, add a column 'user' with the same text in every row."
    }

    /// The role of times if no column has it and one looks like times.
    static func forgottenTimes(_ found: [FoundColumn]) -> [ColumnRole] {
        let isForgotten = found.contains(where: \.looksLikeTimes) && !found.contains { $0.role == .time }
        return isForgotten ? [.time] : []
    }

    /// How to write a decimal comma such as `0,5`; empty for other texts.
    static func adviceForComma(_ text: String) -> String {
        guard text.wholeMatch(of: /-?\d+,\d+/) != nil else { return "" }
        return " Write a decimal point, for example with `sed 's/,/./g'` if the file has no other commas."
    }

    /// What to do about `10:51:09`; empty for other texts.
    static func adviceForTimeOfDay(_ text: String) -> String {
        guard text.prefixMatch(of: /\d\d?:\d\d/) != nil else { return "" }
        return " This is a time of day without a date. Write date and time into one column, or name a column with the "
            + "date by --time-column."
    }
}
