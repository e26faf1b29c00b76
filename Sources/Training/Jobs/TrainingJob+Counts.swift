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
    /// Where only events validate from which an earlier version has learnt, its weights stay: its network knows these rows
    /// too well to be weighed by them.
    ///
    /// A system without item vectors gets no counts, because it scores all items itself. The metrics with counts are of
    /// the rows that the weights were fitted to, so they are a little too good.
    ///
    /// - Parameters:
    ///   - recipe: The recipe of the training.
    ///   - data: Its data.
    ///   - parent: The version that the training continues from; nil if there is none.
    ///   - report: Receives the result.
    /// - Throws: ``TrainingError/nothingToValidate``, and ``ParameterError`` for damaged counts of the parent.
    mutating func addCounts(
        _ recipe: Recipe,
        _ data: TrainingData,
        continuing parent: ParentVersion?,
        report: (TrainingEvent) -> Void
    ) throws {
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
        func kept(_ fitted: CountScores) -> CountScores {
            guard recipe.training.refit else { return fitted }
            return CountScores(counting: data.split.sequencesBeforeTest, items: items, recipe.counts).weighted(
                like: fitted
            )
        }
        if let parent, data.learntUntil == nil, let former = try parent.counts() {
            let fitted = counts.weighted(like: former)
            progress.best =
                evaluator.evaluate(system, readOut: .served, counts: fitted, noiseSeed: seed).metrics.values
            progress.seconds += (ContinuousClock.now - start) / .seconds(1)
            report(.counts(metrics: progress.best, areKept: true))
            model.counts = kept(fitted)
            return
        }
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
        if recipe.counts.popular > 0, let popular = fit(popularItems: true),
            quality(popular.metrics) > quality(metrics) * (1 + Self.leastPopularGain)
        {
            (fitted, metrics) = popular
        }
        let isBetter = quality(metrics) > quality(progress.best)
        progress.seconds += (ContinuousClock.now - start) / .seconds(1)
        report(.counts(metrics: metrics, areKept: isBetter))
        guard isBetter else { return }
        model.counts = kept(fitted)
        progress.best = metrics
    }

    /// The least gain by the term of popular items.
    private static let leastPopularGain = 0.005
}
