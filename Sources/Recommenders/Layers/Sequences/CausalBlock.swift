import Autodiff
import Kernels

/// One block of a causal network over sequences that are stored one after another.
protocol CausalBlock: Sendable {
    /// The parameters.
    var layout: ParameterLayout { get }

    /// The block's output at all positions, `[P, d]`.
    ///
    /// - Parameters:
    ///   - x: The block's input, `[P, d]`.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - dropout: Makes the masks; nil when not training.
    ///   - parameters: The set that holds the weights.
    /// - Returns: `[P, d]`.
    func output(
        _ x: Variable,
        offsets: [Int],
        dropout: TransformerBlock.DropoutMask?,
        parameters: ParameterSet
    ) -> Variable

    /// The block's weights, laid out for serving.
    func served(_ parameters: ParameterSet) -> HistoryTransformer.Block
}

extension ParameterSet {
    /// A normalisation by the parameters `name.gain` and `name.bias`, for serving.
    func norm(_ name: String) -> NormLayer { NormLayer(gain: self[name + ".gain"], bias: self[name + ".bias"]) }

    /// A dense layer by the parameter `name` alone, for serving.
    func linear(_ name: String) -> DenseLayer { DenseLayer(weights: self[name]) }

    /// A dense layer by the parameters `name` and `name.bias`, for serving.
    func dense(_ name: String, activation: Activation) -> DenseLayer {
        DenseLayer(weights: self[name], bias: self[name + ".bias"].elements, activation: activation)
    }
}
