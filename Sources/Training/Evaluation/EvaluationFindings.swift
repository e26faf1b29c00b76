import Recommenders

/// The figures of a model's answers, the figures of simple predictors, and remarks on both.
package struct EvaluationFindings {
    /// The model's metrics.
    package var metrics: [String: Double]
    /// The rows of the figures.
    package var rows: Int
    /// The model's system.
    package var system: String
    /// Names and metrics of simple predictors on the same rows; the system itself is left out.
    package var predictors: [(name: String, metrics: [String: Double])]
    /// The model's HR@20 without the items of the history; nil when it was not measured.
    package var withoutHistory: Double?
    /// Rows whose target is an item of the history; nil when ``withoutHistory`` tells more.
    package var repeatedTargets: Int?
    /// Rows whose target the parts before do not have; nil when these parts are not known.
    package var unseenTargets: Int?
    /// The step at which patience ended the training; nil if its limit did, or when this is not known.
    package var patienceEnd: Int?

    /// Figures on some rows.
    package init(
        metrics: [String: Double],
        rows: Int,
        system: String,
        predictors: [(name: String, metrics: [String: Double])],
        withoutHistory: Double? = nil,
        repeatedTargets: Int? = nil,
        unseenTargets: Int? = nil,
        patienceEnd: Int? = nil
    ) {
        (self.metrics, self.rows, self.system, self.predictors) = (metrics, rows, system, predictors)
        (self.withoutHistory, self.repeatedTargets) = (withoutHistory, repeatedTargets)
        (self.unseenTargets, self.patienceEnd) = (unseenTargets, patienceEnd)
    }

    /// A sentence or two for each finding, the most important one first.
    package var sentences: [String] {
        var findings: [String] = []
        func figures(_ metrics: [String: Double]) -> (hitRate: Double, reciprocalRank: Double) {
            (metrics["hr@20", default: 0], metrics["mrr@20", default: 0])
        }
        let own = figures(metrics)
        let others = predictors.filter { $0.name != system }
        if let best = others.max(by: { figures($0.metrics) < figures($1.metrics) }) {
            findings.append(verdict(own, beside: (best.name, figures(best.metrics))))
        }
        if let finding = findingOfRepeats(own.hitRate) { findings.append(finding) }
        if unseenShare > 0.05 {
            findings.append(
                "\(NumberText.percent(unseenShare)) of the targets are items that the training did not have. No system can "
                    + "learn them from the log, so train as often as new items come. `dimerec folds` asks about later days "
                    + "alone, which is harder."
            )
        }
        if let patienceEnd {
            findings.append(
                "At step \(patienceEnd) validation had not improved for a while, so the training ended before its limit. A "
                    + "longer one would hardly help."
            )
        }
        return findings
    }

    /// The share of the targets that the parts before do not have.
    private var unseenShare: Double { Double(share: unseenTargets ?? 0, of: rows) }

    /// Says that figures with the history hold for requests that keep it; nil where that makes little difference.
    private func findingOfRepeats(_ hitRate: Double) -> String? {
        let figure: String
        let margin = RankingMetrics.margin(hitRate, rows: rows)
        if let withoutHistory, withoutHistory < min(Self.notable * hitRate, hitRate - margin) {
            figure = "is only \(NumberText.rate(withoutHistory))"
        } else if let repeatedTargets, Double(rows - repeatedTargets) < Self.notable * hitRate * Double(rows) {
            figure = "is at most \(NumberText.rate(1 - Double(share: repeatedTargets, of: rows)))"
        } else {
            return nil
        }
        return
            "Without the items of the history, hr@20 \(figure) instead of \(NumberText.rate(hitRate)), because users repeat "
            + "items. A request leaves them out unless it has \"exclude_history\": false."
    }

    /// Without the history a hit rate below this share of the rate with it is worth a sentence.
    private static let notable = 0.8
    /// The share of unknown targets beyond which neither a longer training nor another system helps.
    private static let mostlyUnseen = 0.4

    private func verdict(
        _ own: (hitRate: Double, reciprocalRank: Double),
        beside best: (name: String, figures: (hitRate: Double, reciprocalRank: Double))
    ) -> String {
        let margin = RankingMetrics.margin(own.hitRate, rows: rows)
        // A system in closed form does not learn longer.
        let isTrained = (try? ModelRegistry.system(named: system)) is any TrainedRecommender.Type
        let mayLearnMore = isTrained && patienceEnd == nil
        let other = best.figures
        if min(own.hitRate, other.hitRate) > 1 - margin {
            return
                "hr@20 does not tell the model from the simple predictor \(best.name), because both find nearly every "
                + "target: mrr@20 is \(NumberText.rate(own.reciprocalRank)) against "
                + "\(NumberText.rate(other.reciprocalRank))."
        }
        let figures = "hr@20 of \(NumberText.rate(own.hitRate)) against \(NumberText.rate(other.hitRate))"
        if own.hitRate > other.hitRate + margin {
            return "The model beats the best simple predictor, \(best.name): \(figures)."
        }
        guard own.hitRate < other.hitRate - margin else {
            return "The model is not better than the simple predictor \(best.name) beyond chance: \(figures), "
                + "uncertain by \(NumberText.rate(margin)). "
                + (unseenShare > Self.mostlyUnseen
                    ? "Many targets are unknown to the training: train on newer events."
                    : "\(mayLearnMore ? "Train longer, evaluate" : "Evaluate") on more rows, or use a simpler system.")
        }
        return "The model is worse than the simple predictor \(best.name): \(figures). Do not use it: "
            + "\(mayLearnMore ? "train longer, " : "")look for faults of the log with `dimerec inspect`, or use a simpler system."
    }
}
