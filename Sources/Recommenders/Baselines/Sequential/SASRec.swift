public import Autodiff

/// SASRec (Kang and McAuley, ICDM 2018; method, section 11): a causal Transformer whose last state is the user
/// vector.
///
/// Blocks are pre-norm with trained distance biases (see ``CausalTransformer``). The loss is the softmax loss that
/// these systems share, not the original's binary loss with one negative.
public struct SASRec: CausalTransformerRecommender {
    /// `sasrec`.
    public static let system = "sasrec"
    /// Hyper-parameters.
    public let configuration: CausalTransformerConfiguration
    /// All trained parameters.
    public var parameters: ParameterSet
    let transformer: CausalTransformer

    /// A model over given parameters.
    public init(_ configuration: CausalTransformerConfiguration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        transformer = CausalTransformer(configuration, kind: .transformer)
    }
}
