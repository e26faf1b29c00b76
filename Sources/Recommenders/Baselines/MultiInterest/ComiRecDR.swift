public import Autodiff

/// ComiRec-DR (Cen et al., KDD 2020; method, sections 3.4 and 11): the items of the history vote for interests, and
/// routing by agreement decides which interest gets how much of each.
///
/// Interests and items are on the unit sphere, where the original's have any length.
public struct ComiRecDR: MultiInterestRecommender {
    /// Hyper-parameters of the network.
    public typealias Configuration = MultiInterestConfiguration

    /// `comirec-dr`.
    public static let system = "comirec-dr"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained numbers.
    public var parameters: ParameterSet
    let module: any InterestModule

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        let (d, N, K) = (configuration.dimension, configuration.historyLength, configuration.interests)
        module = RoutedInterests(
            prefix: "routing",
            dimension: d,
            historyLength: N,
            interests: K,
            votes: .byPosition
        )
    }
}
