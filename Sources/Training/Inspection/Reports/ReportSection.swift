import Foundation

/// One topic of a report, for text and for a page.
struct ReportSection {
    /// One element, from top to bottom.
    enum Block {
        /// A paragraph.
        case text(String)
        /// Names and values.
        case facts([(name: String, value: String)])
        /// One line each.
        case list([String])
        /// Rows of cells.
        case table(ReportTable)
        /// A plot; text shows bars of one series as a line of blocks, from the first to the last of `range`.
        case chart(Chart, range: (first: String, last: String)? = nil)
        /// Text that a page folds away and a terminal does not show.
        case folded(title: String, text: String)
    }

    /// The heading.
    var title: String
    /// The elements.
    var blocks: [Block]
}

/// Cells in rows and columns.
struct ReportTable {
    /// A column.
    struct Column {
        /// The heading.
        var name: String
        /// Whether the cells are numbers, which end at the right edge.
        var isNumber = false
    }

    /// The columns.
    var columns: [Column]
    /// The rows, with one cell a column.
    var rows: [[String]]

    /// A table whose columns named in `numbers` hold numbers.
    init(_ names: [String], numbers: Set<String>, rows: [[String]]) {
        columns = names.map { Column(name: $0, isNumber: numbers.contains($0)) }
        self.rows = rows
    }
}

extension NumberText {
    /// A whole number with commas between thousands.
    static func grouped(_ value: Int) -> String {
        var (digits, groups) = ("\(value.magnitude)", [Substring]())
        while digits.count > 3 {
            groups.insert(digits.suffix(3), at: 0)
            digits = String(digits.dropLast(3))
        }
        return (value < 0 ? "-" : "") + ([digits[...]] + groups).joined(separator: ",")
    }

    /// A number and what is counted, such as `1 event` or `1,200 events`, with a verb in the right form if one follows.
    static func counted(_ count: Int, _ noun: String, _ one: String = "", _ many: String = "") -> String {
        let verb = count == 1 ? one : many
        return "\(grouped(count)) \(noun)" + (count == 1 ? "" : "s") + (verb.isEmpty ? "" : " \(verb)")
    }

    /// A share in percent, such as `12.3 %`; small shares have two significant digits.
    static func percent(_ share: Double) -> String {
        let percent = share * 100
        if percent > 0, percent < 0.1 { return String(format: "%.2g %%", percent) }
        return String(format: "%.1f %%", percent)
    }

    /// Seconds in the largest unit that gives at least 1, such as `3.2 days`.
    static func duration(_ seconds: Double) -> String {
        let units = [("days", 86_400.0), ("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3), ("us", 1e-6)]
        guard seconds > 0 else { return "0 s" }
        guard let (name, size) = units.first(where: { seconds >= $0.1 }) else { return "under 1 us" }
        return String(format: seconds / size < 10 ? "%.2g \(name)" : "%.0f \(name)", seconds / size)
    }
}

extension String {
    /// The text on one line, safe for a terminal: control and formatting characters are written out.
    package var printableLine: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// An id or title of a log as ``printableLine``, cut after 60 characters.
    var printable: String {
        let text = printableLine
        return text.count > 60 ? text.prefix(60) + "…" : text
    }
}
