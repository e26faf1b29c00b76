import Dispatch
public import Kernels
public import Recommenders
import Synchronization

/// Ranks every item of the catalogue for each held-out row, exactly (method, section 9.4).
///
/// A row's rank counts the items that score higher than its target, and those before it that tie. A target that the
/// catalogue lacks is a miss. A row whose history holds no known item is answered by popularity, as the service does.
public struct Evaluator: Sendable {
    /// The noise seed of validations, so that they differ by weights alone.
    public static let validationNoiseSeed: UInt64 = 0x0d1e_5eed

    private let rows: EvaluationRows
    private let indices: [Int]
    private let historyLength: Int
    private let popularity: PopularityPredictor
    private let categories: [[Int32]]
    private let filterHistory: Bool

    /// Prepares an evaluation.
    ///
    /// - Parameters:
    ///   - rows: The questions.
    ///   - limit: At most this many of them, evenly spaced; nil for all.
    ///   - historyLength: Items of a history that a model sees.
    ///   - popularity: Answers for rows without a known item.
    ///   - categories: Categories of each item, for diversity; empty for none.
    ///   - filterHistory: Leave the items of a row's history out of its ranking.
    public init(
        rows: EvaluationRows,
        limit: Int? = nil,
        historyLength: Int,
        popularity: PopularityPredictor,
        categories: [[Int32]] = [],
        filterHistory: Bool = false
    ) {
        self.rows = rows
        let count = min(limit ?? rows.count, rows.count)
        indices = (0..<count).map { $0 * rows.count / max(count, 1) }
        self.historyLength = historyLength
        self.popularity = popularity
        self.categories = categories
        self.filterHistory = filterHistory
    }

    /// How many rows are asked.
    public var count: Int { indices.count }

    /// What a model did on the rows.
    public struct Result: Sendable {
        /// Hit rates, NDCG and reciprocal ranks.
        public var metrics = RankingMetrics()
        /// Distinct categories in the top 100, when items have categories.
        public var diversity: Diversity?
        /// Rows answered by popularity because no item of the history is known.
        public var fallbackRows = 0
        /// Rows whose target is not in the catalogue.
        public var unknownTargets = 0

        /// All metrics by the names of reports, with `categories@100` and `first_categories@100` where items have some.
        public var values: [String: Double] {
            var values = metrics.values
            values["categories@100"] = diversity?.meanCategories
            values["first_categories@100"] = diversity?.meanFirstCategories
            return values
        }
    }

    /// Ranks the catalogue for every row.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - readOut: Which of its vectors.
    ///   - noiseSeed: Of the reverse chain; row `i` draws from stream `i`, whatever the blocks.
    /// - Returns: Metrics over all rows.
    /// - Complexity: O(rows * items * d), on all cores.
    public func evaluate(_ model: some Recommender, readOut: ReadOut, noiseSeed: UInt64) -> Result {
        evaluate(model.itemSpace, noiseSeed: noiseSeed) { histories, noise in
            model.userVectors(histories, noise: noise, readOut: readOut)
        }
    }

    /// Ranks the catalogue for every row by vectors from anywhere.
    ///
    /// - Parameters:
    ///   - items: What user vectors are compared with.
    ///   - noiseSeed: Of whatever is random; row `i` draws from stream `i`, whatever the blocks.
    ///   - userVectors: Makes vectors of a block of histories; called from several threads.
    /// - Returns: Metrics over all rows.
    /// - Complexity: O(rows * items * d), on all cores.
    public func evaluate(
        _ items: ItemSpace,
        noiseSeed: UInt64,
        userVectors: @Sendable (RaggedRows, NoiseSource) -> UserVectors
    ) -> Result {
        let block = max(1, min(256, 16_000_000 / max(1, items.count)))
        let starts = Array(stride(from: 0, to: indices.count, by: block))
        let results = Mutex([Result?](repeating: nil, count: starts.count))
        DispatchQueue.concurrentPerform(iterations: starts.count) { index in
            let range = starts[index]..<min(starts[index] + block, indices.count)
            let result = evaluate(
                Array(indices[range]),
                items,
                noiseSeed: noiseSeed,
                userVectors: userVectors
            )
            results.withLock { $0[index] = result }
        }
        var total = Result(diversity: categories.isEmpty ? nil : Diversity(categories: categories))
        for result in results.withLock({ $0 }) {
            guard let result else { continue }
            total.metrics.merge(result.metrics)
            total.fallbackRows += result.fallbackRows
            total.unknownTargets += result.unknownTargets
            if let diversity = result.diversity { total.diversity?.merge(diversity) }
        }
        return total
    }

    private func evaluate(
        _ block: [Int],
        _ items: ItemSpace,
        noiseSeed: UInt64,
        userVectors: (RaggedRows, NoiseSource) -> UserVectors
    ) -> Result {
        var result = Result(diversity: categories.isEmpty ? nil : Diversity(categories: categories))
        var histories = RaggedRows()
        var answered: [Int] = []
        for row in block {
            let history = rows.history(of: row, limit: historyLength)
            if history.isEmpty {
                result.fallbackRows += 1
                addFallback(row, to: &result)
            } else {
                histories.append(history)
                answered.append(row)
            }
        }
        guard !answered.isEmpty else { return result }
        let users = userVectors(histories, NoiseSource(seed: noiseSeed, streams: answered.map { UInt64($0) }))
        var scores = items.scores(of: users)
        for (place, row) in answered.enumerated() {
            let target = rows.target(of: row)
            if filterHistory {
                for item in rows.history(of: row, limit: .max) { scores[place, Int(item)] = -.infinity }
            }
            if let target {
                let isFiltered = scores[place, Int(target)] == -.infinity
                result.metrics.add(rank: isFiltered ? nil : scores.rank(ofColumn: Int(target), inRow: place))
            } else {
                result.unknownTargets += 1
                result.metrics.add(rank: nil)
            }
            if result.diversity != nil {
                var top = TopK(k: Diversity.depth)
                let line = scores.row(place)
                top.offer(line, count: line.count) { Int32($0) }
                result.diversity?.add(ranking: top.sorted().map(\.id))
            }
        }
        return result
    }

    private func addFallback(_ row: Int, to result: inout Result) {
        if let target = rows.target(of: row) {
            result.metrics.add(rank: popularity.rank(of: target, after: nil))
        } else {
            result.unknownTargets += 1
            result.metrics.add(rank: nil)
        }
        result.diversity?.add(ranking: popularity.order)
    }
}
