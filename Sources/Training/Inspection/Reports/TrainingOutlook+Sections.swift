import Recommenders

extension TrainingOutlook {
    /// The split, the systems to beat, and the recipe.
    func sections(file: String, lengths: LengthStatistics) -> [ReportSection] {
        [rowSection(lengths), baselineSection, recipeSection(file: file)]
    }

    private func rowSection(_ lengths: LengthStatistics) -> ReportSection {
        let rows = parts.map { part in
            [part.part.rawValue] + [part.users, part.events, part.targets].map(NumberText.grouped)
        }
        let names = ["part", "users", "events", "targets"]
        let unused = [
            [
                "unreadable rows", "0",
                "A row that cannot be read stops the training; none is skipped.",
            ],
            [
                "events of users with one event", NumberText.grouped(lengths.singleEventUsers),
                "There is no next item to predict; they count for popularity only.",
            ],
            [
                "training targets with a cut history", NumberText.grouped(cutHistories),
                "The model sees the newest \(recipe.configuration.historyLength) items before a target.",
            ],
            [
                "validation rows with an unseen target",
                "\(NumberText.grouped(baselines.unseenTargets)) of \(NumberText.grouped(baselines.rows))",
                "The item is not in the training part, so every system ranks it last.",
            ],
        ]
        var text = "The split is `\(split)`: \(splitReason)."
        if let olderTargets {
            text += " Validation targets older than the newest training event: "
            text +=
                "\(LogReport.part(olderTargets, of: baselines.rows)). The fewer, the more the figures are like real use."
        }
        return ReportSection(
            title: "What training does with the rows",
            blocks: [
                .text(text),
                .table(ReportTable(names, numbers: Set(names.dropFirst()), rows: rows)),
                .table(ReportTable(["not used in full", "number", "why"], numbers: ["number"], rows: unused)),
            ]
        )
    }

    private var baselineSection: ReportSection {
        let rows = baselines.systems.map { row in
            [
                row.system, row.hitRate.map(NumberText.rate) ?? "-", row.meanReciprocalRank.map(NumberText.rate) ?? "-",
                row.seconds.map { $0 < 0.001 ? "under 1 ms" : NumberText.duration($0) } ?? "-",
                row.leftOut.map { "left out: \($0)" } ?? "",
            ]
        }
        let hasNotes = baselines.systems.contains { $0.leftOut != nil }
        let names = ["system", "HR@20", "MRR@20", "time"] + (hasNotes ? [""] : [])
        let measured = baselines.systems.filter { $0.hitRate != nil }
        func series(_ name: String, _ value: (BaselineComparison.Row) -> Double?) -> Chart.Series {
            Chart.Series(
                name: name,
                points: measured.enumerated().map { Chart.Point(x: Double($0), y: value($1) ?? 0) }
            )
        }
        return ReportSection(
            title: "What a model must beat",
            blocks: [
                .text(
                    "These systems fit in seconds. They ranked all items for \(NumberText.grouped(baselines.rows)) of "
                        + "\(NumberText.grouped(baselines.allRows)) validation rows (\(baselines.protocol.rawValue)). "
                        + "HR@20 is the share of rows whose next item is among the first 20."
                ),
                .table(
                    ReportTable(
                        names,
                        numbers: ["HR@20", "MRR@20", "time"],
                        rows: rows.map { Array($0.prefix(names.count)) }
                    )
                ),
                .chart(
                    Chart(
                        title: "Simple systems on the validation part",
                        xLabel: "system",
                        yLabel: "rate",
                        axis: .names(measured.map(\.system)),
                        series: [series("HR@20", \.hitRate), series("MRR@20", \.meanReciprocalRank)]
                    )
                ),
            ]
        )
    }

    private func recipeSection(file: String) -> ReportSection {
        ReportSection(
            title: "The recipe that `dimerec train` chooses",
            blocks: [
                .text(
                    "`dimerec train` on this file, with the same columns and without `--recipe`, trains with this one:"
                ),
                .list(reasons),
                .folded(title: "The whole recipe", text: recipe.json),
            ]
        )
    }
}
