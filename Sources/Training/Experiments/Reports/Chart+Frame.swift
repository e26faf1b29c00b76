import Foundation

extension Chart {
    /// The plotting area of a chart; maps values to coordinates.
    struct Frame {
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
                let room =
                    slot * Double(zip(labelled, labelled.dropFirst()).map { $1 - $0 }.min() ?? max(1, names.count))
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
}
