import Autodiff
import Kernels

/// Turns histories into interests: DimeRec's guidance, or the user vectors of a multi-interest system.
protocol InterestModule: Sendable {
    /// The parameters, each name starting with the module's prefix.
    var layout: ParameterLayout { get }

    /// The module's interests, not yet normalised.
    ///
    /// - Parameters:
    ///   - items: Unit rows of the items that occur, `[U, d]`.
    ///   - histories: Row numbers in `items`.
    ///   - parameters: The set that holds the weights.
    ///   - noise: Streams of the dropout masks, one for each history; nil when not training.
    /// - Returns: `[B, K d]`; zero for an empty history.
    func interests(
        items: Variable,
        histories: RaggedRows,
        parameters: ParameterSet,
        noise: NoiseSource?
    ) -> Variable

    /// The module for serving, which reads one history at a time.
    ///
    /// - Parameters:
    ///   - items: Unit rows of all items, `[V, d]`.
    ///   - parameters: The set that holds the weights.
    ///   - keyBytes: The memory limit of the self-attentive module's keys of all items.
    /// - Returns: An extractor whose interests equal those of ``interests(items:histories:parameters:noise:)`` up to
    ///   rounding.
    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor
}
