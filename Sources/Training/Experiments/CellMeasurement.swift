import CheckpointStore
import Kernels
public import Recommenders

/// What is measured of a trained model.
public enum CellMeasurement: Codable, Sendable, Equatable {
    /// Every read-out of the model, and a linear probe of its item vectors where items have categories.
    case readOuts
    /// The generated vector with fewer steps and more samples than training's, the lists of samples merged by score.
    case serving(steps: [Int], samples: [Int])
    /// The clean vectors that each reverse step predicts.
    case reverseSteps
}

/// One measured way of using a model.
public struct MeasuredPoint: Codable, Sendable, Equatable {
    /// Its name: a read-out, or a setting.
    public var name: String
    /// Accuracies as fractions in 0...1, counts as they are, times in microseconds.
    public var values: [String: Double]

    /// A point of a name.
    public init(name: String, values: [String: Double]) {
        self.name = name
        self.values = values
    }
}

/// The held-out rows of an experiment and what they are judged beside.
public struct ExperimentEvaluation: Sendable {
    /// How long the service's forward pass takes on average for a user, in microseconds; nil where it cannot serve.
    ///
    /// Takes a model, histories in turn, reverse steps and samples.
    public typealias ServingTime = @Sendable (DimeRec, [[Int32]], _ steps: Int, _ samples: Int) -> Double?

    /// Which part judges.
    public let part: SplitPart
    /// Which prefixes are asked for their next item.
    public let `protocol`: EvaluationProtocol
    /// Whether a row's history is left out of its ranking.
    public let filterHistory: Bool
    private let rows: EvaluationRows
    private let predictors: TrivialPredictors
    private let categories: [[Int32]]
    private let probe: LinearProbe?
    private let servingTime: ServingTime?
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
        servingTime: ServingTime? = nil
    ) throws {
        let held = data.split[part]
        guard `protocol`.suits(held.targets) else {
            throw HeldOutError.protocolMismatch(protocol: `protocol`.rawValue, split: data.fingerprint.split)
        }
        self.part = part
        self.protocol = `protocol`
        self.filterHistory = filterHistory
        self.servingTime = servingTime
        rows = EvaluationRows(held, protocol: `protocol`)
        guard rows.count > 0 else { throw ExperimentError.nothingToJudge(part) }
        predictors = TrivialPredictors(data.split.train.sequences, items: data.catalogue.count, popularity: [])
        categories = data.catalogue.categories
        probe = LinearProbe(categories: categories)
    }

    /// How many rows are asked.
    public var count: Int { rows.count }

    /// What needs no training: trivial predictors, and the floors of the linear probe for vectors of a length.
    public func floors(dimension: Int) -> [MeasuredPoint] {
        var points = predictors.metrics(on: rows, filterHistory: filterHistory)
            .map { MeasuredPoint(name: $0.name, values: $0.metrics) }
        if let probe {
            points.append(MeasuredPoint(name: "majority class", values: ["linear_probe": probe.majorityAccuracy]))
            let random = probe.randomAccuracy(dimension: dimension)
            points.append(MeasuredPoint(name: "random vectors", values: ["linear_probe": random]))
        }
        return points
    }

    /// Names everything besides the cell that a measurement depends on.
    func identity(of measurement: CellMeasurement) -> String {
        "\(measurement) \(part.rawValue) \(`protocol`.rawValue) \(filterHistory) "
            + ContentDigest.hexadecimal(
                of: categories.map { $0.map(String.init).joined(separator: "|") }.joined(separator: "\n")
            )
    }

    /// Measures a trained model.
    ///
    /// - Precondition: Only ``CellMeasurement/readOuts`` is measured of systems other than DimeRec.
    func points(of model: any Recommender, _ measurement: CellMeasurement) -> [MeasuredPoint] {
        let evaluator = Evaluator(
            rows: rows,
            historyLength: model.historyLength,
            popularity: predictors.popularity,
            categories: categories,
            filterHistory: filterHistory
        )
        if measurement == .readOuts { return readOutPoints(of: model, evaluator) }
        guard let model = model as? DimeRec else {
            preconditionFailure("\(measurement) of a \(type(of: model)), which has no reverse chain")
        }
        switch measurement {
        case .readOuts: return readOutPoints(of: model, evaluator)
        case .serving(let steps, let samples):
            return steps.flatMap { steps in
                samples.map { servingPoint(of: model, evaluator, steps: steps, samples: $0) }
            }
        case .reverseSteps: return reverseStepPoints(of: model, evaluator)
        }
    }

    private func readOutPoints(of model: some Recommender, _ evaluator: Evaluator) -> [MeasuredPoint] {
        let accuracy = model.itemSpace.vectors.flatMap { probe?.accuracy(of: $0) }
        return model.readOuts.map { readOut in
            let result = evaluator.evaluate(model, readOut: readOut, noiseSeed: Self.noiseSeed)
            var values = result.values
            if readOut == model.readOuts.first { values["linear_probe"] = accuracy }
            return MeasuredPoint(name: readOut.description, values: values)
        }
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
        if let servingTime {
            values["us_per_user"] = servingTime(model, timedHistories(model.historyLength), steps, samples)
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
