import Foundation

/// The results of an experiment, as rows of values, a table and a chart.
public struct ExperimentResults: Sendable {
    /// The experiment.
    public let experiment: Experiment
    /// The measured rows: one for each cell and read-out, then the predictors that need no training.
    public let rows: [Row]
    /// How certain the differences between systems are; nil when they were not compared row by row.
    public let comparison: SystemComparison?

    /// The values of one read-out of a cell.
    public struct Row: Sendable, Equatable {
        /// The name of the cell's row in the grid, or of the predictor.
        public var variant: String
        /// The read-out or setting within the cell; empty for a predictor.
        public var point: String
        /// The cell's seed; nil when nothing was trained.
        public var seed: UInt64?
        /// Why there are no values.
        public var divergence: String?
        /// Whether it is the cell's first row, which represents the cell.
        public var isFirst: Bool
        /// Whether tables show this row.
        var isShown: Bool
        /// All measured values.
        public var values: [String: Double]

        /// The name in tables.
        var name: String { isFirst || point.isEmpty ? variant : "\(variant), \(point)" }
    }

    /// Groups the results of a grid.
    ///
    /// - Parameters:
    ///   - experiment: The experiment.
    ///   - cells: Its grid.
    ///   - results: One result for each cell.
    ///   - floors: Baselines that need no training.
    ///   - bootstrap: A bootstrap over the evaluated rows, to compare systems; nil to skip the comparison.
    public init(
        _ experiment: Experiment,
        cells: [ExperimentCell],
        results: [CellResult],
        floors: [MeasuredPoint],
        bootstrap: PairedBootstrap? = nil
    ) {
        precondition(cells.count == results.count, "\(results.count) results of \(cells.count) cells")
        self.experiment = experiment
        let measured = zip(cells, results).flatMap { cell, result in
            Self.rows(
                of: cell,
                result,
                in: experiment,
                points: experiment == .figure4 ? result.progress.points : result.points
            )
        }
        let measure: String? =
            switch experiment {
            case .overall: "hr@20"
            case .probing: "linear_probe"
            default: nil
            }
        let others = floors.filter { floor in measure.map { floor.values[$0] != nil } ?? false }.map { floor in
            Row(variant: floor.name, point: "", isFirst: true, isShown: true, values: floor.values)
        }
        let comparison =
            experiment == .overall ? bootstrap.flatMap { SystemComparison(cells, results, $0) } : nil
        let differences = (comparison?.differences ?? []).map { name, difference in
            Row(
                variant: name,
                point: "minus \(comparison?.reference ?? "")",
                isFirst: false,
                isShown: false,
                values: [
                    "hr@20": difference.mean, "hr@20_low": difference.low, "hr@20_high": difference.high,
                    "hr@20_p": difference.p,
                ]
            )
        }
        self.comparison = comparison
        rows = measured + others + differences
    }

    private static func rows(
        of cell: ExperimentCell,
        _ result: CellResult,
        in experiment: Experiment,
        points: [MeasuredPoint]
    ) -> [Row] {
        func row(_ point: MeasuredPoint, isFirst: Bool) -> Row {
            var values = result.values.merging(point.values) { _, own in own }
            values["swept"] = cell.variant.value
            values["trials"] = Double(cell.variant.recipe.tuning.trials)
            return Row(
                variant: cell.variant.name,
                point: point.name,
                seed: cell.seed,
                divergence: result.divergence,
                isFirst: isFirst,
                isShown: isFirst || cell.variant.showsReadOuts || experiment.pointsStandAlone,
                values: values
            )
        }
        guard result.divergence == nil else { return [row(MeasuredPoint(name: "", values: [:]), isFirst: true)] }
        return points.enumerated().map { row($1, isFirst: $0 == 0) }
    }

    // MARK: CSV

    /// All rows with all values (RFC 4180), numbers in full precision.
    public var csv: String {
        let names = Set(rows.flatMap(\.values.keys)).sorted()
        let head = ["experiment", "row", "read_out", "seed", "status"] + names
        let lines = rows.map { row in
            [
                experiment.rawValue, row.variant, row.point, row.seed.map { "\($0)" } ?? "", row.divergence ?? "ok",
            ] + names.map { row.values[$0].map { "\($0)" } ?? "" }
        }
        return ([head] + lines).map { $0.map(Self.quoted).joined(separator: ",") }.joined(separator: "\n") + "\n"
    }

    private static func quoted(_ field: String) -> String {
        guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }

    // MARK: Table

    /// The table, laid out as in the paper.
    public var table: ExperimentTable {
        let groups = groups
        let measures = measures.filter { measure in
            groups.contains { $0.rows.contains { $0.values[measure.key] != nil && $0.divergence == nil } }
        }
        return ExperimentTable(
            measures: measures,
            rows: groups.map { group in
                ExperimentTable.Row(
                    name: group.name,
                    statistics: measures.map { group.statistic($0.key) },
                    failure: group.rows.allSatisfy { $0.divergence != nil } ? "diverged" : nil
                )
            },
            isTransposed: isTransposed
        )
    }

    /// A message for each cell whose training diverged.
    public var divergences: [String] {
        rows.compactMap { row in row.divergence.map { "\(row.variant), seed \(row.seed ?? 0): \($0)" } }
    }

    private var measures: [ExperimentTable.Measure] {
        typealias Measure = ExperimentTable.Measure
        let accuracies = [10, 20, 50].flatMap {
            [Measure("hr@\($0)", "HR@\($0)"), Measure("ndcg@\($0)", "NDCG@\($0)")]
        }
        let categories = [
            Measure("categories@100", "categories@100", isPercent: false, highestIsBest: false),
            Measure("first_categories@100", "first categories@100", isPercent: false, highestIsBest: false),
        ]
        switch experiment {
        case .overall:
            return accuracies + [Measure("mrr@20", "MRR@20"), Measure("coverage@20", "coverage@20")]
                + categories.prefix(1)
                + [
                    ("train_seconds", "training s"), ("parameters", "parameters"), ("us_per_user", "us a user"),
                    ("requests_per_s", "requests/s"), ("trials", "trials"),
                ].map { Measure($0.0, $0.1, isPercent: false, highestIsBest: false) }
        case .probing: return [Measure("linear_probe", "linear probe")] + categories + [accuracies[2], accuracies[4]]
        case .steps:
            let time = Measure("us_per_user", "us a user", isPercent: false, highestIsBest: false)
            return accuracies.dropFirst(2) + categories.prefix(1) + [time]
        case .figure4:
            let losses = Self.lossTerms.map { Measure($0, $0, isPercent: false, highestIsBest: false) }
            return losses + [Measure("hr@20", "validation HR@20")]
        case .information:
            return [("nats", "nats"), ("all_nats", "of at most"), ("cosine", "cosine with the target")].map {
                Measure($0.0, $0.1, isPercent: false, highestIsBest: false)
            } + [Measure("nearest", "target is nearest", highestIsBest: false)]
        case .reranking:
            return [
                ("list_hr@1", "HR@1"), ("list_hr@3", "HR@3"), ("list_ndcg@10", "NDCG@10"), ("list_mrr@10", "MRR@10"),
            ]
            .map { Measure($0.0, $0.1) } + [Measure("lists", "lists", isPercent: false, highestIsBest: false)]
        case .gem, .ablation, .maxStep, .lambda, .mu, .figure5: return accuracies
        }
    }

    private var isTransposed: Bool {
        switch experiment {
        case .gem, .ablation, .maxStep, .lambda, .mu: true
        case .overall, .probing, .steps, .figure4, .figure5, .information, .reranking: false
        }
    }

    /// Rows of the same name, one for each seed.
    private struct Group {
        var name: String
        var rows: [Row]

        func statistic(_ key: String) -> Statistic? {
            Statistic(rows.filter { $0.divergence == nil }.compactMap { $0.values[key] })
        }

        func point(x: Double?, _ key: String, scale: Double) -> Chart.Point? {
            guard let x, let statistic = statistic(key) else { return nil }
            return Chart.Point(x: x, y: scale * statistic.mean, deviation: scale * (statistic.deviation ?? 0))
        }
    }

    /// The table's groups of rows, in order of first appearance.
    private var groups: [Group] {
        var (groups, places): ([Group], [String: Int]) = ([], [:])
        for row in rows where row.isShown {
            let name = experiment.pointsStandAlone && row.divergence == nil ? "\(row.variant), \(row.point)" : row.name
            if let place = places[name] {
                groups[place].rows.append(row)
            } else {
                places[name] = groups.count
                groups.append(Group(name: name, rows: [row]))
            }
        }
        return groups
    }

    // MARK: Figure

    /// The chart.
    public var figure: Figure { Figure(title: experiment.title, charts: charts) }

    private static let lossTerms = ["guidance", "reconstruction", "softmax"]
    private static let hitRates = [("hr@20", "HR@20"), ("hr@50", "HR@50")]

    private var charts: [Chart] {
        switch experiment {
        case .overall, .gem, .ablation: return [bars(Self.hitRates, "percent", scale: 100)]
        case .reranking: return [bars([("list_hr@1", "HR@1"), ("list_mrr@10", "MRR@10")], "percent", scale: 100)]
        case .probing:
            return [
                bars([("linear_probe", "linear probe")], "accuracy, percent", scale: 100),
                bars(
                    [("categories@100", "all categories"), ("first_categories@100", "first categories")],
                    "in the top 100"
                ),
            ].filter { !$0.series.isEmpty }
        case .lambda, .mu, .maxStep:
            let label = experiment == .maxStep ? "T" : experiment.rawValue
            return [lines(Self.hitRates, x: "swept", xLabel: label, axis: .logarithmic)]
        case .figure5: return [lines(Self.hitRates, x: "reverse_step", xLabel: "reverse steps done", axis: .linear)]
        case .information:
            let nats = series(by: \.variant, x: "step", "nats", scale: 1)
            return [Chart(title: "Information in x_t", xLabel: "t", yLabel: "nats", axis: .linear, series: nats)]
        case .steps: return Self.hitRates.map { servingChart($0.0, $0.1) }
        case .figure4: return Self.lossTerms.map(lossChart)
        }
    }

    private func bars(_ keys: [(key: String, name: String)], _ yLabel: String, scale: Double = 1) -> Chart {
        let shown = groups.filter { group in keys.contains { group.statistic($0.key) != nil } }
        return Chart(
            title: keys.map(\.name).joined(separator: ", "),
            xLabel: "",
            yLabel: yLabel,
            axis: .names(shown.map(\.name)),
            series: keys.map { key, name in
                Chart.Series(
                    name: name,
                    points: shown.enumerated().compactMap { $1.point(x: Double($0), key, scale: scale) }
                )
            }
        )
    }

    private func lines(
        _ keys: [(key: String, name: String)],
        x: String,
        xLabel: String,
        axis: Chart.Axis
    ) -> Chart {
        let variants = Set(rows.map(\.variant))
        // A sweep is one line over all its variants; otherwise each variant has its own line.
        let isSweep = x == "swept"
        return Chart(
            title: keys.map(\.name).joined(separator: ", "),
            xLabel: xLabel,
            yLabel: "percent",
            axis: axis,
            series: keys.flatMap { key, name in
                series(by: { isSweep || variants.count == 1 ? name : "\($0.variant), \(name)" }, x: x, key, scale: 100)
            }
        )
    }

    private func servingChart(_ key: String, _ name: String) -> Chart {
        let isTimed = rows.contains { $0.values["us_per_user"] != nil }
        return Chart(
            title: name + ": a line for each number of samples J, a point for each number of steps S",
            xLabel: isTimed ? "microseconds a user" : "reverse steps",
            yLabel: "percent",
            axis: .logarithmic,
            series: series(
                by: { "J = " + NumberText.short($0.values["samples"] ?? 1) },
                x: isTimed ? "us_per_user" : "steps",
                key,
                scale: 100
            )
        )
    }

    private func lossChart(_ term: String) -> Chart {
        Chart(
            title: term + " loss",
            xLabel: "training steps",
            yLabel: term == "reconstruction" ? "squared distance" : "nats",
            axis: .linear,
            series: series(by: \.variant, x: "step", term, scale: 1)
        )
    }

    /// One line for each name; points are at the means of `x`.
    private func series(by name: (Row) -> String, x: String, _ key: String, scale: Double) -> [Chart.Series] {
        var (lines, places): ([Chart.Series], [String: Int]) = ([], [:])
        for group in groups {
            guard let row = group.rows.first(where: { $0.divergence == nil }),
                let point = group.point(x: group.statistic(x)?.mean, key, scale: scale)
            else { continue }
            let name = name(row)
            if places[name] == nil {
                places[name] = lines.count
                lines.append(Chart.Series(name: name, points: []))
            }
            lines[places[name, default: 0]].points.append(point)
        }
        return lines.map { Chart.Series(name: $0.name, points: $0.points.sorted { $0.x < $1.x }) }
    }
}

extension Experiment {
    /// Whether every point of a cell gets its own row, so that no point represents the cell.
    fileprivate var pointsStandAlone: Bool { [.steps, .figure4, .figure5, .information, .reranking].contains(self) }
}

extension TrainingProgress {
    /// The losses from validation to validation.
    fileprivate var points: [MeasuredPoint] {
        history.map { interval in
            var values = interval.terms.merging(interval.metrics) { term, _ in term }
            values["step"] = Double(interval.step)
            return MeasuredPoint(name: "step \(interval.step)", values: values)
        }
    }
}
