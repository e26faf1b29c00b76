import Foundation
import Kernels

/// A report as one HTML page: no scripts, no files beside it, in the reader's light or dark mode.
struct ReportPage {
    /// The page.
    let html: String

    private static let style = """
        :root{color-scheme:light dark}*{box-sizing:border-box}
        body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;background:#fff;color:#222}
        h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2.5rem}
        table{border-collapse:collapse;margin:1rem 0;max-width:100%}
        th,td{text-align:left;padding:.25rem 1rem .25rem 0;border-bottom:1px solid #ddd;vertical-align:top}td{overflow-wrap:anywhere}
        th{font-weight:600;color:#666}td.number,th.number{text-align:right;white-space:nowrap}
        table.facts th{font-weight:400}table.facts td{white-space:normal;overflow-wrap:normal}
        pre{overflow:auto;padding:1rem;background:#f4f4f5}code,pre{font:14px/1.4 ui-monospace,monospace}
        section{display:flex;flex-wrap:wrap;gap:0 2.5rem;align-items:flex-start}
        h2,p,ul,details{flex:0 0 100%;margin-bottom:.5rem}pre{max-height:30rem}
        svg{flex:0 1 36rem;min-width:0;height:auto;margin:1rem 0}
        @media(prefers-color-scheme:dark){body{background:#16181c;color:#e8e8e8}th{color:#9aa0a8}
        th,td{border-color:#343840}pre{background:#22252b}}
        """

    /// Renders sections below a heading.
    init(title: String, sections: [ReportSection]) {
        var body = "<h1>\(title.xmlEscaped)</h1>\n"
        for section in sections {
            body += "<section>\n<h2>\(Self.inline(section.title))</h2>\n"
            body += section.blocks.map(Self.html).joined()
            body += "</section>\n"
        }
        html = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width"/>
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
            <title>\(title.xmlEscaped)</title>
            <style>\(Figure.style)\(Self.style)</style>
            </head>
            <body>
            \(body)</body>
            </html>

            """
    }

    private static func html(_ block: ReportSection.Block) -> String {
        switch block {
        case .text(let text): "<p>\(inline(text))</p>\n"
        case .list(let items): "<ul>\n" + items.map { "<li>\(inline($0))</li>\n" }.joined() + "</ul>\n"
        case .facts(let facts):
            "<table class=\"facts\">\n"
                + facts.map { fact in
                    "<tr><th scope=\"row\">\(fact.name.xmlEscaped)</th>"
                        + "<td class=\"number\">\(fact.value.xmlEscaped)</td></tr>\n"
                }.joined() + "</table>\n"
        case .table(let table): html(table)
        case .chart(let chart, _): chart.document
        case .folded(let title, let text):
            "<details><summary>\(title.xmlEscaped)</summary><pre>\(text.xmlEscaped)</pre></details>\n"
        }
    }

    private static func html(_ table: ReportTable) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            let cells = zip(table.columns, cells).map { column, cell in
                "<\(tag)\(column.isNumber ? " class=\"number\"" : "")>\(cell.xmlEscaped)</\(tag)>"
            }
            return "<tr>\(cells.joined())</tr>\n"
        }
        return "<table>\n" + row(table.columns.map(\.name), "th") + table.rows.map { row($0, "td") }.joined()
            + "</table>\n"
    }

    /// Escaped text; pairs of backticks enclose code.
    private static func inline(_ text: String) -> String {
        let parts = text.xmlEscaped.split(separator: "`", omittingEmptySubsequences: false)
        guard parts.count % 2 == 1 else { return text.xmlEscaped }
        return parts.enumerated().map { $0 % 2 == 1 ? "<code>\($1)</code>" : String($1) }.joined()
    }
}

extension LogReport {
    /// The report as one HTML page that needs nothing else; the log's own text in it is escaped.
    public var html: String { ReportPage(title: "Log \(file.printableLine)", sections: sections).html }

    /// Writes the page atomically; replaces a file of that name.
    public func writePage(to path: String) throws { try DurableFile.write(Data(html.utf8), to: path) }
}
