public import Kernels
public import Recommenders

extension EvaluationRows {
    /// The query vectors of a model for these rows, as in serving.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - limit: Maximum number of rows, evenly spaced.
    /// - Returns: Vectors for each row whose history has a known item, in the model's ``SearchSpace``; nil when none has.
    public func userVectors(of model: some Recommender, limit: Int) -> Matrix? {
        let sample = min(count, limit)
        var (histories, streams) = (RaggedRows(), [UInt64]())
        for row in (0..<sample).map({ $0 * count / sample }) {
            let history = history(of: row, limit: model.historyLength)
            if history.isEmpty { continue }
            histories.append(history)
            streams.append(UInt64(row))
        }
        guard !streams.isEmpty else { return nil }
        let noise = NoiseSource(seed: Evaluator.validationNoiseSeed, streams: streams)
        return SearchSpace(model.itemSpace).queries(model.userVectors(histories, noise: noise, readOut: .served).rows)
    }
}
