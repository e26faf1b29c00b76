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
    ///   - merged: The points of merged lists by seed.
    ///   - floors: Baselines that need no training.
    ///   - bootstrap: A bootstrap over the evaluated rows, to compare systems; nil to skip the comparison.
    public init(
        _ experiment: Experiment,
        cells: [ExperimentCell],
        results: [CellResult],
        merged: [(seed: UInt64, points: [MeasuredPoint])] = [],
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
        let blends = merged.flatMap { seed, points in
            points.map { Row(variant: $0.name, point: "", seed: seed, isFirst: true, isShown: true, values: $0.values) }
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
        rows = measured + blends + others + differences
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
                isShown: isFirst || experiment.pointsStandAlone
                    || cell.variant.showsReadOuts && experiment != .blend,
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

    // MARK: Groups

    /// Rows of the same name, one for each seed.
    struct Group {
        var name: String
        var rows: [Row]

        func statistic(_ key: String) -> Statistic? {
            Statistic(rows.filter { $0.divergence == nil }.compactMap { $0.values[key] })
        }
    }

    /// The table's groups of rows, in order of first appearance.
    var groups: [Group] {
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
