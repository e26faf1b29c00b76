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
