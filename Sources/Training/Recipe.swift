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
    /// The settings of the scores that counting adds to the system's own.
    public var counts = CountConfiguration()
    /// The settings of the index over the item vectors.
    public var index = IndexConfiguration()
    /// The settings of a training that continues from a version.
    public var continuation = ContinuationConfiguration()
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

    /// Writes the recipe with all of its fields to a file, atomically.
    public func write(to path: String) throws { try DurableFile.write(Data((json + "\n").utf8), to: path) }

    /// Reads the recipe of a stored version.
    ///
    /// Programs that left out no users stored no such choice, so their versions keep the users that they learnt from.
    ///
    /// - Throws: As ``init(json:)``.
    public init(stored text: String) throws {
        try self.init(json: Data(text.utf8))
        if !text.contains("\"dropSharedUsers\"") { data.targets.dropSharedUsers = false }
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
    ///   - matrices: All parameters, and the counts where there are some.
    ///   - items: Size of the catalogue.
    /// - Returns: The model.
    /// - Throws: `ParameterError`.
    public func model(stored matrices: consuming [String: Matrix], items: Int) throws -> CountedRecommender {
        try CountedRecommender(ModelRegistry.system(named: system), configuration, stored: matrices, items: items)
    }

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try configuration.validate(prefix: prefix + "model.")
        if let system = try ModelRegistry.system(named: system) as? any TrainedRecommender.Type {
            try system.requireSize(of: configuration, key: prefix + "model")
        }
        try training.validate(prefix: prefix + "training.")
        try data.validate(prefix: prefix + "data.")
        try counts.validate(prefix: prefix + "counts.")
        do {
            try index.validate()
        } catch {
            throw .rejected("\(error)")
        }
        try continuation.validate(prefix: prefix + "continuation.")
        try tuning.validate(prefix: prefix + "tuning.")
    }
}

extension Recipe {
    private enum CodingKeys: String, CodingKey {
        case system, model, training, data, counts, index, continuation, tuning
    }

    /// Decodes a recipe; the field `system` decides the type of the model's settings.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let system = try ModelRegistry.system(named: values.decode(String.self, forKey: .system))
        self.init(system)
        configuration = try system.configuration(from: values.superDecoder(forKey: .model))
        training = try values.decode(TrainingConfiguration.self, forKey: .training)
        data = try values.decode(DataConfiguration.self, forKey: .data)
        counts = try values.decode(CountConfiguration.self, forKey: .counts)
        index = try values.decode(IndexConfiguration.self, forKey: .index)
        continuation = try values.decode(ContinuationConfiguration.self, forKey: .continuation)
        tuning = try values.decode(TuningRecord.self, forKey: .tuning)
    }

    /// Encodes all fields.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(system, forKey: .system)
        try configuration.encode(to: values.superEncoder(forKey: .model))
        try values.encode(training, forKey: .training)
        try values.encode(data, forKey: .data)
        try values.encode(counts, forKey: .counts)
        try values.encode(index, forKey: .index)
        try values.encode(continuation, forKey: .continuation)
        try values.encode(tuning, forKey: .tuning)
    }

    /// Recipes are equal when all their fields are.
    public static func == (a: Recipe, b: Recipe) -> Bool {
        func equal<Configuration: ModelConfiguration>(_ own: Configuration) -> Bool {
            b.configuration as? Configuration == own
        }
        return a.system == b.system && equal(a.configuration) && a.training == b.training && a.data == b.data
            && a.counts == b.counts && a.index == b.index && a.continuation == b.continuation && a.tuning == b.tuning
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
    /// Which events are targets, and their weights.
    public var targets = TargetConfiguration()

    /// The defaults.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...100_000_000, contains: validationRows, key: prefix + "validationRows")
        try targets.validate(prefix: prefix + "targets.")
    }
}
