import Autodiff
import Recommenders

extension TablePlacement {
    /// The gradients and loss terms of one step, summed over shards in their order; all ranks call it.
    ///
    /// The division into shards is the same on every machine, because the rounding of sums depends on it. A rank computes
    /// its shards on as many threads as there are cores.
    ///
    /// - Parameters:
    ///   - model: Current weights, of divided tables this rank's rows.
    ///   - shards: How many shards the step has.
    ///   - batch: Makes the batch of a shard; called from several threads.
    /// - Returns: The sum; rows of divided tables are this rank's alone, under their places among its own.
    /// - Throws: Any error of `batch`, and ``CommunicationError``.
    func gradients<Model: TrainedRecommender>(
        of model: Model,
        shards: Int,
        batch: @Sendable (Int) throws -> TrainingBatch
    ) throws -> ShardGradients {
        let own = ranks.share(of: shards)
        guard isDivided else {
            let results = try concurrently(own.count) { index in
                ShardGradients(of: model, try batch(own.lowerBound + index))
            }
            return try ranks.sum(results, of: model.parameters)
        }
        let batches = try concurrently(own.count) { index in try batch(own.lowerBound + index) }
        let numbering = ItemNumbering(batches.flatMap(\.items))
        let local = try self.model(model, ofItems: numbering.items, for: .step)
        let divided = divided
        let results = try concurrently(own.count) { index in
            var shard = ShardGradients(of: local, batches[index].mapItems(numbering.number))
            for name in divided {
                guard let parts = shard.gradients.rows[name] else { continue }
                shard.gradients.rows[name] = parts.map { part in
                    RowGradient(rows: part.rows.map { numbering.items[Int($0)] }, gradient: part.gradient)
                }
            }
            return shard
        }
        return try ranks.sum(results, of: model.parameters, divided: divided)
    }
}

extension ShardGradients {
    /// The gradients of a model's loss of one batch.
    fileprivate init(of model: some TrainedRecommender, _ batch: TrainingBatch) {
        let tape = Tape(precision: batch.precision)
        let loss = model.loss(batch, on: tape)
        self.init(gradients: tape.backward(from: loss.total), terms: loss.terms)
    }
}
