public import Autodiff
public import Kernels
public import Recommenders

/// Settings of the optimiser, the batches and early stopping.
public struct TrainingConfiguration: ConfigurationSection {
    /// Targets of one optimiser step; systems that learn from whole windows take as many windows as have about this
    /// many targets.
    public var batchSize = 256
    /// Probability of dropping each item of a history during training.
    public var historyDropout = 0.0
    /// Adam's learning rate.
    public var learningRate = 0.005
    /// The learning-rate schedule.
    public var schedule = LearningRateSchedule.trapezoidal
    /// Warm-up steps, over which the learning rate rises linearly from 0.
    public var warmupSteps = 0
    /// The share of a run over which the trapezoidal schedule lowers the learning rate to 0.
    public var decayShare = 0.5
    /// Adam's decay of the first moment.
    public var beta1 = 0.9
    /// Adam's decay of the second moment.
    public var beta2 = 0.999
    /// Adam's epsilon.
    public var epsilon = 1e-8
    /// How Adam treats rows of the item table without a gradient.
    public var tableUpdate = TableUpdate.lazy
    /// Where the item rows of a training begin that does not continue from a version.
    public var itemStart = ItemStart.neighbours
    /// Negatives of the softmax losses.
    public var negatives = NegativesConfiguration()
    /// The arithmetic of dense layers and of the softmax over shared negatives; CPUs without bfloat16 products use float32.
    public var precision = Precision.bfloat16
    /// Maximum number of steps, unless the command gives a budget.
    public var maxSteps = 6000
    /// Steps between validations; a run with a time limit chooses them by their cost.
    public var validateEvery = 300
    /// If true, the version learns from the validation part too, once that has decided when to stop and which weights
    /// are kept.
    public var refit = true
    /// Validations without a better HR@20 after which the learning rate falls, or after which training stops if the
    /// schedule has no fall of its own.
    public var patience = 8

    /// The defaults.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...65536, contains: batchSize, key: prefix + "batchSize")
        try ConfigurationError.require(0...0.9, contains: historyDropout, key: prefix + "historyDropout")
        try ConfigurationError.require(1e-8...1, contains: learningRate, key: prefix + "learningRate")
        try ConfigurationError.require(0...1_000_000, contains: warmupSteps, key: prefix + "warmupSteps")
        try ConfigurationError.require(0.01...1, contains: decayShare, key: prefix + "decayShare")
        try ConfigurationError.require(0...0.9999, contains: beta1, key: prefix + "beta1")
        try ConfigurationError.require(0...0.99999, contains: beta2, key: prefix + "beta2")
        try ConfigurationError.require(1e-16...1, contains: epsilon, key: prefix + "epsilon")
        try ConfigurationError.require(1...TrainingPlan.mostSteps, contains: maxSteps, key: prefix + "maxSteps")
        try ConfigurationError.require(
            1...TrainingPlan.mostSteps,
            contains: validateEvery,
            key: prefix + "validateEvery"
        )
        try ConfigurationError.require(1...100_000, contains: patience, key: prefix + "patience")
        try negatives.validate(prefix: prefix + "negatives.")
    }
}

/// Negatives of the softmax losses (method, section 8).
public struct NegativesConfiguration: ConfigurationSection {
    /// The source of negatives.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Every item for catalogues of at most one and a half times `count` items, otherwise `mixed`, with the logQ
        /// correction.
        case automatic = "auto"
        /// One uniform pool for the whole batch.
        case pool
        /// One pool for the whole batch: half uniform, half by the frequency of the items in the training part.
        case mixed
        /// Separate negatives for each row, none of them an item of the row's user.
        case perRow = "private"
        /// Every item of the catalogue.
        case catalogue
    }
    /// A correction for the sampling probability of negatives.
    public enum LogQ: String, Codable, Sendable, CaseIterable {
        /// None.
        case none
        /// `-log(count q)` on negatives only, with q the probability of drawing the negative. The loss then estimates
        /// the full softmax. For uniform draws it is `log((V - 1) / count)`.
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

    /// The settings for a catalogue, with a kind other than ``Kind/automatic``.
    ///
    /// A pool much smaller than the catalogue costs less than the full softmax, and its correction leaves little
    /// difference; a catalogue that is hardly larger than the pool costs the same as the pool and needs no estimate.
    func resolved(items: Int) -> NegativesConfiguration {
        guard kind == .automatic else { return self }
        var resolved = self
        resolved.kind = items <= count * 3 / 2 ? .catalogue : .mixed
        resolved.logQ = .oneSided
        return resolved
    }
}
