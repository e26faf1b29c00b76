import Autodiff
import Kernels

/// A system whose K user vectors are what an interest module gives.
protocol MultiInterestRecommender: SoftmaxRecommender {
    /// The module.
    var module: any InterestModule { get }
}

extension MultiInterestRecommender {
    func users(_ histories: RaggedRows, noise: NoiseSource, on tape: Tape) -> Variable {
        let distinct = DistinctItems(histories)
        let items = tape.gather(DimeRec.itemTable, from: parameters, rows: distinct.ids).normalisedRows()
        let interests = module.interests(items: items, histories: distinct.histories, parameters: parameters)
        return interests.reshaped(rows: histories.count * perUser, columns: items.value.columns).normalisedRows()
    }
}
