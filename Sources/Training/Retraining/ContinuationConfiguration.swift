public import Recommenders

/// Settings of a training that continues from a version; the field `continuation` of recipes.
public struct ContinuationConfiguration: ConfigurationSection {
    /// Optimiser steps, as a share of those of the training from nothing.
    public var share = 0.15
    /// Learning rate, as a share of `training.learningRate`.
    public var learningRate = 0.5
    /// Steps over which the learning rate rises from 0, as a share of the steps of the continued training.
    ///
    /// A version does not hold Adam's moments, which are twice as large as its parameters; they form again meanwhile.
    public var warmup = 0.1

    /// The defaults.
    public init() {}

    /// Throws when a value is out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(0.001...1, contains: share, key: prefix + "share")
        try ConfigurationError.require(0.001...10, contains: learningRate, key: prefix + "learningRate")
        try ConfigurationError.require(0...1, contains: warmup, key: prefix + "warmup")
    }
}

extension Recipe {
    /// Validations of a continued training.
    private static let validations = 4

    /// The settings of a training that continues from a version.
    ///
    /// - Parameter fullSteps: Steps of the training from nothing.
    /// - Returns: The same recipe with fewer steps, another learning rate and a warm-up.
    func continued(fullSteps: Int) -> Recipe {
        var recipe = self
        let steps = max(1, Int((continuation.share * Double(fullSteps)).rounded()))
        recipe.training.maxSteps = steps
        recipe.training.learningRate *= continuation.learningRate
        recipe.training.warmupSteps = Int((continuation.warmup * Double(steps)).rounded())
        recipe.training.validateEvery = max(1, (steps + Self.validations - 1) / Self.validations)
        recipe.training.patience = 100_000
        return recipe
    }
}
