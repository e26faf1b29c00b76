import Foundation

/// Mean and standard deviation of one measure over seeds.
public struct Statistic: Sendable, Equatable {
    /// The mean.
    public let mean: Double
    /// The sample standard deviation; nil for a single value.
    public let deviation: Double?

    /// The statistic of some values; nil for none.
    public init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        self.mean = mean
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : nil
    }
}

/// A table of results: mean and standard deviation, the best of each measure in bold.
public struct ExperimentTable: Sendable {
    /// One measure.
    public struct Measure: Sendable, Equatable {
        /// Its name among measured values, such as `hr@20`.
        public var key: String
        /// Its heading.
        public var title: String
        /// Whether it is a fraction that is printed in percent.
        public var isPercent: Bool
        /// Whether the largest is printed bold.
        public var highestIsBest: Bool

        /// Names a measure.
        public init(_ key: String, _ title: String, isPercent: Bool = true, highestIsBest: Bool = true) {
            self.key = key
            self.title = title
            self.isPercent = isPercent
            self.highestIsBest = highestIsBest
        }
    }

    /// The results of one variant or read-out.
    public struct Row: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// One statistic for each measure; nil where there is none.
        public var statistics: [Statistic?]
        /// Why there are no statistics, such as a diverged training.
        public var failure: String?

        /// A row of statistics.
        public init(name: String, statistics: [Statistic?], failure: String? = nil) {
            self.name = name
            self.statistics = statistics
            self.failure = failure
        }
    }

    /// The measures.
    public var measures: [Measure]
    /// The rows.
    public var rows: [Row]
    /// Whether measures are lines and rows are columns.
    public var isTransposed: Bool

    /// A table.
    ///
    /// - Precondition: Each row has one statistic for each measure.
    public init(measures: [Measure], rows: [Row], isTransposed: Bool = false) {
        for row in rows {
            precondition(
                row.statistics.count == measures.count,
                "row '\(row.name)' has \(row.statistics.count) statistics for \(measures.count) measures"
            )
        }
        self.measures = measures
        self.rows = rows
        self.isTransposed = isTransposed
    }

    /// The table in Markdown.
    public var markdown: String {
        let heads = measures.map(\.title)
        let body = rows.map { row in measures.indices.map { cell(row, $0) } }
        var lines: [[String]]
        if isTransposed {
            lines = [[""] + rows.map(\.name)]
            lines += measures.indices.map { measure in [heads[measure]] + body.map { $0[measure] } }
        } else {
            lines = [[""] + heads] + zip(rows, body).map { [$0.name] + $1 }
        }
        lines.insert(["---"] + lines[0].dropFirst().map { _ in "---:" }, at: 1)
        return lines.map { "| " + $0.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |" }
            .joined(separator: "\n") + "\n"
    }

    private func cell(_ row: Row, _ measure: Int) -> String {
        guard let statistic = row.statistics[measure] else { return row.failure ?? "" }
        let text = text(statistic, measures[measure])
        return isBest(statistic, measure) ? "**\(text)**" : text
    }

    private func text(_ statistic: Statistic, _ measure: Measure) -> String {
        let scale = measure.isPercent ? 100.0 : 1
        // Constant counts and large values have no decimals.
        let isCount = !measure.isPercent && statistic.mean == statistic.mean.rounded() && statistic.deviation ?? 0 == 0
        let decimals = isCount || statistic.mean >= 1000 ? 0 : 2
        func printed(_ value: Double) -> String { String(format: "%.\(decimals)f", scale * value) }
        guard let deviation = statistic.deviation, !isCount else { return printed(statistic.mean) }
        return printed(statistic.mean) + " ± " + printed(deviation)
    }

    private func isBest(_ statistic: Statistic, _ measure: Int) -> Bool {
        let means = rows.compactMap { $0.statistics[measure]?.mean }
        return measures[measure].highestIsBest && means.count > 1 && statistic.mean == means.max()
    }
}
