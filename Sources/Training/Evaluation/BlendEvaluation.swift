public import CheckpointStore
import Dispatch
package import Kernels
public import Recommenders
import Synchronization

/// Judges merged lists of several models on held-out rows, as the service merges them.
///
/// Each model gives the best items of its list; an item of no list has the score 0. A target that ties with other items
/// ranks after all of them, so that a fusion gains nothing from equal scores. A model that knows no item of a row's history
/// gives no list for that row.
public struct BlendEvaluation: Sendable {
    /// A model with the rows in its own item numbers.
    public struct Model: Sendable {
        /// The name in reports.
        public let name: String
        /// The model.
        public let model: CountedRecommender
        /// The rows; all models have the same ones.
        public fileprivate(set) var rows: EvaluationRows
        /// The leading model's number of each item of this model; -1 for an item that it lacks.
        public let numbers: [Int32]

        /// Groups the parts.
        public init(name: String, model: CountedRecommender, rows: EvaluationRows, numbers: [Int32]) {
            self.name = name
            self.model = model
            self.rows = rows
            self.numbers = numbers
        }
    }

    /// The lists of one row, one for each model, in the leading model's item numbers.
    private typealias Lists = [[Scored]]

    private var models: [Model]
    private let fusion: SourceBlend.Fusion
    private let constant: Double
    private let window: Int
    private let filterHistory: Bool
    private let noiseSeed: UInt64

    /// An evaluation of models, the leading one first.
    ///
    /// - Parameters:
    ///   - models: At least one model; their rows are the same rows.
    ///   - fusion: How lists are merged.
    ///   - constant: The constant of the fusion by ranks.
    ///   - window: The length of each list.
    ///   - filterHistory: Whether to remove the items of a row's history from its lists.
    ///   - noiseSeed: Seed of the reverse chains.
    public init(
        _ models: [Model],
        fusion: SourceBlend.Fusion = .reciprocalRank,
        constant: Double = SourceBlend.standardConstant,
        window: Int = SourceBlend.standardWindow,
        filterHistory: Bool = false,
        noiseSeed: UInt64 = 0
    ) {
        precondition(!models.isEmpty, "no model to evaluate")
        precondition(models.allSatisfy { $0.rows.count == models[0].rows.count }, "models have different rows")
        self.models = models
        self.fusion = fusion
        self.constant = constant
        self.window = window
        self.filterHistory = filterHistory
        self.noiseSeed = noiseSeed
    }

    /// The weights that place the targets best: by hit rate at 20, then by NDCG at 20.
    ///
    /// Coordinate ascent from equal weights over a grid; a weight of 0 leaves a model out. At most 20,000 of the rows
    /// are used, evenly spaced.
    ///
    /// - Returns: The weights, scaled so that the largest is 1, and their metrics on the used rows.
    /// - Complexity: O(rows * items * d) for the lists, then O(rows * window) for each step.
    public func fit() -> (weights: [Double], metrics: RankingMetrics) {
        guard models[0].rows.count <= Self.mostFitted else {
            var fewer = self
            for place in models.indices {
                fewer.models[place].rows = EvaluationRows(models[place].rows, limit: Self.mostFitted)
            }
            return fewer.fit()
        }
        let (rows, bound) = (lists(of: 0..<models[0].rows.count), models[0].numbers.count)
        let targets = (0..<rows.count).map { models[0].rows.target(of: $0) }
        func metrics(_ weights: [Double]) -> RankingMetrics {
            var ranking = BlendRanking(items: bound, fusion: fusion, constant: constant)
            return ranking.metrics(rows, targets, weights)
        }
        func value(_ metrics: RankingMetrics) -> (Double, Double) { (metrics.hitRate(at: 20), metrics.ndcg(at: 20)) }
        var weights = models.map { _ in 1.0 }
        var best = metrics(weights)
        for _ in 0..<Self.rounds {
            let start = weights
            for position in models.indices {
                for weight in Self.grid where weight != weights[position] {
                    var other = weights
                    other[position] = weight
                    guard other.contains(where: { $0 > 0 }) else { continue }
                    let found = metrics(other)
                    if value(found) > value(best) { (weights, best) = (other, found) }
                }
            }
            if weights == start { break }
        }
        let largest = weights.max() ?? 1
        return (weights.map { $0 / largest }, best)
    }

    private static let grid = [0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4]
    private static let rounds = 5
    private static let mostFitted = 20_000

    /// The metrics of several choices of weights on the rows.
    ///
    /// - Parameter choices: For each choice a weight for each model; 0 leaves a model out.
    /// - Returns: The metrics of each choice.
    public func metrics(_ choices: [[Double]]) -> [RankingMetrics] {
        let bound = models[0].numbers.count
        var total = choices.map { _ in RankingMetrics() }
        for start in stride(from: 0, to: models[0].rows.count, by: Self.chunk) {
            let range = start..<min(start + Self.chunk, models[0].rows.count)
            let (rows, targets) = (lists(of: range), range.map { models[0].rows.target(of: $0) })
            for (position, weights) in choices.enumerated() {
                var ranking = BlendRanking(items: bound, fusion: fusion, constant: constant)
                total[position].merge(ranking.metrics(rows, targets, weights))
            }
        }
        return total
    }

    /// Rows whose lists are held at once.
    private static let chunk = 4096
    /// Scores that are held at once by each thread.
    private static let scores = 16_000_000

    /// The lists of some rows.
    private func lists(of range: Range<Int>) -> [[[Scored]]] {
        let items = models.map { $0.model.system.itemSpace.count }.max() ?? 1
        let block = max(1, min(256, Self.scores / max(1, items)))
        let starts = Array(stride(from: range.lowerBound, to: range.upperBound, by: block))
        let found = Mutex([[Lists]](repeating: [], count: starts.count))
        DispatchQueue.concurrentPerform(iterations: starts.count) { index in
            let part = starts[index]..<min(starts[index] + block, range.upperBound)
            var lists = [Lists](repeating: [], count: part.count)
            for model in models {
                for (place, list) in self.lists(of: part, model).enumerated() { lists[place].append(list) }
            }
            found.withLock { $0[index] = lists }
        }
        return found.withLock { $0.flatMap(\.self) }
    }

    private func lists(of range: Range<Int>, _ model: Model) -> [[Scored]] {
        var result = [[Scored]](repeating: [], count: range.count)
        let system = model.model.system
        let answered = range.filter { !model.rows.history(of: $0, limit: system.historyLength).isEmpty }
        guard !answered.isEmpty else { return result }
        let histories = RaggedRows(answered.map { model.rows.history(of: $0, limit: system.historyLength) })
        let noise = NoiseSource(seed: noiseSeed, streams: answered.map { UInt64($0) })
        let users = system.userVectors(histories, noise: noise, readOut: .served)
        var scores = system.itemSpace.scores(of: users)
        model.model.counts?.add(
            to: &scores,
            histories: RaggedRows(answered.map { model.rows.history(of: $0, limit: CountScores.historyLength) })
        )
        var top = TopK(k: window)
        for (line, row) in answered.enumerated() {
            let seen = filterHistory ? Set(model.rows.history(of: row, limit: .max)) : []
            top.reset(k: window)
            top.offer(scores.row(line), count: scores.columns) { seen.contains(Int32($0)) ? nil : Int32($0) }
            result[row - range.lowerBound] = top.sorted().compactMap { entry in
                let number = model.numbers[Int(entry.id)]
                return number < 0 ? nil : Scored(id: number, score: entry.score)
            }
        }
        return result
    }
}

/// Ranks targets in merged lists; the buffers of one thread.
package struct BlendRanking {
    private let fusion: SourceBlend.Fusion
    private let constant: Double
    /// The fused score of each item; 0 between rows.
    private var scores: [Double]
    private var touched: [Int32] = []

    /// A ranking of items below a bound.
    package init(items: Int, fusion: SourceBlend.Fusion, constant: Double) {
        self.fusion = fusion
        self.constant = constant
        scores = [Double](repeating: 0, count: items)
    }

    /// The metrics of rows; each row has a list for each weight.
    mutating func metrics(_ rows: [[[Scored]]], _ targets: [Int32?], _ weights: [Double]) -> RankingMetrics {
        var metrics = RankingMetrics()
        for (lists, target) in zip(rows, targets) {
            metrics.add(rank: target.flatMap { rank(of: $0, in: lists, weights) })
        }
        return metrics
    }

    /// How many items rank before a target or tie with it; nil for a target of no list.
    package mutating func rank(of target: Int32, in lists: [[Scored]], _ weights: [Double]) -> Int? {
        touched.removeAll(keepingCapacity: true)
        for (list, weight) in zip(lists, weights) where weight > 0 {
            let range = Double(list.first?.score ?? 0) - Double(list.last?.score ?? 0)
            for (place, entry) in list.enumerated() {
                let least = Double(list[list.count - 1].score)
                let value =
                    fusion == .reciprocalRank
                    ? (constant + 1) / (constant + Double(place + 1))
                    : range > 0 ? (Double(entry.score) - least) / range : 1
                // The last item of a list by scores has the value 0, as items outside of the lists have.
                guard value > 0 else { continue }
                if scores[Int(entry.id)] == 0 { touched.append(entry.id) }
                scores[Int(entry.id)] += weight * value
            }
        }
        let own = scores[Int(target)]
        let before = touched.count { $0 != target && scores[Int($0)] >= own }
        for item in touched { scores[Int(item)] = 0 }
        return own > 0 ? before : nil
    }
}
