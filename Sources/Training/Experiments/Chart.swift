import Foundation

/// A chart of measured values: bars over names, or lines over a number, with error bars.
public struct Chart: Sendable {
    /// The kind of horizontal axis.
    public enum Axis: Sendable, Equatable {
        /// Groups of bars; `x` is the number of the name. Empty names have no label.
        case names([String])
        /// A linear axis.
        case linear
        /// A logarithmic axis; points at 0 or below are left out.
        case logarithmic
    }

    /// One value, with half the length of its error bar.
    public struct Point: Sendable, Equatable {
        /// The position on the horizontal axis.
        public var x: Double
        /// The value.
        public var y: Double
        /// The standard deviation; 0 draws no error bar.
        public var deviation: Double

        /// A value and its deviation.
        public init(x: Double, y: Double, deviation: Double = 0) {
            self.x = x
            self.y = y
            self.deviation = deviation
        }
    }

    /// Values of one name in the legend.
    public struct Series: Sendable, Equatable {
        /// The legend's text; empty for none.
        public var name: String
        /// The points, by ascending `x`.
        public var points: [Point]

        /// A named series.
        public init(name: String, points: [Point]) {
            self.name = name
            self.points = points
        }
    }

    /// The heading.
    public var title: String
    /// The label of the horizontal axis, with its unit.
    public var xLabel: String
    /// The label of the vertical axis, with its unit.
    public var yLabel: String
    /// The horizontal axis.
    public let axis: Axis
    /// The values that are drawn.
    public let series: [Series]

    /// A chart of some series.
    public init(title: String, xLabel: String, yLabel: String, axis: Axis, series: [Series]) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.axis = axis
        let drawn = series.map { series in
            Series(name: series.name, points: series.points.filter { axis != .logarithmic || $0.x > 0 })
        }
        self.series = drawn.filter { !$0.points.isEmpty }
    }

    /// Height of the drawing, including the labels below the axis.
    var height: Double { Frame.bottom + Frame(self).margin }

    /// The chart as an SVG group at the left edge, `y` from the top.
    func svg(y: Double) -> String {
        let frame = Frame(self)
        var text = "<g transform=\"translate(0 \(Frame.number(y)))\">\n"
        text += "<text x=\"24\" y=\"18\" font-size=\"15\">\(title.xmlEscaped)</text>\n"
        text += axes(frame)
        for (number, series) in series.enumerated() {
            text += isBars ? bars(series, number, frame) : line(series, number, frame)
            guard !series.name.isEmpty else { continue }
            let top = Frame.top + 14 + 18 * Double(number)
            text += "<rect fill=\"\(Self.colour(number))\" x=\"\(Frame.number(Frame.right + 16))\" "
            text += "y=\"\(Frame.number(top - 9))\" width=\"10\" height=\"10\"/>"
            text += "<text class=\"legend\" x=\"\(Frame.number(Frame.right + 32))\" y=\"\(Frame.number(top))\">"
            text += "\(series.name.xmlEscaped)</text>\n"
        }
        return text + "</g>\n"
    }

    /// Width of the drawing, including the legend if there is one.
    var width: Double { series.contains { !$0.name.isEmpty } ? 920 : Frame.right + 30 }

    /// The chart as an SVG element of its own, for a page with ``Figure/style``.
    var document: String {
        let size = "\(Frame.number(width)) \(Frame.number(height.rounded(.up)))"
        return "<svg viewBox=\"0 0 \(size)\" width=\"\(Frame.number(width))\" role=\"img\" "
            + "aria-label=\"\(title.xmlEscaped)\">\n\(svg(y: 0))</svg>\n"
    }

    private var isBars: Bool { if case .names = axis { true } else { false } }

    /// Distinct hues that are readable on white and on black.
    private static func colour(_ number: Int) -> String {
        let hues = [215, 25, 150, 285, 345, 60, 185, 105]
        return "hsl(\(hues[number % hues.count]) 65% 50%)"
    }

    private func axes(_ frame: Frame) -> String {
        var text = ""
        for tick in frame.yTicks {
            let y = Frame.number(frame.place(y: tick))
            text += "<path class=\"grid\" d=\"M\(Frame.number(Frame.left)) \(y)H\(Frame.number(Frame.right))\"/>"
            text +=
                "<text class=\"y-tick\" text-anchor=\"end\" x=\"\(Frame.number(Frame.left - 8))\" y=\"\(y)\" dy=\"4\">"
            text += "\(NumberText.short(tick))</text>\n"
        }
        let bottom = Frame.number(Frame.bottom)
        for tick in frame.xTicks {
            let x = Frame.number(frame.place(x: tick.value))
            text += "<path class=\"axis\" d=\"M\(x) \(bottom)v4\"/>"
            let placing =
                frame.isSlanted
                ? "text-anchor=\"end\" transform=\"rotate(-28 \(x) \(Frame.number(Frame.bottom + 16)))\""
                : "text-anchor=\"middle\""
            text += "<text class=\"x-tick\" \(placing) x=\"\(x)\" y=\"\(Frame.number(Frame.bottom + 18))\">"
            text += "\(tick.name.xmlEscaped)</text>\n"
        }
        text += "<path class=\"axis\" d=\"M\(Frame.number(Frame.left)) \(Frame.number(Frame.top))V\(bottom)"
        text += "H\(Frame.number(Frame.right))\"/>\n"
        text += "<text class=\"label\" text-anchor=\"end\" x=\"\(Frame.number(Frame.right))\" "
        text += "y=\"\(Frame.number(Frame.bottom + frame.margin - 12))\">\(xLabel.xmlEscaped)</text>\n"
        text += "<text class=\"label\" x=\"24\" y=\"\(Frame.number(Frame.top - 14))\">\(yLabel.xmlEscaped)</text>\n"
        return text
    }

    private func line(_ series: Series, _ number: Int, _ frame: Frame) -> String {
        let places = series.points.map { "\(Frame.number(frame.place(x: $0.x))),\(Frame.number(frame.place(y: $0.y)))" }
        var text = "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"\(Self.colour(number))\" "
        text += "points=\"\(places.joined(separator: " "))\"/>\n"
        for point in series.points {
            let x = frame.place(x: point.x)
            text += errorBar(point, x: x, frame)
            text += "<circle r=\"3\" fill=\"\(Self.colour(number))\" cx=\"\(Frame.number(x))\" "
            text += "cy=\"\(Frame.number(frame.place(y: point.y)))\"/>\n"
        }
        return text
    }

    private func bars(_ series: Series, _ number: Int, _ frame: Frame) -> String {
        let width = frame.groupWidth / Double(self.series.count)
        return series.points.map { point in
            let left = frame.place(x: point.x) - frame.groupWidth / 2 + width * Double(number)
            let top = frame.place(y: point.y)
            return "<rect class=\"bar\" fill=\"\(Self.colour(number))\" x=\"\(Frame.number(left))\" "
                + "y=\"\(Frame.number(top))\" width=\"\(Frame.number(width * 0.92))\" "
                + "height=\"\(Frame.number(Frame.bottom - top))\"/>\n"
                + errorBar(point, x: left + width * 0.46, frame)
        }.joined()
    }

    private func errorBar(_ point: Point, x: Double, _ frame: Frame) -> String {
        guard point.deviation > 0 else { return "" }
        let (low, high) = (frame.place(y: point.y - point.deviation), frame.place(y: point.y + point.deviation))
        return "<path class=\"error\" d=\"M\(Frame.number(x)) \(Frame.number(low))V\(Frame.number(high))"
            + "M\(Frame.number(x - 3)) \(Frame.number(low))h6M\(Frame.number(x - 3)) \(Frame.number(high))h6\"/>\n"
    }
}

/// The plotting area of a chart; maps values to coordinates.
private struct Frame {
    static let (left, right, top, bottom) = (72.0, 730.0, 54.0, 326.0)
    /// Width of a letter; for a slanted one, its extent to the left and down.
    private static let letter = (width: 6.6, left: 5.8, down: 3.1)

    /// Room below the axis.
    let margin: Double
    /// Whether names are slanted because they do not fit otherwise.
    let isSlanted: Bool
    let yTicks: [Double]
    let xTicks: [(value: Double, name: String)]
    private let axis: Chart.Axis
    private let xRange: ClosedRange<Double>

    init(_ chart: Chart) {
        axis = chart.axis
        let points = chart.series.flatMap(\.points)
        let lowest = points.map { $0.y - $0.deviation }.min() ?? 0
        let highest = points.map { $0.y + $0.deviation }.max() ?? 1
        switch chart.axis {
        case .names(let names):
            let slot = (Self.right - Self.left) / Double(max(1, names.count))
            let labelled = names.indices.filter { !names[$0].isEmpty }
            let room = slot * Double(zip(labelled, labelled.dropFirst()).map { $1 - $0 }.min() ?? max(1, names.count))
            let isSlanted = names.contains { Double($0.count) * Self.letter.width + 8 > room }
            // A slanted name ends below its group; it is cut where it would cross the left edge.
            let shown = names.enumerated().map { number, name in
                let room = Int((Self.left + slot * (Double(number) + 0.5)) / Self.letter.left)
                return isSlanted && name.count > room ? name.prefix(room - 1) + "…" : name
            }
            self.isSlanted = isSlanted
            margin = isSlanted ? 48 + Self.letter.down * Double(shown.map(\.count).max() ?? 0) : 54
            yTicks = Self.ticks(min(0, lowest), highest)
            xTicks = labelled.map { (Double($0), shown[$0]) }
            xRange = -0.5...max(0.5, Double(names.count) - 0.5)
        case .linear:
            (isSlanted, margin) = (false, 54)
            yTicks = Self.ticks(lowest, highest)
            let (low, high) = (points.map(\.x).min() ?? 0, points.map(\.x).max() ?? 1)
            xRange = Self.padded(low, high)
            xTicks = Self.ticks(low, high).filter { (low...high).contains($0) }.map { ($0, NumberText.short($0)) }
        case .logarithmic:
            (isSlanted, margin) = (false, 54)
            yTicks = Self.ticks(lowest, highest)
            let xs = Set(points.map(\.x)).sorted()
            let (low, high) = (log10(xs.first ?? 1), log10(xs.last ?? 10))
            xRange = Self.padded(low, high)
            // Ticks are the values themselves when they are few, round numbers otherwise.
            let round = (Int(low.rounded(.down))...Int(high.rounded(.up))).flatMap { decade in
                [1, 2, 5].map { $0 * pow(10, Double(decade)) }
            }
            let ticks = xs.count <= 8 ? xs : round.filter { (low...high).contains(log10($0)) }
            xTicks = ticks.map { ($0, NumberText.short($0)) }
        }
    }

    func place(x: Double) -> Double {
        let value = axis == .logarithmic ? log10(x) : x
        return Self.left + (Self.right - Self.left) * (value - xRange.lowerBound)
            / (xRange.upperBound - xRange.lowerBound)
    }

    func place(y: Double) -> Double {
        let (low, high) = (yTicks[0], yTicks[yTicks.count - 1])
        return Self.bottom - (Self.bottom - Self.top) * (y - low) / (high - low)
    }

    /// A range with a margin, so points do not lie on the axis.
    private static func padded(_ low: Double, _ high: Double) -> ClosedRange<Double> {
        let room = high > low ? 0.02 * (high - low) : 1
        return (low - room)...(high + room)
    }

    /// Width of a group of bars.
    var groupWidth: Double { 0.8 * (Self.right - Self.left) / (xRange.upperBound - xRange.lowerBound) }

    /// At least two round numbers around a range, 1, 2 or 5 times a power of ten apart.
    private static func ticks(_ low: Double, _ high: Double) -> [Double] {
        // Figures of a version from elsewhere may be any numbers.
        guard (high - low).isFinite else { return [low, high] }
        let span = max(high - low, abs(high) * 1e-3, 1e-9)
        let magnitude = pow(10, log10(span / 5).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * magnitude }.first { $0 * 5 >= span * 0.999 } ?? span
        let (first, last) = ((low / step).rounded(.down), (high / step).rounded(.up))
        return (Int(first)...max(Int(first) + 1, Int(last))).map { Double($0) * step }
    }

    /// A coordinate with two decimals.
    static func number(_ value: Double) -> String { NumberText.short((value * 100).rounded() / 100) }
}

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
