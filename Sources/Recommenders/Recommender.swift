public import Autodiff
public import Kernels

/// A system that turns histories into vectors, and ranks items by them.
///
/// A system learns in one of two ways: ``TrainedRecommender`` by gradients, ``FittedRecommender`` in closed form.
public protocol Recommender: Sendable {
    /// The hyper-parameters of the model and its losses.
    associatedtype Configuration: ModelConfiguration

    /// The system's name in recipes and manifests, such as `dimerec`.
    static var system: String { get }

    /// Hyper-parameters.
    var configuration: Configuration { get }

    /// A model over stored parameters.
    ///
    /// - Throws: ``ParameterError`` naming the first parameter that is missing or has a wrong shape.
    init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError)

    /// All learnt parameters, as checkpoints store them.
    var parameters: ParameterSet { get }

    /// The ways of turning a history into vectors; the first one is served.
    var readOuts: [ReadOut] { get }

    /// The number of steps of the served read-out's full reverse chain (T); 1 for a system without a chain.
    var reverseSteps: Int { get }

    /// The number of steps of an answer for which nobody asks for a number, 1 to `reverseSteps`.
    var servedSteps: Int { get }

    /// User vectors of histories that have at least one item each.
    ///
    /// - Parameters:
    ///   - histories: Item numbers, oldest first, at most `historyLength` each.
    ///   - noise: Seeds of the random draws.
    ///   - readOut: One of `readOuts`.
    /// - Returns: The same number of vectors for each history.
    func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors

    /// Served user vectors after fewer steps of the reverse chain.
    ///
    /// - Parameters:
    ///   - histories: As for ``userVectors(_:noise:readOut:)``.
    ///   - noise: Seeds of the random draws.
    ///   - steps: 1 to `reverseSteps`.
    /// - Returns: The same number of vectors for each history. With all steps they equal the served read-out.
    func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors

    /// The items that user vectors are compared with.
    var itemSpace: ItemSpace { get }
}

extension Recommender {
    /// How many of a history's newest items are used.
    public var historyLength: Int { configuration.historyLength }

    /// No reverse chain.
    public var reverseSteps: Int { 1 }

    /// All steps.
    public var servedSteps: Int { reverseSteps }

    /// The served read-out; without a chain, the number of steps has no effect.
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        userVectors(histories, noise: noise, readOut: .served)
    }
}

/// A system that learns by gradients.
public protocol TrainedRecommender: Recommender {
    /// A fresh model of `items` items.
    init(_ configuration: Configuration, items: Int, seed: UInt64)

    /// A model over given parameters.
    ///
    /// - Precondition: Before the model is used, its parameters have the shapes of ``layout(items:)``.
    init(_ configuration: Configuration, parameters: ParameterSet)

    /// The parameters of a model of `items` items, and how a fresh model draws them; the item rows are in
    /// ``ItemTable/name``.
    func layout(items: Int) -> ParameterLayout

    /// All parameters that training changes.
    var parameters: ParameterSet { get set }

    /// Whether a batch needs a second draw of negatives, for a second loss.
    var drawsSecondNegatives: Bool { get }

    /// Whether the loss is a sum over the targets of the rows, so that each target may have a weight.
    var weighsTargets: Bool { get }

    /// Whether a training window has many targets, because the model computes them all in one pass over the window.
    var learnsWholeWindows: Bool { get }

    /// Whether the loss and the user vectors read of the item tables only the rows of their own items, so that a step
    /// needs no other rows.
    var gathersItems: Bool { get }

    /// The training loss of some rows of a batch.
    ///
    /// - Parameters:
    ///   - batch: The rows, with their share of the batch's mean.
    ///   - tape: The tape that records the operations.
    /// - Returns: The scalar to differentiate, and its terms by name.
    func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss

    /// Restores constraints after an optimiser step, such as a bound on a trained scale.
    mutating func constrain()

    /// The item vectors whose inner products with user vectors rank the items, `[V, d]`; of length one on the sphere.
    var scoringItems: Matrix { get }
}

extension TrainedRecommender {
    /// A fresh model, drawn by its layout.
    public init(_ configuration: Configuration, items: Int, seed: UInt64) {
        self.init(configuration, items: items, seed: seed, share: .all)
    }

    /// A fresh model that has only a share of the rows of its item tables.
    public init(_ configuration: Configuration, items: Int, seed: UInt64, share: RowShare) {
        self.init(configuration, parameters: ParameterSet())
        parameters = ParameterSet(layout(items: items), seed: seed, tables: itemTables, share: share)
    }

    /// The names of the parameters with a row for each item.
    public var itemTables: Set<String> {
        let (one, two) = (layout(items: 1), layout(items: 2))
        return Set(one.keys.filter { one[$0]?.rows != two[$0]?.rows })
    }

    /// The same model with other rows in its item tables.
    ///
    /// A model with the rows of some items computes with them as the whole model does, if the items are numbered by
    /// their places among the rows.
    public func holding(_ rows: [String: Matrix]) -> Self {
        var copy = self
        for (name, matrix) in rows { copy.parameters[name] = matrix }
        return copy
    }

    /// A model over stored parameters.
    ///
    /// - Throws: ``ParameterError`` naming the first parameter that is missing or has a wrong shape.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        self.init(configuration, parameters: ParameterSet(matrices))
        try requireLayout()
    }

    /// The loss is a sum over the targets of the rows.
    public var weighsTargets: Bool { true }

    /// One draw of negatives is enough.
    public var drawsSecondNegatives: Bool { false }

    /// Every target needs a pass of its own.
    public var learnsWholeWindows: Bool { false }

    /// Items are gathered by their numbers.
    public var gathersItems: Bool { true }

    /// Nothing to restore.
    public mutating func constrain() {}

    /// The item vectors.
    public var itemSpace: ItemSpace { .vectors(scoringItems) }
}

/// A system that learns in closed form: by counting, or by solving a linear system.
public protocol FittedRecommender: Recommender {
    /// Learns from sequences.
    ///
    /// - Parameters:
    ///   - configuration: Hyper-parameters.
    ///   - sequences: Item numbers of the training part, one row per user or session, oldest first, all below
    ///     `items`.
    ///   - items: Size of the catalogue.
    /// - Throws: ``ConfigurationError`` if the settings have no solution for these sequences.
    init(_ configuration: Configuration, fitting sequences: RaggedRows, items: Int) throws(ConfigurationError)
}
