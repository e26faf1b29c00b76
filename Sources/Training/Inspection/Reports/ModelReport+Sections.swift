import CheckpointStore
import Foundation

extension ModelReport {
    var sections: [ReportSection] {
        [versionSection, curveSection, simplerSection, segmentSection, exampleSection].compactMap(\.self)
    }

    private var versionSection: ReportSection {
        var facts = [
            ("system", manifest.system), ("published", manifest.createdAt),
            ("items", NumberText.grouped(manifest.items)), ("training rows", NumberText.grouped(manifest.trainRows)),
            ("training time", NumberText.duration(manifest.seconds)), ("split", manifest.data.split),
        ]
        if let origin = manifest.origin {
            facts.append(("continued from", "\(origin.model) version \(origin.version)"))
        }
        if let log = manifest.log {
            facts.append(("events of the log", NumberText.grouped(log.events)))
            let scale = TimeScale(rawValue: log.unit) ?? .ordinals
            facts.append(("newest event", scale.text(Timestamp(log.newest))))
        }
        facts += [
            ("HR@20 on \(NumberText.grouped(overall.rows)) held-out rows", NumberText.rate(overall.hitRate)),
            ("MRR@20", NumberText.rate(overall.reciprocalRank)),
        ]
        var blocks: [ReportSection.Block] = [.facts(facts.map { (name: $0.0, value: $0.1) })]
        if let judgement = manifest.judgement {
            blocks.append(.text("When it was published: \(judgement.description)."))
        }
        return ReportSection(title: "The version", blocks: blocks)
    }

    private var curveSection: ReportSection? {
        guard let curve = manifest.curve, curve.count > 1 else { return nil }
        func series(_ name: String, _ value: (ValidationPoint) -> Double) -> Chart.Series {
            Chart.Series(name: name, points: curve.map { Chart.Point(x: Double($0.step), y: value($0)) })
        }
        let best = curve.max { $0.hitRate < $1.hitRate } ?? curve[0]
        return ReportSection(
            title: "Learning curve",
            blocks: [
                .text(
                    "Validation during the training, without counts. The best HR@20, \(NumberText.rate(best.hitRate)), was "
                        + "reached at step \(NumberText.grouped(best.step)) of \(NumberText.grouped(curve[curve.count - 1].step))."
                ),
                .chart(
                    Chart(
                        title: "Validation by step",
                        xLabel: "step",
                        yLabel: "rate",
                        axis: .linear,
                        series: [series("HR@20", \.hitRate), series("MRR@20", \.reciprocalRank)]
                    )
                ),
            ]
        )
    }

    private var simplerSection: ReportSection? {
        guard let baselines else { return nil }
        let own = ["this model", NumberText.rate(overall.hitRate), NumberText.rate(overall.reciprocalRank), ""]
        let others = baselines.systems.map { row in
            [
                row.system, row.hitRate.map(NumberText.rate) ?? "-", row.meanReciprocalRank.map(NumberText.rate) ?? "-",
                row.leftOut.map { "left out: \($0)" } ?? "",
            ]
        }
        let best = baselines.best(by: \.hitRate)?.hitRate ?? 0
        let gain = overall.hitRate - best
        let margin = baselines.margin(overall.hitRate)
        let verdict =
            gain > margin
            ? "The model is better than the best of them by more than the noise of so many rows."
            : gain < -margin
                ? "The best of them is better than the model by more than the noise of so many rows: use it, or train longer."
                : "The difference to the best of them is within the noise of so many rows."
        return ReportSection(
            title: "What simpler systems give",
            blocks: [
                .text(
                    "The same \(NumberText.grouped(overall.rows)) rows (\(`protocol`.rawValue)). \(verdict) "
                        + "Half the 95 percent interval of HR@20 is \(NumberText.rate(margin))."
                ),
                .table(
                    ReportTable(["system", "HR@20", "MRR@20", ""], numbers: ["HR@20", "MRR@20"], rows: [own] + others)
                ),
            ]
        )
    }

    private var segmentSection: ReportSection {
        func table(_ name: String, _ segments: [Segment]) -> ReportSection.Block {
            .table(
                ReportTable(
                    [name, "rows", "HR@20", "MRR@20"],
                    numbers: ["rows", "HR@20", "MRR@20"],
                    rows: segments.filter { $0.rows > 0 }.map { segment in
                        [
                            segment.name, NumberText.grouped(segment.rows), NumberText.rate(segment.hitRate),
                            NumberText.rate(segment.reciprocalRank),
                        ]
                    }
                )
            )
        }
        let shown = byHistory.filter { $0.rows > 0 }
        return ReportSection(
            title: "Figures by segment",
            blocks: [
                table("known items before the target", byHistory),
                .chart(
                    Chart(
                        title: "HR@20 by known items before the target",
                        xLabel: "known items",
                        yLabel: "HR@20",
                        axis: .names(shown.map(\.name)),
                        series: [
                            Chart.Series(
                                name: "",
                                points: shown.enumerated().map { Chart.Point(x: Double($0), y: $1.hitRate) }
                            )
                        ]
                    )
                ),
                table("popularity of the target", byPopularity),
            ]
        )
    }

    private var exampleSection: ReportSection? {
        guard !examples.isEmpty else { return nil }
        return ReportSection(
            title: "Examples of answers",
            blocks: [
                .text("The newest items before a target, the target, and the first items of the answer."),
                .table(
                    ReportTable(
                        ["after", "came", "offered"],
                        numbers: [],
                        rows: examples.map { example in
                            [
                                example.history.joined(separator: " · "), example.target,
                                example.answer.map { $0 == example.target ? "✓ \($0)" : $0 }.joined(separator: " · "),
                            ]
                        }
                    )
                ),
            ]
        )
    }
}
