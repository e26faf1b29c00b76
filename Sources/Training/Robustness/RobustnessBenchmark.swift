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
        /// The trained model's read-outs; what is served comes first.
        public var readOuts: [Accuracy]
        /// Systems that fit in closed form.
        public var simple: [Accuracy]
        /// The standard error of a difference of two hit rates on these rows, at most.
        public var standardError: Double
    }

    /// The largest catalogue for EASE, whose time grows with its cube.
    private static let largestEASE = 4000
    private let seed: UInt64
    private let budget: TrainingBudget
    private let store: CheckpointStore

    /// A benchmark.
    ///
    /// - Parameters:
    ///   - seed: Seed of every draw of a training.
    ///   - budget: What ends each training.
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
        let recipe = RecipeChoice(for: data).recipe
        let job = TrainingJob(recipe: recipe, data: data, seed: seed, model: "robustness")
        guard let trained = try job.train(store: store, resume: false, budget: budget) else {
            preconditionFailure("the training stopped, and nothing asked it to")
        }
        try store.removeTrainingState(model: "robustness")
        let (items, train) = (data.catalogue.count, data.split.train.sequences)
        let rows = EvaluationRows(
            data.split.test,
            protocol: recipe.data.evaluation.suited(to: data.split.test.targets)
        )
        let popularity = PopularityPredictor(sequences: train, items: items)
        func evaluator(_ model: any Recommender) -> Evaluator {
            Evaluator(rows: rows, limit: 5000, historyLength: model.historyLength, popularity: popularity)
        }
        func simple<Model: FittedRecommender>(_ system: Model.Type) throws -> Accuracy {
            let model = try Model(Model.Configuration(), fitting: train, items: items)
            let result = evaluator(model).evaluate(model, readOut: .served, noiseSeed: 0)
            return Accuracy(Model.system, result.metrics.values)
        }
        var systems: [any FittedRecommender.Type] = [
            Popularity.self, SessionPopularity.self, Transitions.self, ItemKNN.self, SessionKNN.self,
        ]
        if items <= Self.largestEASE { systems.append(EASE.self) }
        let judge = evaluator(trained.model.system)
        let readOuts = judge.readOuts(of: trained.model, noiseSeed: 0)
        return Result(
            rows: judge.count,
            readOuts: readOuts.map { Accuracy($0.name, $0.result.metrics.values) },
            simple: try systems.map { try simple($0) },
            standardError: (readOuts[0].result.metrics.hitRate(at: 20) / Double(max(1, judge.count))).squareRoot()
        )
    }
}
