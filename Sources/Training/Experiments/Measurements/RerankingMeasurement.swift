import Dispatch
import Foundation
import Kernels
import Recommenders
import Synchronization

/// How much ``DCDR`` improves a retriever's lists of ten.
///
/// ``DCDR`` trains on lists for the rows of one part: the item that came next is the only positive response, and the
/// good list is the retriever's list with that item first. It is evaluated on the lists of another part that hold
/// their target.
struct RerankingMeasurement: Sendable {
    private static let length = DCDR.Configuration().length
    private static let learningRows = 20_000
    private static let judgedRows = 20_000
    private static let steps = 1_500

    let learning: EvaluationRows
    let judging: EvaluationRows
    /// Seed of the retriever's random draws; row `i` draws from stream `i`.
    let noiseSeed: UInt64
    /// Predictors from the training part, for further features of a candidate.
    let predictors: TrivialPredictors

    /// A retriever's list for a row.
    private struct Candidates {
        /// Features of each candidate, best first: its score, whether the history contains it, its ranks by
        /// popularity and by transitions from the newest item, and its inner product with the user vector when items
        /// have vectors.
        var rows: Matrix
        /// The position of the row's target.
        var target: Int
    }

    /// Hit rates and ranks of targets before and after re-ranking, over the evaluated lists.
    func points(of model: any Recommender) -> [MeasuredPoint] {
        let lessons = lists(for: learning, limit: Self.learningRows, of: model)
        let judged = lists(for: judging, limit: Self.judgedRows, of: model)
        guard let first = lessons.first, !judged.isEmpty else { return [] }
        var network = DCDR(DCDR.Configuration(), features: first.rows.columns, seed: 1)
        let responses = (0..<Self.length).map { $0 == 0 }
        let good = lessons.map { list in
            let order = [list.target] + (0..<Self.length).filter { $0 != list.target }
            return DCDR.List(rows: list.rows.gatheringRows(order.map { Int32($0) }), responses: responses)
        }
        _ = network.train(on: good, steps: Self.steps, seed: 1)
        let trained = network
        let reranked = Mutex([Int](repeating: 0, count: judged.count))
        DispatchQueue.concurrentPerform(iterations: judged.count) { index in
            let order = trained.reranked(judged[index].rows, responses: responses)
            let place = order.firstIndex(of: judged[index].target) ?? Self.length
            reranked.withLock { $0[index] = place }
        }
        return [
            Self.point("retrieved", judged.map(\.target)), Self.point("re-ranked", reranked.withLock { $0 }),
        ]
    }

    private static func point(_ name: String, _ places: [Int]) -> MeasuredPoint {
        func mean(_ gain: (Int) -> Double) -> Double { places.reduce(0) { $0 + gain($1) } / Double(places.count) }
        return MeasuredPoint(
            name: name,
            values: [
                "list_hr@1": mean { $0 < 1 ? 1 : 0 }, "list_hr@3": mean { $0 < 3 ? 1 : 0 },
                "list_ndcg@10": mean { 1 / log2(Double($0) + 2) }, "list_mrr@10": mean { 1 / (Double($0) + 1) },
                "lists": Double(places.count),
            ]
        )
    }

    /// Lists of evenly spaced rows; only those that hold their target.
    private func lists(for rows: EvaluationRows, limit: Int, of model: any Recommender) -> [Candidates] {
        let asked = (0..<min(limit, rows.count)).map { $0 * rows.count / min(limit, rows.count) }
            .filter { rows.target(of: $0) != nil && !rows.history(of: $0, limit: 1).isEmpty }
        let blocks = stride(from: 0, to: asked.count, by: 256).map { asked[$0..<min($0 + 256, asked.count)] }
        let found = Mutex([[Candidates]](repeating: [], count: blocks.count))
        DispatchQueue.concurrentPerform(iterations: blocks.count) { block in
            let lists = lists(for: blocks[block], of: rows, model)
            found.withLock { $0[block] = lists }
        }
        return found.withLock { Array($0.joined()) }
    }

    private func lists(
        for block: ArraySlice<Int>,
        of rows: EvaluationRows,
        _ model: any Recommender
    ) -> [Candidates] {
        let histories = block.map { rows.history(of: $0, limit: model.historyLength) }
        let noise = NoiseSource(seed: noiseSeed, streams: block.map { UInt64($0) })
        let users = model.userVectors(RaggedRows(histories), noise: noise, readOut: .served)
        let scores = model.itemSpace.scores(of: users)
        return zip(block, histories).enumerated().compactMap { line, asked in
            var top = TopK(k: Self.length)
            top.offer(scores.row(line), count: scores.columns) { Int32($0) }
            let best = top.sorted()
            guard best.count == Self.length, let target = rows.target(of: asked.0),
                let place = best.firstIndex(where: { $0.id == target })
            else { return nil }
            let user = Array(users.rows.row(line * users.perUser))
            return Candidates(rows: features(best, history: asked.1, user, model.itemSpace), target: place)
        }
    }

    private func features(_ best: [Scored], history: [Int32], _ user: [Float], _ space: ItemSpace) -> Matrix {
        let mean = best.reduce(0) { $0 + $1.score } / Float(best.count)
        let variance = best.reduce(0) { $0 + ($1.score - mean) * ($1.score - mean) } / Float(best.count)
        let deviation = max(variance.squareRoot(), 1e-6)
        // The feature falls from 1 for rank 0 to 0 for the ten thousandth rank.
        func height(_ rank: Int?) -> Float { rank.map { 1 - log10(Float($0 + 1)) / 4 } ?? 0 }
        return Matrix(
            best.map { candidate in
                let own = [
                    (candidate.score - mean) / deviation, history.contains(candidate.id) ? 1 : 0,
                    height(predictors.popularity.rank(of: candidate.id, after: nil)),
                    height(predictors.transitions?.rank(of: candidate.id, after: history.last)),
                ]
                guard let items = space.vectors else { return own }
                let products = zip(user, items.row(Int(candidate.id))).map { $0 * $1 * Float(user.count).squareRoot() }
                return own + products
            }
        )
    }
}
