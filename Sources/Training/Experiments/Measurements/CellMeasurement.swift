import Autodiff
import CheckpointStore
public import Foundation
import Kernels
import Recommenders

/// A kind of measurement of a trained model.
public enum CellMeasurement: Codable, Sendable, Equatable {
    /// Every read-out of the model, and a linear probe of its item vectors where items have categories.
    case readOuts
    /// The read-outs, and the cost of serving the model.
    case comparison
    /// Only the validation metrics of the training.
    case validation
    /// The generated vector with fewer steps and more samples than in training; lists of samples are merged by score.
    case serving(steps: [Int], samples: [Int])
    /// The clean vectors that each reverse step predicts.
    case reverseSteps
    /// How much noised targets tell about their items, by step of the forward noise.
    case information
    /// Ranks of targets in the model's lists of ten before and after ``DCDR``, which trains on the validation part.
    case reranking
}

/// The measured values of a model in one read-out or setting.
public struct MeasuredPoint: Codable, Sendable, Equatable {
    /// The name of the read-out or setting.
    public var name: String
    /// Accuracies as fractions in 0...1, counts as they are, times in microseconds.
    public var values: [String: Double]
    /// One byte for each row: the rank of its target as in ``Evaluator/Result/ranks``; nil when ranks were not kept.
    public var ranks: Data?

    /// A named point.
    public init(name: String, values: [String: Double]) {
        self.name = name
        self.values = values
    }
}

/// The held-out rows of an experiment, and the baselines for them.
public struct ExperimentEvaluation: Sendable {
    /// The part to evaluate on.
    public let part: SplitPart
    /// Which prefixes of a sequence are evaluated.
    public let `protocol`: EvaluationProtocol
    /// Whether to remove a row's history from its ranking.
    public let filterHistory: Bool
    private let rows: EvaluationRows
    private let predictors: TrivialPredictors
    private let categories: [[Int32]]
    private let probe: LinearProbe?
    private let clock: ServingClock?
    /// The validation rows, for measurements that learn from them.
    private let validation: EvaluationRows
    private static let noiseSeed: UInt64 = 0
    private static let timedHistories = 256

    /// Prepares the rows.
    ///
    /// - Throws: ``ExperimentError/nothingToJudge(_:)``, or ``HeldOutError`` when the protocol does not suit the split.
    public init(
        data: TrainingData,
        part: SplitPart,
        protocol: EvaluationProtocol,
        filterHistory: Bool,
        clock: ServingClock? = nil
    ) throws {
        let held = data.split[part]
        guard `protocol`.suits(held.targets) else {
            throw HeldOutError.protocolMismatch(protocol: `protocol`.rawValue, split: data.fingerprint.split)
        }
        self.part = part
        self.protocol = `protocol`
        self.filterHistory = filterHistory
        self.clock = clock
        rows = EvaluationRows(held, protocol: `protocol`)
        guard rows.count > 0 else { throw ExperimentError.nothingToJudge(part) }
        predictors = TrivialPredictors(
            part == .test ? data.split.sequencesBeforeTest : data.split.train.sequences,
            items: data.catalogue.count,
            popularity: []
        )
        let learning = data.split.validation
        validation = EvaluationRows(learning, protocol: `protocol`.suited(to: learning.targets))
        categories = data.catalogue.categories
        probe = LinearProbe(categories: categories)
    }

    /// How many rows are evaluated.
    public var count: Int { rows.count }

    /// A bootstrap over the evaluated users.
    public var bootstrap: PairedBootstrap { PairedBootstrap(userOfRow: (0..<rows.count).map(rows.user)) }

    /// Baselines that need no training: trivial predictors, and the floors of the linear probe.
    ///
    /// - Parameters:
    ///   - dimension: Length of the random vectors of the probe's floor.
    ///   - withPredictors: Whether to add trivial predictors; false when the experiment's systems include them.
    /// - Returns: One point for each baseline.
    public func floors(dimension: Int, withPredictors: Bool = true) -> [MeasuredPoint] {
        var points =
            withPredictors
            ? predictors.metrics(on: rows, filterHistory: filterHistory)
                .map { MeasuredPoint(name: $0.name, values: $0.metrics) } : []
        if let probe {
            points.append(MeasuredPoint(name: "majority class", values: ["linear_probe": probe.majorityAccuracy]))
            let random = probe.randomAccuracy(dimension: dimension)
            points.append(MeasuredPoint(name: "random vectors", values: ["linear_probe": random]))
        }
        return points
    }

    /// Identifies everything that a measurement depends on besides the cell.
    func identity(of measurement: CellMeasurement) -> String {
        "\(measurement) \(part.rawValue) \(`protocol`.rawValue) \(filterHistory) "
            + ContentDigest.hexadecimal(
                of: categories.map { $0.map(String.init).joined(separator: "|") }.joined(separator: "\n")
            )
    }

    /// Measures a trained model.
    ///
    /// - Parameters:
    ///   - counted: The model.
    ///   - measurement: The kind of measurement.
    ///   - checkpoint: Makes the checkpoint to publish.
    /// - Returns: Points; the served read-out comes first.
    /// - Precondition: Reverse steps and serving settings need a DimeRec model.
    /// - Throws: Any error of making the checkpoint or serving it.
    func points(
        of counted: CountedRecommender,
        _ measurement: CellMeasurement,
        checkpoint: () throws -> Checkpoint
    ) throws -> [MeasuredPoint] {
        let model = counted.system
        let evaluator = Evaluator(
            rows: rows,
            historyLength: model.historyLength,
            popularity: predictors.popularity,
            diversity: Diversity(items: predictors.popularity.order.count, categories: categories),
            filterHistory: filterHistory
        )
        switch measurement {
        case .readOuts: return readOutPoints(of: counted, evaluator)
        case .comparison: return try comparisonPoints(of: counted, evaluator, checkpoint)
        case .validation: return []
        case .reranking:
            return RerankingMeasurement(
                learning: validation,
                judging: rows,
                noiseSeed: Self.noiseSeed,
                predictors: predictors
            ).points(of: model)
        case .serving(let steps, let samples):
            let model = dimeRec(model, measurement)
            return steps.flatMap { steps in
                samples.map { servingPoint(of: model, evaluator, steps: steps, samples: $0) }
            }
        case .information:
            return InformationMeasurement(seed: Self.noiseSeed).points(of: dimeRec(model, measurement))
        case .reverseSteps: return reverseStepPoints(of: dimeRec(model, measurement), evaluator)
        }
    }

    /// Measures the merged lists of several models; see ``Experiment/blend``.
    ///
    /// - Parameters:
    ///   - models: Names and models over the same catalogue.
    ///   - lengths: The lengths of lists.
    /// - Returns: Points for each length; empty without validation rows to fit weights on.
    func mergedPoints(of models: [(name: String, model: CountedRecommender)], lengths: [Int]) -> [MeasuredPoint] {
        let merged = MergedListsMeasurement(
            fitting: validation,
            judging: rows,
            filterHistory: filterHistory,
            noiseSeed: Self.noiseSeed
        )
        return validation.count == 0 ? [] : lengths.flatMap { merged.points(of: models, length: $0) }
    }

    private func dimeRec(_ model: any Recommender, _ measurement: CellMeasurement) -> DimeRec {
        guard let model = model as? DimeRec else {
            preconditionFailure("\(measurement) of a \(type(of: model)), which is measured of DimeRec alone")
        }
        return model
    }

    private func readOutPoints(of model: CountedRecommender, _ evaluator: Evaluator) -> [MeasuredPoint] {
        let results = evaluator.readOuts(of: model, noiseSeed: Self.noiseSeed)
        var points = results.map { MeasuredPoint(name: $0.name, values: $0.result.values) }
        points[0].values["linear_probe"] = model.system.itemSpace.vectors.flatMap { probe?.accuracy(of: $0) }
        points[0].ranks = Data(results[0].result.ranks)
        return points
    }

    /// Points of the read-outs; the first also has the model's size and serving cost.
    private func comparisonPoints(
        of counted: CountedRecommender,
        _ evaluator: Evaluator,
        _ checkpoint: () throws -> Checkpoint
    ) throws -> [MeasuredPoint] {
        let model = counted.system
        var points = readOutPoints(of: counted, evaluator)
        points[0].values["parameters"] = Double(model.parameters.count)
        if let clock, (model.configuration as? DimeRecConfiguration)?.geometry != .euclidean {
            let cost = try clock.service(checkpoint(), timedHistories(model.historyLength))
            points[0].values["us_per_user"] = cost.microseconds
            points[0].values["requests_per_s"] = cost.requestsPerSecond
        }
        return points
    }

    private func servingPoint(
        of model: DimeRec,
        _ evaluator: Evaluator,
        steps: Int,
        samples: Int
    ) -> MeasuredPoint {
        let result = evaluator.evaluate(model.itemSpace, noiseSeed: Self.noiseSeed) { histories, noise in
            let users = (0..<histories.count).flatMap { [Int32](repeating: Int32($0), count: samples) }
            let draws = NoiseSource(
                seed: noise.seed,
                streams: noise.streams.flatMap { stream in
                    (0..<UInt64(samples)).map { stream &+ $0 << 32 }
                }
            )
            let repeated = RaggedRows(users.map { histories[Int($0)] })
            let rows = model.generate(histories: repeated, noise: draws, steps: steps)
            return UserVectors(rows: rows, perUser: samples)
        }
        var values = result.values
        values["steps"] = Double(steps)
        values["samples"] = Double(samples)
        if let clock {
            values["us_per_user"] = clock.forwardPass(model, timedHistories(model.historyLength), steps, samples)
        }
        return MeasuredPoint(name: "S = \(steps), J = \(samples)", values: values)
    }

    private func timedHistories(_ limit: Int) -> [[Int32]] {
        let histories = (0..<rows.count).lazy.map { rows.history(of: $0, limit: limit) }.filter { !$0.isEmpty }
        return Array(histories.prefix(Self.timedHistories))
    }

    private func reverseStepPoints(of model: DimeRec, _ evaluator: Evaluator) -> [MeasuredPoint] {
        let steps = model.configuration.steps
        let items = model.itemSpace
        return (1...steps).map { step in
            let result = evaluator.evaluate(items, noiseSeed: Self.noiseSeed) { histories, noise in
                var clean: [Matrix] = []
                _ = model.generate(histories: histories, noise: noise, steps: steps) { clean.append($1) }
                return UserVectors(rows: clean[step - 1])
            }
            var values = result.values
            values["reverse_step"] = Double(step)
            return MeasuredPoint(name: "after step \(step) of \(steps)", values: values)
        }
    }
}
