import Foundation
import Kernels
import Recommenders
import Testing
import Training

extension Markup {
    fileprivate var names: [String] { elements.map(\.name) }
    fileprivate var attributes: [(name: String, value: String)] {
        elements.flatMap { $0.attributes.map { ($0.key, $0.value) } }
    }
    /// The text of every table cell.
    fileprivate var cells: [String] { elements.filter { $0.name == "td" }.map(\.text) }
}

@Suite("Log rendering") struct LogRenderingTests {
    private static let hostile = [
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "&lt;b&gt;", "]]>", "`code`", "日本語",
        "</table></td>",
        "\u{1B}[2J\u{7}bell", "right\u{202E}left", "two\nlines", String(repeating: "long ", count: 200),
    ]

    /// A log whose ids are hostile, with duplicates and a script.
    private static var rows: [LogRow] {
        let events = hostile.enumerated().flatMap { number, id in
            (0..<12).map { (id, hostile[(number + $0) % hostile.count], "\(1_600_000_000 + number * 90 + $0 * 7)") }
        }
        let script = (0..<700).map { (hostile[0], hostile[$0 % 3], "\(1_600_100_000 + $0)") }
        return events + events.prefix(24) + script
    }

    @Test("ids and titles of a log are text and never markup") func hostileIDs() throws {
        let items =
            "item,title\n"
            + Self.hostile.map { id in
                let quoted = "\"\(id.replacing("\"", with: "\"\""))\""
                return "\(quoted),\(quoted)\n"
            }.joined()
        let report = try withFile(items, name: "items.csv") { items in
            try withFile(csv(Self.rows), name: "a<b>&\"c\".csv") { try LogReport(events: $0, items: items) }
        }
        let page = try #require(Markup(report.html))
        let known = Set([
            "html", "head", "meta", "title", "style", "body", "h1", "h2", "section", "p", "code", "ul", "li", "table",
            "tr",
            "th", "td", "details", "summary", "pre", "svg", "g", "text", "path", "rect", "circle", "polyline",
        ])
        #expect(Set(page.names).subtracting(known).isEmpty)
        #expect(!page.attributes.contains { $0.name.hasPrefix("on") || $0.name == "src" || $0.name == "href" })
        for id in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "&lt;b&gt;", "`code`", "日本語"] {
            #expect(page.cells.contains(id), "\(id)")
        }
        #expect(page.cells.contains("\\u{1B}[2J\\u{7}bell") && page.cells.contains("two\\u{A}lines"))
        #expect(page.cells.allSatisfy { $0.count < 200 })
    }

    @Test("text for a terminal has no control characters but line breaks") func terminal() throws {
        let text = try report(on: Self.rows).text
        #expect(
            text.unicodeScalars.allSatisfy {
                $0 == "\n" || ![.control, .format].contains($0.properties.generalCategory)
            }
        )
        #expect(text.contains("right\\u{202E}left"))
        // The name of a file is text of a stranger too, also in the reason of a refusal.
        let refused = try withFile(csv([("a", "x", "1")]), name: "\u{1B}[2J.csv") { try LogReport(events: $0) }
        #expect(!refused.text.unicodeScalars.contains("\u{1B}"))
        #expect(refused.findings.first?.contains("this log. Too few events in '") == true)
        #expect(refused.findings.first?.contains("\\u{1B}[2J.csv'") == true)
    }

    @Test("lines of text fit a terminal of 100 columns when ids are short") func width() throws {
        let rows = randomRows(users: 80, items: 20, longest: 40, seed: 3).map { row in
            (row.user, row.item, "\(1_600_000_000 + (Int(row.time) ?? 0) * 900_000)")
        }
        let lines = try report(on: rows).text.split(separator: "\n").dropFirst()
        #expect(lines.allSatisfy { $0.count <= 100 }, "\(lines.filter { $0.count > 100 })")
    }

    @Test("a page needs nothing else, and has a plot for each chart") func selfContained() throws {
        let page = try #require(Markup(try report(on: Self.rows).html))
        #expect(page.names.count { $0 == "svg" } == 6 && !page.names.contains("script") && !page.names.contains("link"))
        let policies = page.attributes.filter { $0.name == "content" }.map(\.value)
        #expect(policies.contains("default-src 'none'; style-src 'unsafe-inline'"))
    }

    @Test("JSON has the statistics in snake case, and the recipe as its file") func json() throws {
        let report = try report(on: Self.rows)
        let object = try #require(try JSONSerialization.jsonObject(with: report.json) as? [String: Any])
        #expect(object["users"] as? Int == report.users && object["events"] as? Int == report.events)
        let lengths = try #require(object["lengths"] as? [String: Any])
        #expect(
            (lengths["events"] as? [String: Any])?["upper_quartile"] as? Double == report.lengths.events.upperQuartile
        )
        #expect(lengths["single_event_users"] as? Int == 0)
        let training = try #require(object["training"] as? [String: Any])
        let recipe = try JSONSerialization.data(withJSONObject: try #require(training["recipe"]))
        #expect(try Recipe(json: recipe) == report.training.get().recipe)
        let systems = try #require((training["baselines"] as? [String: Any])?["systems"] as? [[String: Any]])
        #expect(systems.map { $0["hr@20"] as? Double } == (try report.training.get().baselines.systems.map(\.hitRate)))
        #expect((object["duplicates"] as? [String: Any])?["rows"] as? Int == 24)
        let activity = try #require(object["activity"] as? [String: Any])
        #expect(activity["new_item_share_of_last_tenth"] as? Double == 0)
    }

    @Test("a page can be written, and an unwritable path is an error with its name") func writing() throws {
        let report = try report(on: Self.rows)
        try withFile("") { path in
            try report.writePage(to: path)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == report.html)
        }
        let error = #expect(throws: ExperimentError.self) { try report.writePage(to: "/nowhere/at/all.html") }
        #expect(error.map { "\($0)" }?.contains("/nowhere/at/all.html") == true)
    }
}
