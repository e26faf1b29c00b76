import Foundation

/// A report as plain text for a terminal.
struct ReportText {
    private static let width = 100
    private static let bars = Array("▁▂▃▄▅▆▇█")

    /// The lines of the report.
    private(set) var lines: [String]

    /// Renders sections below a heading.
    init(title: String, sections: [ReportSection]) {
        lines = [title]
        for section in sections {
            lines += ["", section.title, String(repeating: "-", count: section.title.count)]
            for block in section.blocks { lines += Self.lines(of: block) }
        }
    }

    private static func lines(of block: ReportSection.Block) -> [String] {
        switch block {
        case .text(let text): wrapped(text, indent: "  ")
        case .list(let items): items.flatMap { wrapped($0, indent: "  * ") }
        case .facts(let facts): lines(of: facts)
        case .table(let table): lines(of: table)
        case .chart(let chart, let range): range.map { lines(of: chart, $0) } ?? []
        case .folded: []
        }
    }

    private static func lines(of facts: [(name: String, value: String)]) -> [String] {
        let width = facts.map(\.name.count).max() ?? 0
        return facts.flatMap { wrapped($0.value, indent: "  \(padded($0.name, width))  ") }
    }

    /// Columns of equal width; the last one is wrapped if the lines are too long otherwise.
    private static func lines(of table: ReportTable) -> [String] {
        let widths = table.columns.indices.map { column in
            ([table.columns[column].name] + table.rows.map { $0[column] }).map(\.count).max() ?? 0
        }
        func line(_ cells: [String]) -> [String] {
            var text = "  "
            for (column, cell) in cells.enumerated().dropLast() {
                text += padded(cell, widths[column], atEnd: !table.columns[column].isNumber) + "  "
            }
            guard let last = cells.last, let column = table.columns.last else { return [] }
            if column.isNumber { return [text + padded(last, widths[cells.count - 1], atEnd: false)] }
            return wrapped(last, indent: text)
        }
        return ([table.columns.map(\.name)] + table.rows).flatMap(line)
    }

    /// One line of blocks for bars of one series.
    private static func lines(of chart: Chart, _ range: (first: String, last: String)) -> [String] {
        let values = chart.series.first?.points.map(\.y) ?? []
        guard values.count > 1, let most = values.max(), most > 0 else { return [] }
        let blocks = values.map { value in
            value == 0 ? " " : bars[min(bars.count - 1, Int(value / most * Double(bars.count)))]
        }
        let rows = stride(from: 0, to: blocks.count, by: width - 4).map { start in
            "  |" + String(blocks[start..<min(start + width - 4, blocks.count)]) + "|"
        }
        let highest = NumberText.grouped(Int(most))
        return rows + ["   \(chart.title), from \(range.first) to \(range.last); the highest bar is \(highest)"]
    }

    /// Lines of at most ``width`` characters; only a longer word exceeds it.
    private static func wrapped(_ text: String, indent: String) -> [String] {
        var lines: [String] = []
        var line = indent
        var isEmpty = true
        for word in text.split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = String(repeating: " ", count: indent.count)
                isEmpty = true
            }
            line += (isEmpty ? "" : " ") + word
            isEmpty = false
        }
        return lines + [isEmpty ? String(line.reversed().drop { $0 == " " }.reversed()) : line]
    }

    private static func padded(_ text: String, _ width: Int, atEnd: Bool = true) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return atEnd ? text + space : space + text
    }
}

extension LogReport {
    /// The report as plain text, without a line break at its end.
    public var text: String { ReportText(title: file.printableLine, sections: sections).lines.joined(separator: "\n") }
}
