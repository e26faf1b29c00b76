public import Autodiff

/// HSTU (Zhai et al., "Actions speak louder than words", ICML 2024): a stack of sequential transduction units whose last
/// state is the user vector.
///
/// A unit has pointwise gated attention with trained distance biases and no feed-forward layers, so `hidden` has no
/// effect; see ``CausalTransformer``. The loss is the softmax loss that these systems share.
public struct HSTU: CausalTransformerRecommender {
    /// `hstu`.
    public static let system = "hstu"
    /// Hyper-parameters.
    public let configuration: CausalTransformerConfiguration
    /// All trained parameters.
    public var parameters: ParameterSet
    let transformer: CausalTransformer

    /// A model over given parameters.
    public init(_ configuration: CausalTransformerConfiguration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        transformer = CausalTransformer(configuration, kind: .transduction)
    }
}
