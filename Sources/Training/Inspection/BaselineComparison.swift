import Foundation
import Kernels
import Recommenders

/// How well systems that fit in seconds find the held-out items of the validation part.
public struct BaselineComparison: Sendable, Encodable {
    /// One system.
    public struct Row: Sendable, Encodable {
        /// The system's name in recipes.
        public let system: String
        /// The share of rows with the target among the first 20 of all items; nil if the system was left out.
        public let hitRate: Double?
        /// The mean of `1 / rank` of the target, 0 beyond rank 20; nil if the system was left out.
        public let meanReciprocalRank: Double?
        /// Seconds of fitting and ranking; nil if the system was left out.
        public let seconds: Double?
        /// Why the system was left out; nil if it was measured.
        public let leftOut: String?

        private enum CodingKeys: String, CodingKey {
            case system, seconds, leftOut
            case hitRate = "hr@20"
            case meanReciprocalRank = "mrr@20"
        }
    }

    /// Which prefixes of a sequence are rows.
    public let `protocol`: EvaluationProtocol
    /// Rows of the validation part.
    public let allRows: Int
    /// Rows that were ranked, evenly spaced.
    public let rows: Int
    /// Rows whose target the training part does not have: nobody can find them.
    public let unseenTargets: Int
    /// The systems, the simplest first.
    public let systems: [Row]

    /// The most rows that are ranked.
    static let rowLimit = 2000
    /// The most items for which EASE is solved; its time grows with their cube.
    static let easeItems = 5000
    /// The most pairs of items and of events that are counted, about ten seconds of one core.
    static let pairLimit = 2e9

    /// Fits and ranks.
    ///
    /// - Parameters:
    ///   - train: The sequences of the training part.
    ///   - rows: The rows to rank.
    ///   - allRows: How many rows the validation part has.
    ///   - items: Size of the catalogue.
    ///   - protocol: The protocol of the rows.
    /// - Complexity: Seconds for ``rowLimit`` rows; a system that would count more than ``pairLimit`` pairs is left out.
    init(train: RaggedRows, rows: EvaluationRows, of allRows: Int, items: Int, protocol: EvaluationProtocol) {
        (self.protocol, self.allRows, self.rows) = (`protocol`, allRows, rows.count)
        unseenTargets = rows.unseenTargets(in: train, items: items)

        let (popularity, popularityTime) = Self.timed {
            let predictor = PopularityPredictor(sequences: train, items: items)
            return (predictor: predictor, metrics: predictor.metrics(on: rows))
        }
        let (transitions, transitionsTime) = Self.timed {
            TransitionPredictor(sequences: train, items: items).metrics(on: rows)
        }
        let pairs = train.lengths.reduce(Double(items) * Double(items)) { $0 + Double($1) * Double($1) }
        func measure<System: FittedRecommender>(_ system: System.Type, unless obstacle: String? = nil) -> Row {
            if let obstacle { return Row(leavingOut: System.system, obstacle) }
            let configuration = System.Configuration()
            let (metrics, time) = Self.timed {
                let model = Swift.Result { try System(configuration, fitting: train, items: items) }
                let evaluator = Evaluator(
                    rows: rows,
                    historyLength: configuration.historyLength,
                    popularity: popularity.predictor
                )
                return model.map { model in
                    evaluator.evaluate(model, readOut: .served, noiseSeed: Evaluator.validationNoiseSeed).metrics
                }
            }
            switch metrics {
            case .success(let metrics): return Row(System.system, metrics, time)
            case .failure(let error): return Row(leavingOut: System.system, "\(error)")
            }
        }
        let manyPairs =
            pairs > Self.pairLimit
            ? String(format: "it would count %.1f billion pairs; at most %.1f", pairs / 1e9, Self.pairLimit / 1e9) : nil
        let manyItems = items > Self.easeItems ? "the catalogue has \(items) items; at most \(Self.easeItems)" : nil
        systems = [
            Row(Popularity.system, popularity.metrics, popularityTime),
            measure(SessionPopularity.self),
            Row(Transitions.system, transitions, transitionsTime),
            measure(ItemKNN.self, unless: manyPairs),
            measure(SessionKNN.self),
            measure(EASE.self, unless: manyItems ?? manyPairs),
        ]
    }

    /// The measured system with the highest value of a metric; the simpler one of equals.
    public func best(by metric: (Row) -> Double?) -> Row? {
        systems.filter { metric($0) != nil }.reduce(nil) { best, row in
            best.flatMap(metric) ?? -1 < metric(row) ?? -1 ? row : best
        }
    }

    /// Half the 95 percent interval of a hit rate on these rows, taken as independent (Agresti and Coull, 1998).
    public func margin(_ hitRate: Double) -> Double { RankingMetrics.margin(hitRate, rows: rows) }

    private static func timed<Result>(_ body: () throws -> Result) rethrows -> (Result, seconds: Double) {
        let start = ContinuousClock.now
        let result = try body()
        return (result, (ContinuousClock.now - start) / .seconds(1))
    }
}

extension BaselineComparison.Row {
    fileprivate init(_ system: String, _ metrics: RankingMetrics, _ seconds: Double) {
        self.init(
            system: system,
            hitRate: metrics.hitRate(at: 20),
            meanReciprocalRank: metrics.meanReciprocalRank(at: 20),
            seconds: (seconds * 1000).rounded() / 1000,
            leftOut: nil
        )
    }

    fileprivate init(leavingOut system: String, _ reason: String) {
        self.init(system: system, hitRate: nil, meanReciprocalRank: nil, seconds: nil, leftOut: reason)
    }
}
