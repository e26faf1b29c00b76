extension ExperimentResults {
    /// The chart.
    public var figure: Figure { Figure(title: experiment.title, charts: charts) }

    static let lossTerms = ["guidance", "reconstruction", "softmax"]
    private static let hitRates = [("hr@20", "HR@20"), ("hr@50", "HR@50")]

    private var charts: [Chart] {
        switch experiment {
        case .overall, .gem, .ablation, .blend: return [bars(Self.hitRates, "percent", scale: 100)]
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

extension ExperimentResults.Group {
    /// A point of a line or a bar; nil without values.
    fileprivate func point(x: Double?, _ key: String, scale: Double) -> Chart.Point? {
        guard let x, let statistic = statistic(key) else { return nil }
        return Chart.Point(x: x, y: scale * statistic.mean, deviation: scale * (statistic.deviation ?? 0))
    }
}
