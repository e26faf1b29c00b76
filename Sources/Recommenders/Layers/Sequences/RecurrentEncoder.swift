import Autodiff
import Kernels

/// One layer of gated recurrent units over item sequences, with a linear map of the states back to item vectors.
struct RecurrentEncoder: Sendable {
    /// The prefix of the parameters' names.
    let prefix: String
    /// Width of item rows (d).
    let dimension: Int
    /// Width of the states.
    let hidden: Int

    /// The parameters: Xavier-uniform weights, zero biases.
    var layout: ParameterLayout {
        let (input, recurrent, output) = ("\(prefix).input", "\(prefix).recurrent", "\(prefix).output")
        return [
            input: .xavier(inputs: dimension, outputs: 3 * hidden),
            input + ".bias": .constant(rows: 1, columns: 3 * hidden),
            recurrent: .xavier(inputs: hidden, outputs: 3 * hidden),
            recurrent + ".bias": .constant(rows: 1, columns: 3 * hidden),
            output: .xavier(inputs: hidden, outputs: dimension),
        ]
    }

    /// The output of each position, `[P, d]`; see ``CausalTransformer/states(items:offsets:parameters:)``.
    func states(items: Variable, offsets: [Int], parameters: ParameterSet) -> Variable {
        let tape = items.tape
        func weights(_ name: String) -> Variable { tape.parameter("\(prefix).\(name)", from: parameters) }
        // Unit rows have elements of about 1 / sqrt(d); gates expect inputs of size 1.
        return items.scaled(by: Float(dimension).squareRoot())
            .dense("\(prefix).input", parameters)
            .gatedRecurrence(recurrent: weights("recurrent"), bias: weights("recurrent.bias"), offsets: offsets)
            .product(weights("output"))
    }
}
