import Dispatch
import Foundation
import Kernels
package import Recommenders
import Synchronization

/// Fits the weights of count scores to validation rows: a softmax over the catalogue whose logits are linear in the
/// system's score (with weights of its own for items of the history, followers and neighbours) and the terms, so that the
/// likelihood of the targets has one maximum.
///
/// The softmax of a row sums over the items that its history is linked to, the system's best items, the target, and a
/// sample of all others, which stands for them in proportion.
package struct CountFitting {
    /// The most rows that are used, evenly spaced; and the fewest with which weights are fitted at all.
    private static let (mostRows, fewestRows) = (2000, 20)
    /// The precision of the weights' normal prior, in one over squares of weights.
    private static let prior = 0.5
    /// The least weight of the system's score, as a share of its weight without counts.
    private static let leastShare = 0.05
    /// The lanes of the system's score of items of the history, of all others, and of its products with the terms of
    /// followers and of neighbours.
    fileprivate static let (repeated, own, followed, near) = (
        CountScores.termCount, CountScores.termCount + 1, CountScores.termCount + 2, CountScores.termCount + 3
    )

    private let counts: CountScores
    /// The candidates of all rows, with the system's score in units of its weight without counts.
    private let softmax: LinearSoftmax
    /// The weight of the system's score without counts.
    private let scale: Double

    /// Scores the candidates of some rows; nil for too few rows, or a system whose scores say nothing about the targets.
    ///
    /// - Parameters:
    ///   - counts: The counts.
    ///   - rows: The rows; at most 2000 evenly spaced ones are used.
    ///   - model: The system whose scores the counts are added to; it has item vectors.
    ///   - noiseSeed: Seed of the noise of the system's vectors.
    /// - Complexity: O(rows * items * d).
    package init?(_ counts: CountScores, rows: EvaluationRows, model: some Recommender, noiseSeed: UInt64) {
        let candidates = Candidates(rows: rows, limit: Self.mostRows)
        guard candidates.count >= Self.fewestRows else { return nil }
        var softmax = LinearSoftmax(candidates.samples(counts, model, noiseSeed: noiseSeed))
        var weights = LinearSoftmax.Weights.zero
        var free = SIMDMask<LinearSoftmax.Weights.MaskStorage>(repeating: false)
        free[Self.own] = true
        softmax.maximise(&weights, free: free, prior: (mean: .zero, precision: 1e-9))
        let scale = weights[Self.own]
        guard scale > 0, scale.isFinite else { return nil }
        // In units of this scale, a system that needs no counts has weight 1.
        softmax.changeTerms { terms in
            let (isRepeat, score) = (terms[CountScores.repeated] > 0, terms[Self.own] * Float(scale))
            terms[Self.own] = isRepeat ? 0 : score
            terms[Self.repeated] = isRepeat ? score : 0
            terms[Self.followed] = score * terms[CountScores.followed]
            terms[Self.near] = score * terms[CountScores.near]
        }
        (self.counts, self.softmax, self.scale) = (counts, softmax, scale)
    }

    /// Fits the weights of the counts.
    ///
    /// - Parameter popularItems: Whether the term of popular items gets a weight.
    /// - Returns: The counts with their weights, without popular items if these get none; nil if a weight is not finite.
    /// - Complexity: Some passes over O(rows * links of a history).
    package func fitted(popularItems: Bool) -> CountScores? {
        var mean = LinearSoftmax.Weights.zero
        (mean[Self.own], mean[Self.repeated]) = (1, 1)
        var weights = mean
        var free = SIMDMask<LinearSoftmax.Weights.MaskStorage>(repeating: true)
        free[CountScores.popularity] = popularItems
        softmax.maximise(&weights, free: free, prior: (mean, Self.prior))
        // With a negative weight of popularity, the service would have to find as many more items as are popular.
        let bounds = [(Self.own, Self.leastShare), (CountScores.popularity, 0)]
        for (lane, least) in bounds where weights[lane] < least {
            weights[lane] = least
            free[lane] = false
            softmax.maximise(&weights, free: free, prior: (mean, Self.prior))
        }
        // The second maximum may have moved a weight that was above its bound before.
        for (lane, least) in bounds { weights[lane] = max(least, weights[lane]) }
        var fitted = popularItems ? counts : counts.withoutPopularItems()
        for lane in 0..<CountScores.termCount {
            fitted.weights[lane] = Float(weights[lane] / (weights[Self.own] * scale))
        }
        func slope(_ lane: Int) -> Float { Float(weights[lane] / weights[Self.own]) }
        fitted.slopes = CountScores.Slopes(
            repeated: slope(Self.repeated),
            followed: slope(Self.followed),
            near: slope(Self.near)
        )
        return fitted.weights.isFinite && fitted.slopes.isFinite ? fitted : nil
    }
}

/// The candidates of rows: the items that each history is linked to, the system's best items, the target, and a sample.
private struct Candidates {
    /// The system's best items, and sampled others, of a row.
    private static let (best, sampled) = (200, 256)

    private let rows: EvaluationRows
    private let indices: [Int]

    /// The rows with a known target and history, at most `limit` evenly spaced ones.
    init(rows: EvaluationRows, limit: Int) {
        self.rows = rows
        let usable = (0..<rows.count).filter { rows.target(of: $0) != nil && !rows.history(of: $0, limit: 1).isEmpty }
        let count = min(usable.count, limit)
        indices = (0..<count).map { usable[$0 * usable.count / max(1, count)] }
    }

    /// How many rows there are.
    var count: Int { indices.count }

    /// The candidates of all rows, in blocks on all cores.
    func samples(_ counts: CountScores, _ model: some Recommender, noiseSeed: UInt64) -> [LinearSoftmax.Sample] {
        let items = model.itemSpace
        let block = min(64, ItemSpace.usersTogether(items: items.count))
        let starts = Array(stride(from: 0, to: indices.count, by: block))
        let results = Mutex([[LinearSoftmax.Sample]](repeating: [], count: starts.count))
        DispatchQueue.concurrentPerform(iterations: starts.count) { part in
            let part = (number: part, rows: indices[starts[part]..<min(starts[part] + block, indices.count)])
            let histories = RaggedRows(part.rows.map { rows.history(of: $0, limit: model.historyLength) })
            let noise = NoiseSource(seed: noiseSeed, streams: part.rows.map { UInt64($0) })
            let scores = items.scores(of: model.userVectors(histories, noise: noise, readOut: .served))
            var linked = LinkedItems()
            let samples = part.rows.enumerated().compactMap { line, row in
                linked.collect(rows.history(of: row, limit: CountScores.historyLength)[...], counts)
                return sample(row, scores.row(line), linked, noiseSeed: noiseSeed)
            }
            results.withLock { $0[part.number] = samples }
        }
        return Array(results.withLock { $0 }.joined())
    }

    private func sample(
        _ row: Int,
        _ scores: [Float],
        _ linked: LinkedItems,
        noiseSeed: UInt64
    ) -> LinearSoftmax.Sample? {
        guard let target = rows.target(of: row) else { return nil }
        var sample = LinearSoftmax.Sample()
        var taken: Set<Int32> = []
        func add(_ item: Int32, offset: Float) {
            guard taken.insert(item).inserted else { return }
            if item == target { sample.target = sample.terms.count }
            let counted = linked.place(ifLinked: item).map(linked.terms(at:)) ?? .zero
            var terms = counted
            terms[CountFitting.own] = scores[Int(item)]
            sample.terms.append(terms)
            sample.offsets.append(offset)
        }
        add(target, offset: 0)
        for item in linked.items { add(item, offset: 0) }
        var top = TopK(k: Self.best)
        top.offer(scores, count: scores.count) { Int32($0) }
        for entry in top.sorted() { add(entry.id, offset: 0) }
        let rest = scores.count - taken.count
        guard rest > 0 else { return sample }
        if rest <= Self.sampled {
            for item in 0..<Int32(scores.count) { add(item, offset: 0) }
            return sample
        }
        let before = taken.count
        let draws = CounterBasedGenerator(seed: noiseSeed, purpose: .countFitting)
            .integers(below: scores.count, stream: UInt64(row), count: Self.sampled)
        for item in draws { add(item, offset: 0) }
        let drawn = sample.terms.count - before
        guard drawn > 0 else { return sample }
        let offset = log(Float(rest) / Float(drawn))
        for place in before..<sample.terms.count { sample.offsets[place] = offset }
        return sample
    }
}

extension CountScores.Terms {
    /// Whether every lane is finite.
    fileprivate var isFinite: Bool { indices.allSatisfy { self[$0].isFinite } }
}
