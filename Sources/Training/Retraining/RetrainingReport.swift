import Foundation
import Kernels

extension RetrainingSimulation.Way {
    /// The name in tables.
    public var name: String {
        switch self {
        case .full: "full"
        case .continued(let settings):
            "continued, \(NumberText.percent(settings.share)) of the steps at \(NumberText.short(settings.learningRate)) of the rate"
        case .skipped: "one period old"
        case .first: "never retrained"
        }
    }

    /// The name in plots, whose legends are narrow.
    fileprivate var shortName: String {
        guard case .continued(let settings) = self else { return name }
        return "continued, \(NumberText.short(100 * settings.share)) % x \(NumberText.short(settings.learningRate))"
    }
}

/// The table and the plot of a ``RetrainingSimulation``.
public struct RetrainingReport: Sendable {
    private let ways: [RetrainingSimulation.Way]
    private let periods: [RetrainingSimulation.Period]

    /// A report of some periods.
    public init(ways: [RetrainingSimulation.Way], periods: [RetrainingSimulation.Period]) {
        (self.ways, self.periods) = (ways, periods)
    }

    /// The periods in which the ways differ: all but the first, where every way is the full training.
    private var compared: ArraySlice<RetrainingSimulation.Period> { periods.dropFirst() }

    /// Means over the rows of the compared periods, in Markdown.
    public var markdown: String {
        let rows = compared.reduce(0) { $0 + $1.rows }
        func mean(_ way: Int, _ value: (RetrainingSimulation.Score) -> Double) -> Double {
            compared.reduce(0) { $0 + Double($1.rows) * value($1.scores[way]) } / Double(max(1, rows))
        }
        func sum(_ way: Int, _ value: (RetrainingSimulation.Score) -> Double) -> Double {
            compared.reduce(0) { $0 + value($1.scores[way]) }
        }
        func share(_ value: Double, _ whole: Double) -> String { whole > 0 ? NumberText.percent(value / whole) : "-" }
        var lines = [
            "\(compared.count) periods, \(NumberText.grouped(rows)) judged events. Rates are in percent.", "",
            "| model | HR@20 | of full | MRR@20 | of full | steps | of full | seconds | of full |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for (number, way) in ways.enumerated() {
            let cells = [
                way.name, String(format: "%.2f", 100 * mean(number, \.hitRate)),
                share(mean(number, \.hitRate), mean(0, \.hitRate)),
                String(format: "%.2f", 100 * mean(number, \.reciprocalRank)),
                share(mean(number, \.reciprocalRank), mean(0, \.reciprocalRank)),
                NumberText.grouped(Int(sum(number) { Double($0.steps) })),
                share(sum(number) { Double($0.steps) }, sum(0) { Double($0.steps) }),
                String(format: "%.0f", sum(number, \.seconds)), share(sum(number, \.seconds), sum(0, \.seconds)),
            ]
            lines.append("| \(cells.joined(separator: " | ")) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One line for each period and way, with the columns start, events, new_items, rows, model, hr@20, mrr@20, steps
    /// and seconds.
    public var csv: String {
        periods.reduce(into: "start,events,new_items,rows,model,hr@20,mrr@20,steps,seconds\n") { text, period in
            for (way, score) in zip(ways, period.scores) {
                text += "\(period.start),\(period.events),\(period.newItems),\(period.rows),\"\(way.name)\","
                text += String(format: "%.5f,%.5f,", score.hitRate, score.reciprocalRank)
                text += String(format: "%d,%.2f\n", score.steps, score.seconds)
            }
        }
    }

    /// HR@20 by period.
    private var chart: Chart {
        Chart(
            title: "HR@20 of each period's events",
            xLabel: "period",
            yLabel: "HR@20",
            axis: .linear,
            series: ways.enumerated().map { number, way in
                Chart.Series(
                    name: way.shortName,
                    points: periods.enumerated().map { Chart.Point(x: Double($0), y: $1.scores[number].hitRate) }
                )
            }
        )
    }

    /// The mean HR@20 of the compared periods up to each one, as a share of the full trainings' mean.
    private var share: Chart {
        func sums(_ way: Int) -> [Double] {
            compared.reduce(into: [0.0]) { $0.append($0[$0.count - 1] + Double($1.rows) * $1.scores[way].hitRate) }
        }
        let full = sums(0)
        return Chart(
            title: "HR@20 of all periods so far, in percent of the full trainings'",
            xLabel: "period",
            yLabel: "percent",
            axis: .linear,
            series: ways.enumerated().map { number, way in
                let own = sums(number)
                return Chart.Series(
                    name: way.shortName,
                    points: full.indices.dropFirst().filter { full[$0] > 0 }.map { period in
                        Chart.Point(x: Double(period), y: 100 * own[period] / full[period])
                    }
                )
            }
        )
    }

    /// Writes `retraining.md`, `retraining.csv` and `retraining.svg` into a folder, which is created if missing.
    ///
    /// - Returns: The paths.
    public func write(to folder: String) throws -> [String] {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let figure = Figure(title: "Retraining", charts: [chart, share])
        let files = [("md", markdown), ("csv", csv), ("svg", figure.svg)]
        return try files.map { name, text in
            let path = "\(folder)/retraining.\(name)"
            try DurableFile.write(Data(text.utf8), to: path)
            return path
        }
    }
}
