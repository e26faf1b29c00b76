import Foundation

/// A line chart: a linear x axis with given ticks, and a logarithmic y axis of latencies in microseconds.
struct Chart {
    struct Series {
        var name: String
        var colour: String
        var points: [(x: Double, y: Double)]
        var isDashed = false
        var showsPoints = false
    }

    static let height = 340.0

    var title: String
    var series: [Series] = []
    var xTicks: [(value: Double, name: String)] = []
    var xLabel = ""

    init(title: String) {
        self.title = title
    }

    /// About five round numbers, from 0 to the first that is not below `value`, which must be positive.
    static func roundValues(upTo value: Double) -> [Double] {
        let magnitude = pow(10, log10(value / 5).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * magnitude }.first { $0 * 5 >= value } ?? value
        return (0...Int((value / step).rounded(.up))).map { Double($0) * step }
    }

    /// The chart as an SVG group with its corner at `x`, `y`.
    func svg(x: Double, y: Double, width: Double) -> String {
        let (left, right, top, bottom) = (70.0, width - 110, 34.0, Self.height - 46)
        let values = series.flatMap { $0.points.map { max($0.y, 1) } }
        let low = pow(10, log10(values.min() ?? 1).rounded(.down))
        let high = max(pow(10, log10(values.max() ?? 10).rounded(.up)), low * 10)
        let lastX = max(xTicks.last?.value ?? 1, series.flatMap { $0.points.map(\.x) }.max() ?? 0)
        func place(x value: Double) -> String { Self.number(left + (right - left) * value / lastX) }
        func place(y value: Double) -> String {
            Self.number(bottom - (bottom - top) * log10(max(value, 1) / low) / log10(high / low))
        }
        var text = "<g transform=\"translate(\(Self.number(x)) \(Self.number(y)))\">\n"
        text += "<text x=\"24\" y=\"16\">\(LatencyReport.escaped(title))</text>\n"
        var decade = low
        while decade <= high * 1.001 {
            for step in 1...9 where decade * Double(step) <= high * 1.001 {
                let height = place(y: decade * Double(step))
                let faint = step == 1 ? "" : " opacity=\"0.4\""
                text += "<path class=\"grid\"\(faint) d=\"M\(Self.number(left)) \(height)H\(Self.number(right))\"/>"
            }
            text +=
                "<text class=\"dim\" text-anchor=\"end\" x=\"\(Self.number(left - 8))\" y=\"\(place(y: decade))\" dy=\"4\">"
            text += "\(Self.duration(decade))</text>\n"
            decade *= 10
        }
        for tick in xTicks {
            text += "<path class=\"grid\" d=\"M\(place(x: tick.value)) \(Self.number(top))V\(Self.number(bottom))\"/>"
            text +=
                "<text class=\"dim\" text-anchor=\"middle\" x=\"\(place(x: tick.value))\" y=\"\(Self.number(bottom + 18))\">"
            text += "\(tick.name)</text>\n"
        }
        text += "<text class=\"dim\" text-anchor=\"end\" x=\"\(Self.number(right))\" y=\"\(Self.number(bottom + 36))\">"
        text += "\(xLabel)</text>\n"
        for (number, line) in series.enumerated() {
            let points = line.points.map { "\(place(x: $0.x)),\(place(y: $0.y))" }.joined(separator: " ")
            let dashes = line.isDashed ? " stroke-dasharray=\"5 4\"" : ""
            text += "<polyline class=\"line\" stroke=\"\(line.colour)\"\(dashes) points=\"\(points)\"/>\n"
            for point in line.points where line.showsPoints {
                text +=
                    "<circle r=\"3\" fill=\"\(line.colour)\" cx=\"\(place(x: point.x))\" cy=\"\(place(y: point.y))\"/>"
            }
            let height = top + 12 + 16 * Double(number)
            text += "<path stroke=\"\(line.colour)\" stroke-width=\"3\" d=\"M\(Self.number(right + 12)) "
            text += "\(Self.number(height - 4))h14\"/>"
            text +=
                "<text x=\"\(Self.number(right + 32))\" y=\"\(Self.number(height))\">\(LatencyReport.escaped(line.name))</text>\n"
        }
        return text + "</g>\n"
    }

    /// Microseconds in a readable unit.
    private static func duration(_ microseconds: Double) -> String {
        microseconds >= 1_000_000
            ? "\(Int(microseconds / 1_000_000)) s"
            : microseconds >= 1000 ? "\(Int(microseconds / 1000)) ms" : "\(Int(microseconds)) us"
    }

    private static func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
    }
}
