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
        let (expand, contract) = ("\(prefix).hidden", "\(prefix).output")
        return [
            expand: .xavier(inputs: width, outputs: hidden),
            expand + ".bias": .constant(rows: 1, columns: hidden),
            contract: .xavier(inputs: hidden, outputs: width),
            contract + ".bias": .constant(rows: 1, columns: width),
        ]
    }

    /// A row for each position, `[positions.count, width]`.
    func rows(_ positions: [Double], on tape: Tape, _ parameters: ParameterSet) -> Variable {
        func weights(_ name: String) -> Variable { tape.parameter("\(prefix).\(name)", from: parameters) }
        return tape.constant(sinusoids(positions: positions, width: width))
            .product(weights("hidden")).addingToEachRow(weights("hidden.bias")).activated(activation)
            .product(weights("output")).addingToEachRow(weights("output.bias"))
    }
}
