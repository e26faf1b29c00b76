import Foundation

/// Charts below each other in one SVG document without scripts, in the reader's light or dark mode.
public struct Figure: Sendable {
    /// The heading.
    public var title: String
    /// The charts, the first on top.
    public var charts: [Chart]

    /// A figure of some charts.
    public init(title: String, charts: [Chart]) {
        self.title = title
        self.charts = charts
    }

    private static let width = 920
    /// The style of charts, in light and dark mode.
    static let style = """
        svg{font:13px system-ui,sans-serif;background:#fff;color-scheme:light dark}\
        text{fill:#222}.x-tick,.y-tick,.label{fill:#666}.grid{stroke:#ddd}.axis{stroke:#888;fill:none}\
        .error{stroke:#222;fill:none}
        @media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#e8e8e8}\
        .x-tick,.y-tick,.label{fill:#9aa0a8}.grid{stroke:#343840}.axis{stroke:#777}.error{stroke:#e8e8e8}}
        """

    /// The document.
    public var svg: String {
        var (body, bottom) = ("", 48.0)
        for chart in charts {
            body += chart.svg(y: bottom)
            bottom += chart.height
        }
        let height = Int(bottom.rounded(.up)) + 8
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.width)" height="\(height)" \
            viewBox="0 0 \(Self.width) \(height)" role="img">
            <title>\(title.xmlEscaped)</title>
            <style>\(Self.style)</style>
            <text x="24" y="32" font-size="18">\(title.xmlEscaped)</text>
            \(body)</svg>

            """
    }
}

/// Formats numbers for people.
enum NumberText {
    /// Up to six significant digits, without trailing zeros.
    static func short(_ value: Double) -> String { String(format: "%.6g", value) }
}

extension String {
    /// The text as content or as a quoted attribute of an element.
    var xmlEscaped: String {
        // By scalar: a combining mark makes one character with the sign before it.
        unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
