import Foundation
package import Kernels

/// The figures of a model's answers beside those of simple predictors, and what they mean.
package struct EvaluationFindings {
    /// The model's HR@20.
    package var hitRate: Double
    /// The rows of the figures.
    package var rows: Int
    /// Names and metrics of simple predictors on the same rows.
    package var predictors: [(name: String, metrics: [String: Double])]
    /// The model's HR@20 without the items of the history; nil when it was not measured.
    package var withoutHistory: Double?
    /// Rows whose target the parts before do not have; nil when these parts are not known.
    package var unseenTargets: Int?

    /// Figures on some rows.
    package init(
        hitRate: Double,
        rows: Int,
        predictors: [(name: String, metrics: [String: Double])],
        withoutHistory: Double? = nil,
        unseenTargets: Int? = nil
    ) {
        (self.hitRate, self.rows, self.predictors) = (hitRate, rows, predictors)
        (self.withoutHistory, self.unseenTargets) = (withoutHistory, unseenTargets)
    }

    /// A sentence or two for each finding, the most important one first.
    package var sentences: [String] {
        var findings: [String] = []
        func rate(_ predictor: (name: String, metrics: [String: Double])) -> Double {
            predictor.metrics["hr@20", default: 0]
        }
        if let best = predictors.max(by: { rate($0) < rate($1) }) {
            let margin = RankingMetrics.margin(hitRate, rows: rows)
            findings.append(Self.verdict(hitRate, beside: (best.name, rate(best)), margin: margin))
        }
        if let without = withoutHistory, without < hitRate / 2 {
            findings.append(
                "Without the items of the history, hr@20 is \(NumberText.rate(without)), because users repeat items. A "
                    + "request leaves them out unless it has \"exclude_history\": false."
            )
        }
        let unseen = Double(share: unseenTargets ?? 0, of: rows)
        if unseen > 0.05 {
            findings.append(
                "\(NumberText.percent(unseen)) of the targets are items that the training did not have. No system can learn "
                    + "them from the log."
            )
        }
        return findings
    }

    private static func verdict(_ own: Double, beside best: (name: String, hitRate: Double), margin: Double) -> String {
        let figures = "hr@20 of \(NumberText.rate(own)) against \(NumberText.rate(best.hitRate))"
        if own > best.hitRate + margin { return "The model beats the best simple predictor, \(best.name): \(figures)." }
        guard own < best.hitRate - margin else {
            return "The model is not better than the simple predictor \(best.name) beyond chance: \(figures), "
                + "uncertain by \(NumberText.rate(margin)). Train longer, evaluate on more rows, or use a simpler system."
        }
        return "The model is worse than the simple predictor \(best.name): \(figures). Do not use it: train longer, "
            + "look for faults of the log with `dimerec inspect`, or use a simpler system."
    }
}

extension RankingMetrics {
    /// Half the 95 percent interval of a hit rate on some rows, taken as independent (Agresti and Coull, 1998).
    static func margin(_ hitRate: Double, rows: Int) -> Double {
        let count = Double(rows) + 4
        let centre = (hitRate * Double(rows) + 2) / count
        return 1.96 * (centre * (1 - centre) / count).squareRoot()
    }
}

extension EvaluationRows {
    /// How many targets do not occur in some sequences: nobody can learn them from these.
    package func unseenTargets(in sequences: RaggedRows, items: Int) -> Int {
        var isSeen = [Bool](repeating: false, count: items)
        for item in sequences.ids { isSeen[Int(item)] = true }
        return (0..<count).count { row in target(of: row).map { !isSeen[Int($0)] } ?? true }
    }
}
