import Dispatch
public import Kernels
public import Recommenders
import Synchronization

/// Ranks every item of the catalogue for each held-out row, exactly (method, section 9.4).
///
/// A row's rank counts the items that score higher than its target, and the lower-numbered items that tie. A target
/// outside the catalogue is a miss, and so is one whose score is not a number. For a row whose history has no known
/// item the ranking is popularity, as in the service.
public struct Evaluator: Sendable {
    /// The noise seed of validations; fixed, so that validations differ by weights alone.
    public static let validationNoiseSeed: UInt64 = 0x0d1e_5eed

    let rows: EvaluationRows
    private let indices: [Int]
    private let historyLength: Int
    private let popularity: PopularityPredictor
    private let diversity: Diversity?
    private let filterHistory: Bool
    private let measuresWithoutHistory: Bool
    /// Whether the items of whole histories are needed.
    private var readsHistory: Bool { filterHistory || measuresWithoutHistory }

    /// Prepares an evaluation.
    ///
    /// - Parameters:
    ///   - rows: The rows to rank.
    ///   - limit: Maximum number of rows, evenly spaced; nil for all.
    ///   - historyLength: The most history items that a model sees.
    ///   - popularity: The ranking of rows without a known item.
    ///   - diversity: An empty count over the catalogue, to measure diversity; nil to skip it.
    ///   - filterHistory: Whether to remove the items of a row's history from its ranking.
    ///   - measuresWithoutHistory: Whether to measure rankings without the history as well.
    public init(
        rows: EvaluationRows,
        limit: Int? = nil,
        historyLength: Int,
        popularity: PopularityPredictor,
        diversity: Diversity? = nil,
        filterHistory: Bool = false,
        measuresWithoutHistory: Bool = false
    ) {
        self.rows = rows
        let count = min(limit ?? rows.count, rows.count)
        indices = (0..<count).map { $0 * rows.count / max(count, 1) }
        self.historyLength = historyLength
        self.popularity = popularity
        self.diversity = diversity
        self.filterHistory = filterHistory
        self.measuresWithoutHistory = measuresWithoutHistory
    }

    /// How many rows are evaluated.
    public var count: Int { indices.count }

    /// The results of a model on the rows.
    public struct Result: Sendable {
        /// Hit rates, NDCG and reciprocal ranks.
        public var metrics = RankingMetrics()
        /// The same metrics of rankings without the items of the row's history, as the service answers by default.
        ///
        /// A target that is in the history is then a miss. Nil when this was not measured.
        public var withoutHistory: RankingMetrics?
        /// The metrics of the rows whose target is among the most popular tenth of the items, the next four tenths, and
        /// the rest, in this order.
        public var byPopularity = [RankingMetrics](repeating: RankingMetrics(), count: 3)
        /// How varied the rankings are; nil when it was not measured.
        public var diversity: Diversity?
        /// The rank of each row's target in the order of rows, 0 the top; ``unranked`` from 50 on.
        public var ranks: [UInt8] = []
        /// Rows ranked by popularity because no item of the history is known.
        public var fallbackRows = 0
        /// Rows whose target is not in the catalogue.
        public var unknownTargets = 0

        /// The rank of a target that is not among the first 50.
        public static let unranked = UInt8.max

        /// All metrics by their names in reports, including those of ``Diversity`` when it was measured.
        public var values: [String: Double] {
            metrics.values.merging(diversity?.values ?? [:]) { metric, _ in metric }
        }

        /// Adds the row at a place of the block, with its target's ranks; nil where the target has none.
        fileprivate mutating func add(rank: Int?, withoutHistory: Int?, at place: Int) {
            metrics.add(rank: rank)
            self.withoutHistory?.add(rank: withoutHistory)
            if let rank, rank < RankingMetrics.cutoffs.max() ?? 0 { ranks[place] = UInt8(rank) }
        }
    }

    /// Ranks the catalogue for every row.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - readOut: Which of the model's vectors to rank by.
    ///   - counts: Scores to add to the model's; nil for none.
    ///   - noiseSeed: Seed of the reverse chain's noise; row `i` draws from stream `i`, independent of the blocks.
    /// - Returns: Metrics over all rows.
    /// - Complexity: O(rows * items * d), on all cores.
    public func evaluate(
        _ model: some Recommender,
        readOut: ReadOut,
        counts: CountScores? = nil,
        noiseSeed: UInt64
    ) -> Result {
        evaluate(model.itemSpace, counts: counts, noiseSeed: noiseSeed) { histories, noise in
            model.userVectors(histories, noise: noise, readOut: readOut)
        }
    }

    /// Ranks the catalogue for every row by each read-out of a model.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - noiseSeed: Seed of the reverse chain's noise.
    /// - Returns: Names and results: first the served answers, with counts if the model has them, then the same answers
    ///   without counts, then the other read-outs, which never have counts.
    public func readOuts(of model: CountedRecommender, noiseSeed: UInt64) -> [(name: String, result: Result)] {
        func result(_ readOut: ReadOut, _ counts: CountScores? = nil) -> Result {
            evaluate(model.system, readOut: readOut, counts: counts, noiseSeed: noiseSeed)
        }
        var results = model.system.readOuts.map { (name: $0.description, result: result($0)) }
        if let counts = model.counts {
            results[0].name = "without-counts"
            results.insert((ReadOut.served.description, result(.served, counts)), at: 0)
        }
        return results
    }

    /// Ranks the catalogue for every row by given vectors.
    ///
    /// - Parameters:
    ///   - items: The item vectors that user vectors are compared with.
    ///   - counts: Scores to add; nil for none.
    ///   - noiseSeed: Seed of the random draws; row `i` draws from stream `i`, independent of the blocks.
    ///   - userVectors: Computes the vectors of a block of histories; called from several threads.
    /// - Returns: Metrics over all rows.
    /// - Complexity: O(rows * items * d), on all cores.
    public func evaluate(
        _ items: ItemSpace,
        counts: CountScores? = nil,
        noiseSeed: UInt64,
        userVectors: @Sendable (RaggedRows, NoiseSource) -> UserVectors
    ) -> Result {
        evaluate(items, counts: counts, noiseSeed: noiseSeed, blocks: { 0..<$0 }, userVectors: userVectors)
    }

    /// The same over those blocks of rows that `blocks` chooses from a number of blocks.
    func evaluate(
        _ items: ItemSpace,
        counts: CountScores?,
        noiseSeed: UInt64,
        blocks: (Int) -> Range<Int>,
        userVectors: @Sendable (RaggedRows, NoiseSource) -> UserVectors
    ) -> Result {
        let parts = self.blocks(items: items.count, blocks)
        let results = Mutex([Result?](repeating: nil, count: parts.count))
        DispatchQueue.concurrentPerform(iterations: parts.count) { index in
            let result = evaluate(
                parts[index],
                items,
                counts,
                noiseSeed: noiseSeed,
                userVectors: userVectors
            )
            results.withLock { $0[index] = result }
        }
        var total = emptyResult
        for result in results.withLock({ $0 }) {
            guard let result else { continue }
            total.metrics.merge(result.metrics)
            if let part = result.withoutHistory { total.withoutHistory?.merge(part) }
            for part in total.byPopularity.indices { total.byPopularity[part].merge(result.byPopularity[part]) }
            total.ranks += result.ranks
            total.fallbackRows += result.fallbackRows
            total.unknownTargets += result.unknownTargets
            if let diversity = result.diversity { total.diversity?.merge(diversity) }
        }
        return total
    }

    /// Blocks of rows that are evaluated together, those that `chosen` chooses from a number of blocks.
    func blocks(items: Int, _ chosen: (Int) -> Range<Int>) -> [[Int]] {
        let block = ItemSpace.usersTogether(items: items)
        let starts = Array(stride(from: 0, to: indices.count, by: block))
        return starts[chosen(starts.count)].map { Array(indices[$0..<min($0 + block, indices.count)]) }
    }

    /// The histories of a block with a known item, and their places in the block.
    func histories(of block: [Int]) -> (histories: RaggedRows, places: [Int]) {
        var (histories, places) = (RaggedRows(), [Int]())
        for (place, row) in block.enumerated() {
            let history = rows.history(of: row, limit: historyLength)
            guard !history.isEmpty else { continue }
            histories.append(history)
            places.append(place)
        }
        return (histories, places)
    }

    /// The rank of the target of a row without a known item.
    func fallbackRank(of row: Int) -> Int? {
        rows.target(of: row).flatMap { popularity.rank(of: $0, after: nil) }
    }

    private func evaluate(
        _ block: [Int],
        _ items: ItemSpace,
        _ counts: CountScores?,
        noiseSeed: UInt64,
        userVectors: (RaggedRows, NoiseSource) -> UserVectors
    ) -> Result {
        var result = emptyResult
        result.ranks = [UInt8](repeating: Result.unranked, count: block.count)
        let (histories, answered) = histories(of: block)
        var known = answered[...]
        for (place, row) in block.enumerated() {
            if known.first == place {
                known.removeFirst()
            } else {
                result.fallbackRows += 1
                addFallback(row, at: place, to: &result)
            }
        }
        guard !answered.isEmpty else { return result }
        let users = userVectors(histories, NoiseSource(seed: noiseSeed, streams: answered.map { UInt64(block[$0]) }))
        var scores = items.scores(of: users)
        counts?.add(
            to: &scores,
            histories: RaggedRows(answered.map { rows.history(of: block[$0], limit: CountScores.historyLength) })
        )
        for (line, place) in answered.enumerated() {
            let row = block[place]
            let target = rows.target(of: row)
            let history = readsHistory ? Set(rows.history(of: row, limit: .max)) : []
            let ranks = ranks(of: target, in: scores, line: line, history)
            let rank = filterHistory ? ranks.withoutHistory : ranks.all
            result.add(rank: rank, withoutHistory: ranks.withoutHistory, at: place)
            if let target {
                result.byPopularity[popularityPart(of: target)].add(rank: rank)
            } else {
                result.unknownTargets += 1
            }
            if result.diversity != nil {
                var top = TopK(k: Diversity.depth)
                let scores = scores.row(line)
                top.offer(scores, count: scores.count) { item in
                    filterHistory && history.contains(Int32(item)) ? nil : Int32(item)
                }
                result.diversity?.add(ranking: top.sorted().map(\.id))
            }
        }
        return result
    }

    /// A result of no rows, with the optional measurements that were asked for.
    private var emptyResult: Result {
        Result(withoutHistory: measuresWithoutHistory ? RankingMetrics() : nil, diversity: diversity)
    }

    /// The ranks of a target among all items, and among those outside the history; nil for a target without a rank, or
    /// whose score is not a number.
    private func ranks(
        of target: Int32?,
        in scores: Matrix,
        line: Int,
        _ history: Set<Int32>
    ) -> (all: Int?, withoutHistory: Int?) {
        guard let target, !scores[line, Int(target)].isNaN else { return (nil, nil) }
        let (rank, own) = (scores.rank(ofColumn: Int(target), inRow: line), scores[line, Int(target)])
        guard !history.contains(target) else { return (rank, nil) }
        let before = history.count { item in
            let score = scores[line, Int(item)]
            return score > own || score == own && item < target
        }
        return (rank, rank - before)
    }

    /// 0 for an item of the most popular tenth, 1 for the next four tenths, 2 for the rest.
    private func popularityPart(of item: Int32) -> Int {
        let items = popularity.order.count
        let rank = popularity.rank(of: item, after: nil) ?? items
        return rank * 10 < items ? 0 : rank * 2 < items ? 1 : 2
    }

    private func addFallback(_ row: Int, at place: Int, to result: inout Result) {
        // Such a row has no known history that could be left out.
        let rank = fallbackRank(of: row)
        result.add(rank: rank, withoutHistory: rank, at: place)
        if let target = rows.target(of: row) {
            result.byPopularity[popularityPart(of: target)].add(rank: rank)
        } else {
            result.unknownTargets += 1
        }
        result.diversity?.add(ranking: popularity.order)
    }
}
