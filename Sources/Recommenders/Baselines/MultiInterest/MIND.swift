public import Autodiff

/// MIND (Li et al., CIKM 2019; method, sections 3.4 and 11): the items of the history vote by one shared matrix, and routing
/// by agreement from random logits makes K interests of their votes.
///
/// It is the form of ComiRec's repository. A user has K interests however short the history; the loss reads the one nearest
/// to the target, which is the label-aware attention of the original with its power going to infinity; all K serve. The
/// original's dense ReLU layers after routing, which that repository has for one data set only, are left out: interests and
/// items are on the unit sphere, and a ReLU would leave one orthant of it. What the logits start from, see
/// `RoutedInterests.Votes`.
public struct MIND: MultiInterestRecommender {
    /// Hyper-parameters of the network.
    public typealias Configuration = MultiInterestConfiguration

    /// `mind`.
    public static let system = "mind"
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
        module = RoutedInterests(prefix: "routing", dimension: d, historyLength: N, interests: K, votes: .shared)
    }
}
