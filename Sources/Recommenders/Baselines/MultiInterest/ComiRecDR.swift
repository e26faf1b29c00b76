public import Autodiff

/// ComiRec-DR (Cen et al., KDD 2020; method, sections 3.4 and 11): the items of the history vote for interests, and
/// routing by agreement decides how much of each item goes to each interest.
///
/// Interests and items are on the unit sphere; in the original they have any length.
public struct ComiRecDR: MultiInterestRecommender {
    /// Hyper-parameters of the network.
    public typealias Configuration = MultiInterestConfiguration

    /// `comirec-dr`.
    public static let system = "comirec-dr"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
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
