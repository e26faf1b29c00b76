import Kernels
package import Recommenders

extension Evaluator {
    /// The metrics of a model's served answers, as ``evaluate(_:readOut:counts:noiseSeed:)`` computes them.
    ///
    /// The ranks divide the rows among themselves. All ranks call this, and all get the same metrics.
    ///
    /// - Parameters:
    ///   - model: The model; of divided tables this rank's rows.
    ///   - noiseSeed: Seed of the reverse chain's noise.
    ///   - tables: Where the rows of item tables are.
    /// - Returns: Metrics over the rows of all ranks.
    /// - Throws: ``CommunicationError``.
    package func metrics(
        of model: some TrainedRecommender,
        noiseSeed: UInt64,
        on tables: TablePlacement
    ) throws -> RankingMetrics {
        let own =
            tables.isDivided
            ? try dividedMetrics(of: model, noiseSeed: noiseSeed, tables)
            : evaluate(
                model.itemSpace,
                counts: nil,
                noiseSeed: noiseSeed,
                blocks: tables.ranks.share,
                userVectors: { model.userVectors($0, noise: $1, readOut: .served) }
            ).metrics
        return try tables.ranks.gathered(own).reduce(into: RankingMetrics()) { $0.merge($1) }
    }

    /// The metrics of this rank's rows, with the item vectors of one block at a time.
    ///
    /// The blocks are those by which ``ItemSpace/scores(of:)`` computes, so every score has the same bits. A rank keeps
    /// the best items of each row, as many as metrics look at.
    private func dividedMetrics<Model: TrainedRecommender>(
        of model: Model,
        noiseSeed: UInt64,
        _ tables: TablePlacement
    ) throws -> RankingMetrics {
        let blocks = blocks(items: tables.items, tables.ranks.share)
        let parts = blocks.map(histories)
        let numbering = ItemNumbering(parts.flatMap(\.histories.ids))
        let local = try tables.model(model, ofItems: numbering.items, for: .validation)
        let users = try concurrently(parts.count) { part -> UserVectors? in
            let (histories, places) = parts[part]
            guard !places.isEmpty else { return nil }
            return local.userVectors(
                histories.mapIDs(numbering.number),
                noise: NoiseSource(seed: noiseSeed, streams: places.map { UInt64(blocks[part][$0]) }),
                readOut: .served
            )
        }
        var best = parts.map { [TopK](repeating: TopK(k: RankingMetrics.depth), count: $0.places.count) }
        for range in ItemSpace.blocks(of: tables.items) {
            let items = try tables.model(model, ofItems: range, for: .validation).itemSpace
            best = try concurrently(parts.count) { [best] part in
                guard let users = users[part] else { return [] }
                let scores = items.scores(of: users)
                var best = best[part]
                for line in best.indices {
                    best[line].offer(scores.row(line), count: scores.columns) { Int32($0 + range.lowerBound) }
                }
                return best
            }
        }
        var metrics = RankingMetrics()
        for (part, block) in blocks.enumerated() {
            var answers = zip(parts[part].places, best[part]).makeIterator()
            var next = answers.next()
            for (place, row) in block.enumerated() {
                guard let (known, top) = next, known == place else {
                    metrics.add(rank: fallbackRank(of: row))
                    continue
                }
                next = answers.next()
                let target = rows.target(of: row)
                metrics.add(rank: target.flatMap { target in top.sorted().firstIndex { $0.id == target } })
            }
        }
        return metrics
    }
}
