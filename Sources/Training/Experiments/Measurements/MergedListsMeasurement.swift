import CheckpointStore
import Recommenders

/// How well the merged lists of several trained models find the next items.
///
/// Weights are fitted on the validation part, and all choices of weights are evaluated on the same rows of another
/// part. All lists have the same length, also those of a single model.
struct MergedListsMeasurement: Sendable {
    let fitting: EvaluationRows
    let judging: EvaluationRows
    /// Whether to remove the items of a row's history from its lists.
    let filterHistory: Bool
    /// Seed of the reverse chains.
    let noiseSeed: UInt64

    /// The accuracies of fitted weights with each fusion, and of equal weights; fitted weights are values too.
    ///
    /// - Parameters:
    ///   - models: Names and models over the same catalogue.
    ///   - length: The length of each list.
    /// - Returns: Two points for each fusion.
    /// - Complexity: That of scoring all items for both parts' rows, twice.
    func points(of models: [(name: String, model: CountedRecommender)], length: Int) -> [MeasuredPoint] {
        SourceBlend.Fusion.allCases.flatMap { fusion in
            func evaluation(_ rows: EvaluationRows) -> BlendEvaluation {
                let blended = models.map { name, model in
                    BlendEvaluation.Model(
                        name: name,
                        model: model,
                        rows: rows,
                        numbers: Array(0..<Int32(model.system.itemSpace.count))
                    )
                }
                return BlendEvaluation(
                    blended,
                    fusion: fusion,
                    window: length,
                    filterHistory: filterHistory,
                    noiseSeed: noiseSeed
                )
            }
            let weights = evaluation(fitting).fit().weights
            let metrics = evaluation(judging).metrics([weights, models.map { _ in 1.0 }])
            let name = fusion == .score ? "by scores" : "by ranks"
            var fitted = MeasuredPoint(name: "\(name), fitted weights, lists of \(length)", values: metrics[0].values)
            for (model, weight) in zip(models, weights) { fitted.values[Self.weight + model.name] = weight }
            let equal = MeasuredPoint(name: "\(name), equal weights, lists of \(length)", values: metrics[1].values)
            return [fitted, equal]
        }
    }

    /// The beginning of the names of weights among measured values.
    static let weight = "weight of "
}
