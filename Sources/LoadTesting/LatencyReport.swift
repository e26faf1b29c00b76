import Foundation

/// A report of one or several runs: latency by percentile, tail latency by rate, and a table of the figures.
///
/// The report is one self-contained SVG without scripts. It follows the reader's preference for dark or light mode.
public struct LatencyReport: Sendable {
    /// The heading.
    public var title: String
    /// The runs, in the order of the table.
    public var runs: [LoadMeasurement]

    /// Creates a report of at least one run.
    public init(title: String, runs: [LoadMeasurement]) {
        precondition(!runs.isEmpty, "a report needs at least one run")
        self.title = title
        self.runs = runs
    }

    private static let width = 880.0
    private static let style = """
        svg{font:13px system-ui,sans-serif;background:#fff;color-scheme:light dark}\
        text{fill:#222}.dim{fill:#666}.grid{stroke:#ddd}.line{fill:none;stroke-width:2}
        @media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#e8e8e8}.dim{fill:#9aa0a8}.grid{stroke:#343840}}
        """

    /// The report as one SVG document.
    public var svg: String {
        var body = "<text x=\"24\" y=\"34\" font-size=\"18\">\(Self.escaped(title))</text>\n"
        var top = 56.0
        body += percentileChart.svg(x: 0, y: top, width: Self.width)
        top += Chart.height
        if let rateChart {
            body += rateChart.svg(x: 0, y: top, width: Self.width)
            top += Chart.height
        }
        body += table(y: top + 24)
        let height = top + 24 + Double(runs.count + 1) * 22 + 24
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(Self.width))" height="\(Int(height))" \
            viewBox="0 0 \(Int(Self.width)) \(Int(height))" role="img">
            <title>\(Self.escaped(title))</title>
            <style>\(Self.style)</style>
            \(body)</svg>

            """
    }

    /// The report as an HTML page with the SVG.
    public var html: String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"/><title>\(Self.escaped(title))</title>
        <meta name="viewport" content="width=device-width"/><meta name="color-scheme" content="light dark"/>
        <style>body{margin:0}svg{max-width:100%;height:auto}</style></head>
        <body>
        \(svg)</body></html>

        """
    }

    // MARK: Charts

    /// Latency by percentile, with 90, 99 and 99.9 percent equally far apart, as HdrHistogram draws it.
    private var percentileChart: Chart {
        let most = runs.map(\.latency.count).max() ?? 0
        let nines = max(2, Int(log10(Double(max(most, 1))).rounded(.up)))
        var chart = Chart(title: "Latency by percentile, from the due time of the request")
        chart.xTicks = [(0, "0"), (log10(2), "50")] + (1...nines).map { (Double($0), Self.percent($0)) }
        chart.xLabel = "percent"
        for (number, run) in runs.enumerated() where run.latency.count > 0 {
            let end = log10(Double(run.latency.count))
            let count = 200
            let points = (0...count).map { step -> (x: Double, y: Double) in
                let x = end * Double(step) / Double(count)
                return (x, run.latency[1 - pow(10, -x)])
            }
            chart.series.append(
                Chart.Series(name: Self.name(run), colour: Self.colour(number, of: runs.count), points: points)
            )
        }
        if let run = runs.first, runs.count == 1, run.serviceTime.count > 0 {
            let points = chart.series[0].points.map { (x: $0.x, y: run.serviceTime[1 - pow(10, -$0.x)]) }
            chart.series[0].name = "from due"
            chart.series.append(
                Chart.Series(name: "from sent", colour: Self.colour(1, of: 2), points: points, isDashed: true)
            )
        }
        return chart
    }

    /// Tail latency by rate; nil with fewer than two open-loop runs.
    private var rateChart: Chart? {
        let rows = runs.filter { $0.rate != nil && $0.latency.count > 0 }.sorted { ($0.rate ?? 0) < ($1.rate ?? 0) }
        guard let last = rows.last?.rate, rows.count > 1 else { return nil }
        var chart = Chart(title: "Latency by rate")
        chart.xTicks = Chart.roundValues(upTo: last).map { ($0, "\(Int($0))") }
        chart.xLabel = "requests a second"
        for (number, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].enumerated() {
            let points = rows.map { (x: $0.rate ?? 0, y: $0.latency[part.1]) }
            chart.series.append(
                Chart.Series(name: part.0, colour: Self.colour(number, of: 3), points: points, showsPoints: true)
            )
        }
        return chart
    }

    private func table(y top: Double) -> String {
        let columns = ["asked/s", "ok/s", "sent", "not ok", "p50 us", "p90 us", "p99 us", "p99.9 us", "max us"]
        let step = (Self.width - 48) / Double(columns.count)
        func row(_ cells: [String], y: Double, style: String) -> String {
            cells.enumerated().map { number, cell in
                let x = 24 + step * Double(number + 1) - 8
                return "<text class=\"\(style)\" text-anchor=\"end\" x=\"\(Int(x))\" y=\"\(Int(y))\">\(cell)</text>"
            }.joined() + "\n"
        }
        var text = row(columns, y: top, style: "dim")
        for (number, run) in runs.enumerated() {
            let latencies = [
                run.latency[0.5], run.latency[0.9], run.latency[0.99], run.latency[0.999], run.latency.maximum,
            ]
            let cells =
                [run.rate.map { "\(Int($0.rounded()))" } ?? "all", "\(Int(run.achievedRate.rounded()))", "\(run.sent)"]
                + ["\(run.errors + run.unsent)"] + latencies.map { "\(Int($0.rounded()))" }
            text += row(cells, y: top + Double(number + 1) * 22, style: "")
        }
        return text
    }

    private static func name(_ run: LoadMeasurement) -> String {
        run.rate.map { "\(Int($0.rounded()))/s" } ?? "closed loop"
    }

    /// From blue to red, readable on white and on black.
    private static func colour(_ number: Int, of count: Int) -> String {
        let hue = 215 - 215 * Double(number) / Double(max(1, count - 1))
        return "hsl(\(Int(hue)) 70% 50%)"
    }

    /// 90, 99, 99.9 and so on for 1, 2, 3 nines.
    private static func percent(_ nines: Int) -> String {
        nines == 1 ? "90" : nines == 2 ? "99" : "99." + String(repeating: "9", count: nines - 2)
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
