import Autodiff
import Kernels

/// A diffusion step's number as a row: sines and cosines through two dense layers (method, section 4.1).
///
/// `tau = act(phi W_1 + b_1) W_2 + b_2`, with `phi` as ``sinusoids(positions:width:)`` gives it.
struct StepEmbedding: Sendable {
    /// The prefix of the parameters' names.
    let prefix: String
    /// Length of `phi` and of the rows.
    let width: Int
    /// Width of the hidden layer.
    let hidden: Int
    /// Non-linearity of the hidden layer.
    let activation: Activation

    /// The parameters: Xavier-uniform weights, zero biases.
    var layout: ParameterLayout {
        var layout: ParameterLayout = [:]
        layout.addDense("\(prefix).hidden", inputs: width, outputs: hidden)
        layout.addDense("\(prefix).output", inputs: hidden, outputs: width)
        return layout
    }

    /// A row for each position, `[positions.count, width]`.
    func rows(_ positions: [Double], on tape: Tape, _ parameters: ParameterSet) -> Variable {
        tape.constant(sinusoids(positions: positions, width: width))
            .dense("\(prefix).hidden", parameters, activation: activation)
            .dense("\(prefix).output", parameters)
    }
}
