public import CheckpointStore
import Recommenders

/// Trains without a recipe on a log, and compares the answers with those of simple systems on its test part.
public struct RobustnessBenchmark: Sendable {
    /// HR@20 and MRR@20 on the test rows.
    public struct Accuracy: Sendable, Equatable {
        /// The name of the read-out or system.
        public var name: String
        /// The share of rows whose target is among the first 20.
        public var hitRate: Double
        /// The mean reciprocal rank of targets, 0 beyond rank 20.
        public var reciprocalRank: Double

        init(_ name: String, _ metrics: [String: Double]) {
            self.name = name
            hitRate = metrics["hr@20", default: 0]
            reciprocalRank = metrics["mrr@20", default: 0]
        }
    }

    /// The results on one log.
    public struct Result: Sendable {
        /// How many rows are ranked.
        public var rows: Int
        /// The trained model's read-outs; the served one comes first.
        public var readOuts: [Accuracy]
        /// Systems that fit in closed form.
        public var simple: [Accuracy]
        /// The standard error of the difference of two hit rates like the served one on these rows, taken as
        /// independent.
        public var standardError: Double
    }

    /// The most test rows that are ranked, evenly spaced.
    private static let mostRows = 5000
    private let seed: UInt64
    private let budget: TrainingBudget
    private let store: CheckpointStore

    /// A benchmark.
    ///
    /// - Parameters:
    ///   - seed: Seed of every draw of a training.
    ///   - budget: The limits of each training.
    ///   - store: Holds the state of trainings.
    public init(seed: UInt64, budget: TrainingBudget, store: CheckpointStore) {
        self.seed = seed
        self.budget = budget
        self.store = store
    }

    /// Trains on a log and judges.
    ///
    /// - Parameter data: The log.
    /// - Returns: Accuracies on the test rows, at most 5000 evenly spaced ones.
    /// - Throws: Any error of a training.
    public func run(on data: TrainingData) throws -> Result {
        let recipe = RecipeChoice(for: data, budget: budget).recipe
        let job = TrainingJob(recipe: recipe, data: data, seed: seed, model: "robustness")
        guard let trained = try job.train(store: store, resume: false, budget: budget) else {
            preconditionFailure("the training stopped, and nothing asked it to")
        }
        try store.removeTrainingState(model: "robustness")
        let (items, train) = (data.catalogue.count, data.split.sequencesBeforeTest)
        let kind = recipe.data.evaluation.suited(to: data.split.test.targets)
        let all = EvaluationRows(data.split.test, protocol: kind)
        let rows = EvaluationRows(all, limit: Self.mostRows)
        let readOuts = Evaluator(
            rows: rows,
            historyLength: trained.model.system.historyLength,
            popularity: PopularityPredictor(sequences: train, items: items)
        ).readOuts(of: trained.model, noiseSeed: 0)
        let hitRate = readOuts[0].result.metrics.hitRate(at: 20)
        let simple = BaselineComparison(train: train, rows: rows, of: all.count, items: items, protocol: kind).systems
        return Result(
            rows: rows.count,
            readOuts: readOuts.map { Accuracy($0.name, $0.result.metrics.values) },
            simple: simple.compactMap { system in
                guard let hit = system.hitRate, let rank = system.meanReciprocalRank else { return nil }
                return Accuracy(system.system, ["hr@20": hit, "mrr@20": rank])
            },
            standardError: (2 * hitRate * (1 - hitRate) / Double(max(1, rows.count))).squareRoot()
        )
    }
}
