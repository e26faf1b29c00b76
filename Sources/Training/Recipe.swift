public import Autodiff
public import Foundation
public import Kernels
public import Recommenders
public import VectorIndex

/// Everything that determines a training run besides the data and the seed; stored in `models/*.json`.
public struct Recipe: ConfigurationSection {
    /// The name of the system, one of ``ModelRegistry``.
    public let system: String
    /// The system's model and its losses; the field `model` of the file.
    public var configuration: any ModelConfiguration
    /// The settings of the training.
    public var training = TrainingConfiguration()
    /// The settings of the data split and of the validation.
    public var data = DataConfiguration()
    /// The settings of the index over the item vectors.
    public var index = IndexConfiguration()
    /// How these values were chosen; only a record, without effect.
    public var tuning = TuningRecord()

    /// DimeRec's defaults.
    public init() { self.init(DimeRec.self) }

    /// A system's defaults.
    public init(_ system: any Recommender.Type) {
        self.system = system.system
        configuration = system.defaultConfiguration
    }

    /// Reads a recipe file.
    ///
    /// - Throws: ``ConfigurationError`` with the field, or ``RecipeError`` when the file cannot be read.
    public init(contentsOf path: String) throws {
        guard let json = FileManager.default.contents(atPath: path) else { throw RecipeError.unreadable(path) }
        try self.init(json: json)
    }

    /// Reads a recipe; missing fields get the defaults of its system, and the default system is DimeRec.
    ///
    /// - Throws: ``ConfigurationError`` with the field.
    public init(json: Data) throws {
        let fields = (try? JSONSerialization.jsonObject(with: json)) as? [String: Any]
        let system = try ModelRegistry.system(named: fields?["system"] as? String ?? DimeRec.system)
        self = try Recipe(system).merged(with: json)
    }

    /// DimeRec's settings.
    ///
    /// - Precondition: The recipe is DimeRec's.
    public var model: DimeRecConfiguration {
        get { DimeRec.own(configuration) }
        set { configuration = newValue }
    }

    /// The model of the recipe with stored parameters.
    ///
    /// - Parameters:
    ///   - matrices: All parameters.
    ///   - items: Size of the catalogue.
    /// - Returns: The model.
    /// - Throws: `ParameterError`.
    public func model(stored matrices: consuming [String: Matrix], items: Int) throws -> any Recommender {
        let model = try ModelRegistry.system(named: system).model(configuration, stored: matrices)
        let found = model.itemSpace.count
        guard found == items else { throw ParameterError.itemCount(expected: items, found: found) }
        return model
    }

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try configuration.validate(prefix: prefix + "model.")
        if let system = try ModelRegistry.system(named: system) as? any TrainedRecommender.Type {
            try system.requireSize(of: configuration, key: prefix + "model")
        }
        try training.validate(prefix: prefix + "training.")
        try data.validate(prefix: prefix + "data.")
        do {
            try index.validate()
        } catch {
            throw .rejected("\(error)")
        }
        try tuning.validate(prefix: prefix + "tuning.")
    }
}

extension Recipe {
    private enum CodingKeys: String, CodingKey {
        case system, model, training, data, index, tuning
    }

    /// Decodes a recipe; the field `system` decides the type of the model's settings.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let system = try ModelRegistry.system(named: values.decode(String.self, forKey: .system))
        self.init(system)
        configuration = try system.configuration(from: values.superDecoder(forKey: .model))
        training = try values.decode(TrainingConfiguration.self, forKey: .training)
        data = try values.decode(DataConfiguration.self, forKey: .data)
        index = try values.decode(IndexConfiguration.self, forKey: .index)
        tuning = try values.decode(TuningRecord.self, forKey: .tuning)
    }

    /// Encodes all fields.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(system, forKey: .system)
        try configuration.encode(to: values.superEncoder(forKey: .model))
        try values.encode(training, forKey: .training)
        try values.encode(data, forKey: .data)
        try values.encode(index, forKey: .index)
        try values.encode(tuning, forKey: .tuning)
    }

    /// Recipes are equal when all their fields are.
    public static func == (a: Recipe, b: Recipe) -> Bool {
        func equal<Configuration: ModelConfiguration>(_ own: Configuration) -> Bool {
            b.configuration as? Configuration == own
        }
        return a.system == b.system && equal(a.configuration) && a.training == b.training && a.data == b.data
            && a.index == b.index && a.tuning == b.tuning
    }
}

/// How a recipe's values were chosen, so that tables can show the tuning effort of each system.
public struct TuningRecord: ConfigurationSection {
    /// The number of settings compared on the validation part; 0 when the values were set by hand.
    public var trials = 0

    /// The defaults.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(0...1_000_000, contains: trials, key: prefix + "trials")
    }
}

/// A recipe that cannot be read.
public enum RecipeError: Error, Equatable, CustomStringConvertible {
    /// There is no readable file at the path.
    case unreadable(String)

    /// The problem and where to start.
    public var description: String {
        switch self {
        case .unreadable(let path): "No readable recipe at '\(path)'. Start from one of those under models/."
        }
    }
}

/// Settings of the optimiser, the batches and early stopping.
public struct TrainingConfiguration: ConfigurationSection {
    /// Rows of one optimiser step.
    public var batchSize = 256
    /// How many rows of a batch come from one window of a user's history; 1 draws every row separately.
    ///
    /// A causal guidance module computes all rows of a window in one pass.
    public var cutsPerWindow = 1
    /// Probability of dropping each item of a history during training.
    public var historyDropout = 0.0
    /// Adam's learning rate.
    public var learningRate = 0.005
    /// The learning-rate schedule.
    public var schedule = LearningRateSchedule.constant
    /// Warm-up steps, over which the learning rate rises linearly from 0.
    public var warmupSteps = 0
    /// Adam's decay of the first moment.
    public var beta1 = 0.9
    /// Adam's decay of the second moment.
    public var beta2 = 0.999
    /// Adam's epsilon.
    public var epsilon = 1e-8
    /// How Adam treats rows of the item table without a gradient.
    public var tableUpdate = TableUpdate.lazy
    /// Negatives of the softmax losses.
    public var negatives = NegativesConfiguration()
    /// Maximum number of steps.
    public var maxSteps = 6000
    /// Steps between validations.
    public var validateEvery = 300
    /// Training stops after this many validations without a better HR@20.
    public var patience = 8

    /// The defaults.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...65536, contains: batchSize, key: prefix + "batchSize")
        guard cutsPerWindow >= 1, min(batchSize, 128) % cutsPerWindow == 0 else {
            throw .outOfRange(
                key: prefix + "cutsPerWindow",
                value: "\(cutsPerWindow)",
                allowed: "a divisor of the batch size and of 128"
            )
        }
        try ConfigurationError.require(0...0.9, contains: historyDropout, key: prefix + "historyDropout")
        try ConfigurationError.require(1e-8...1, contains: learningRate, key: prefix + "learningRate")
        try ConfigurationError.require(0...1_000_000, contains: warmupSteps, key: prefix + "warmupSteps")
        try ConfigurationError.require(0...0.9999, contains: beta1, key: prefix + "beta1")
        try ConfigurationError.require(0...0.99999, contains: beta2, key: prefix + "beta2")
        try ConfigurationError.require(1e-16...1, contains: epsilon, key: prefix + "epsilon")
        try ConfigurationError.require(1...100_000_000, contains: maxSteps, key: prefix + "maxSteps")
        try ConfigurationError.require(1...100_000_000, contains: validateEvery, key: prefix + "validateEvery")
        try ConfigurationError.require(1...100_000, contains: patience, key: prefix + "patience")
        try negatives.validate(prefix: prefix + "negatives.")
    }
}

/// The learning rate over a run of `maxSteps` steps.
public enum LearningRateSchedule: String, Codable, Sendable, CaseIterable {
    /// The same at every step.
    case constant
    /// Half a cosine from the full rate to 0 (Loshchilov and Hutter, ICLR 2017, without restarts).
    case cosine

    /// The fraction of the full learning rate at a step, counted from 0.
    public func factor(step: Int, of maxSteps: Int) -> Double {
        switch self {
        case .constant: 1
        case .cosine: 0.5 * (1 + cos(.pi * Double(step) / Double(maxSteps)))
        }
    }
}

extension TrainingConfiguration {
    /// The learning rate of a step, counted from 0.
    package func learningRate(step: Int) -> Double {
        let warmth = min(1, Double(step + 1) / Double(max(1, warmupSteps)))
        return learningRate * warmth * schedule.factor(step: step, of: maxSteps)
    }
}

/// Negatives of the softmax losses (method, section 8).
public struct NegativesConfiguration: ConfigurationSection {
    /// The source of negatives.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// One uniform pool for the whole batch.
        case pool
        /// Separate negatives for each row, none of them an item of the row's user.
        case perRow = "private"
        /// Every item of the catalogue.
        case catalogue
    }
    /// A correction for the sampling probability of negatives.
    public enum LogQ: String, Codable, Sendable, CaseIterable {
        /// None.
        case none
        /// `log((V - 1) / count)` on negatives only, which makes the loss estimate the full softmax.
        case oneSided = "one-sided"
    }
    /// The source of negatives.
    public var kind = Kind.pool
    /// Size of the pool, or negatives for each row.
    public var count = 2560
    /// Mask the user's own items in the pool or the catalogue.
    public var maskUserItems = true
    /// The correction for sampling probabilities.
    public var logQ = LogQ.none

    /// The defaults.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...1_000_000, contains: count, key: prefix + "count")
    }
}

/// How interactions are split, and which rows of the validation part are evaluated.
public struct DataConfiguration: ConfigurationSection {
    /// How one events file is split into three parts.
    public var split = SplitKind.users
    /// Seed of a split by users.
    public var splitSeed: UInt64 = 1
    /// Which prefixes of validation sequences are evaluated.
    public var evaluation = EvaluationProtocol.fiveCuts
    /// Maximum number of validation rows to evaluate; evenly spaced when there are more.
    public var validationRows = 5000

    /// The defaults.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...100_000_000, contains: validationRows, key: prefix + "validationRows")
    }
}
