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
    /// The share of the elements of inputs and states that dropout makes zero.
    let dropout: Double

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

    /// The output of each position, `[P, d]`; see ``CausalTransformer/states(items:offsets:parameters:noise:)``.
    func states(items: Variable, offsets: [Int], parameters: ParameterSet, noise: NoiseSource?) -> Variable {
        let tape = items.tape
        let masks = Dropout(probability: dropout, noise: noise, layers: 2)
        let counts = zip(offsets, offsets.dropFirst()).map { $1 - $0 }
        func droppedOut(_ x: Variable, _ layer: Int) -> Variable {
            guard let masks else { return x }
            return x.droppedOut(mask: masks.mask(layer, width: x.value.columns, counts: counts))
        }
        func weights(_ name: String) -> Variable { tape.parameter("\(prefix).\(name)", from: parameters) }
        // Unit rows have elements of about 1 / sqrt(d); gates expect inputs of size 1.
        let states = droppedOut(items.scaled(by: Float(dimension).squareRoot()), 0)
            .dense("\(prefix).input", parameters)
            .gatedRecurrence(recurrent: weights("recurrent"), bias: weights("recurrent.bias"), offsets: offsets)
        return droppedOut(states, 1).product(weights("output"))
    }
}
