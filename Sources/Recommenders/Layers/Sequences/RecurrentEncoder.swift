import Autodiff
import Kernels

/// One layer of gated recurrent units over item sequences.
struct RecurrentEncoder: Sendable {
    /// The prefix of the parameters' names.
    let prefix: String
    /// Width of item rows (d).
    let dimension: Int
    /// Width of the states.
    let hidden: Int

    /// Layers that draw dropout masks: the inputs and the states.
    static let dropoutLayers = 2

    /// The parameters: Xavier-uniform weights, zero biases.
    var layout: ParameterLayout {
        let (input, recurrent) = ("\(prefix).input", "\(prefix).recurrent")
        return [
            input: .xavier(inputs: dimension, outputs: 3 * hidden),
            input + ".bias": .constant(rows: 1, columns: 3 * hidden),
            recurrent: .xavier(inputs: hidden, outputs: 3 * hidden),
            recurrent + ".bias": .constant(rows: 1, columns: 3 * hidden),
        ]
    }

    /// The states of all positions, `[P, hidden]`; see ``CausalTransformer/states(items:offsets:parameters:noise:)``.
    ///
    /// - Parameters:
    ///   - items: The item row of each position, `[P, d]`.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - parameters: The set that holds the weights.
    ///   - masks: Draws the masks of the layers 0 and 1, for each sequence; nil when not training.
    /// - Returns: `[P, hidden]`.
    func states(items: Variable, offsets: [Int], parameters: ParameterSet, masks: Dropout?) -> Variable {
        let tape = items.tape
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
        return droppedOut(states, 1)
    }
}
