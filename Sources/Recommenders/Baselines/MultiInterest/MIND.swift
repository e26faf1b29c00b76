public import Autodiff

/// MIND (Li et al., CIKM 2019; method, sections 3.4 and 11): the items of the history vote through one shared matrix,
/// and routing by agreement from random logits turns the votes into K interests.
///
/// This is the version of ComiRec's repository. A user always has K interests, and all K serve. The loss uses the
/// interest nearest to the target: this is the original's label-aware attention with its power going to infinity. The
/// original's dense ReLU layers after routing are left out. ComiRec's repository has them for one data set only, and
/// a ReLU would restrict interests to one orthant of the unit sphere. `RoutedInterests.Votes` describes the initial
/// logits.
public struct MIND: MultiInterestRecommender {
    /// Hyper-parameters of the network.
    public typealias Configuration = MultiInterestConfiguration

    /// `mind`.
    public static let system = "mind"
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
        module = RoutedInterests(prefix: "routing", dimension: d, historyLength: N, interests: K, votes: .shared)
    }
}
