import Autodiff
public import Kernels

/// A trained system and the scores that counting adds to its own.
public struct CountedRecommender: Sendable {
    /// The system.
    public var system: any Recommender
    /// The counts; nil when the recipe has none, or when validation was better without them.
    public var counts: CountScores?

    /// Groups the two.
    public init(_ system: any Recommender, counts: CountScores? = nil) {
        self.system = system
        self.counts = counts
    }

    /// Reads both from the matrices of a checkpoint.
    ///
    /// - Parameters:
    ///   - type: The system.
    ///   - configuration: Its settings.
    ///   - matrices: All stored matrices.
    ///   - items: Size of the catalogue.
    /// - Throws: `ParameterError`.
    public init(
        _ type: any Recommender.Type,
        _ configuration: any ModelConfiguration,
        stored matrices: consuming [String: Matrix],
        items: Int
    ) throws(ParameterError) {
        counts = try CountScores.take(from: &matrices, items: items)
        system = try type.model(configuration, stored: matrices)
        let found = system.itemSpace.count
        guard found == items else { throw ParameterError.itemCount(expected: items, found: found) }
    }

    /// The matrices that a checkpoint stores.
    public var matrices: [String: Matrix] {
        system.parameters.matrices.merging(counts?.matrices ?? [:]) { $1 }
    }
}
