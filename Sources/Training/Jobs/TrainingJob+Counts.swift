import CheckpointStore
import Recommenders

extension TrainingJob.Trained {
    /// Counts the training part, fits the weights of the counts to validation rows, and keeps them if HR@20 and MRR@20
    /// of the validation rows together get better.
    ///
    /// The term of popular items is used if it makes that sum better by at least half a percent. Popularity changes
    /// faster than transitions do, so a small gain would be lost on later rows.
    ///
    /// With a refit, the kept counts cover the training and the validation part together; their weights are those that
    /// were found with the training part alone.
    ///
    /// A system without item vectors gets no counts, because it scores all items itself. The metrics with counts are of
    /// the rows that the weights were fitted to, so they are a little too good.
    ///
    /// - Parameters:
    ///   - recipe: The recipe of the training.
    ///   - data: Its data.
    ///   - report: Receives the result.
    /// - Throws: ``TrainingError/nothingToValidate``.
    mutating func addCounts(_ recipe: Recipe, _ data: TrainingData, report: (TrainingEvent) -> Void) throws {
        let system = model.system
        guard system.itemSpace.vectors != nil else { return }
        let (start, items) = (ContinuousClock.now, data.catalogue.count)
        let rows = EvaluationRows(validating: recipe, data.split)
        let counts = CountScores(counting: data.split.train.sequences, items: items, recipe.counts)
        let seed = Evaluator.validationNoiseSeed
        let evaluator = try Evaluator(
            validating: recipe,
            split: data.split,
            items: items,
            historyLength: system.historyLength
        )
        func quality(_ metrics: [String: Double]) -> Double {
            metrics["hr@20", default: 0] + metrics["mrr@20", default: 0]
        }
        guard let fitting = CountFitting(counts, rows: rows, model: system, noiseSeed: seed) else { return }
        func fit(popularItems: Bool) -> (fitted: CountScores, metrics: [String: Double])? {
            fitting.fitted(popularItems: popularItems).map { fitted in
                (fitted, evaluator.evaluate(system, readOut: .served, counts: fitted, noiseSeed: seed).metrics.values)
            }
        }
        guard var (fitted, metrics) = fit(popularItems: false) else { return }
        var usesPopular = false
        if recipe.counts.popular > 0, let popular = fit(popularItems: true),
            quality(popular.metrics) > quality(metrics) * (1 + Self.leastPopularGain)
        {
            (fitted, metrics, usesPopular) = (popular.fitted, popular.metrics, true)
        }
        let isBetter = quality(metrics) > quality(progress.best)
        progress.seconds += (ContinuousClock.now - start) / .seconds(1)
        report(.counts(metrics: metrics, areKept: isBetter))
        guard isBetter else { return }
        model.counts = fitted
        progress.best = metrics
        guard recipe.training.refit else { return }
        var counted = CountScores(counting: data.split.sequencesBeforeTest, items: items, recipe.counts)
        if !usesPopular { counted = counted.withoutPopularItems() }
        (counted.weights, counted.slopes) = (fitted.weights, fitted.slopes)
        model.counts = counted
    }

    /// The least gain by the term of popular items.
    private static let leastPopularGain = 0.005
}
