extension ExperimentResults {
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
        case .blend:
            let weights = Set(rows.flatMap(\.values.keys).filter { $0.hasPrefix(MergedListsMeasurement.weight) })
                .sorted()
            return accuracies.dropFirst(2) + [Measure("mrr@20", "MRR@20")]
                + weights.map { Measure($0, $0, isPercent: false, highestIsBest: false) }
        case .gem, .ablation, .maxStep, .lambda, .mu, .figure5: return accuracies
        }
    }

    private var isTransposed: Bool {
        switch experiment {
        case .gem, .ablation, .maxStep, .lambda, .mu: true
        case .overall, .probing, .steps, .figure4, .figure5, .information, .reranking, .blend: false
        }
    }
}
