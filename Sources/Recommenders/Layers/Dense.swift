import Autodiff
import Kernels

// Layers whose parameters have a common prefix: `name` and `name.bias` of a dense layer, `name.gain` and `name.bias`
// of a normalisation.

extension ParameterLayout {
    /// Adds the parameters of a part; their names are new.
    mutating func add(_ part: ParameterLayout) {
        merge(part) { first, _ in first }
    }

    /// Adds a dense layer: Xavier-uniform weights `[inputs, outputs]`, zero biases.
    mutating func addDense(_ name: String, inputs: Int, outputs: Int) {
        self[name] = .xavier(inputs: inputs, outputs: outputs)
        self[name + ".bias"] = .constant(rows: 1, columns: outputs)
    }

    /// Adds a layer normalisation of rows of some width: gains of one, zero biases.
    mutating func addNorm(_ name: String, width: Int) {
        self[name + ".gain"] = .constant(1, rows: 1, columns: width)
        self[name + ".bias"] = .constant(rows: 1, columns: width)
    }
}

extension Variable {
    /// The dense layer `activation(x W + b)` by the parameters `name` and `name.bias`.
    func dense(_ name: String, _ parameters: ParameterSet, activation: Activation = .identity) -> Variable {
        dense(
            tape.parameter(name, from: parameters),
            bias: tape.parameter(name + ".bias", from: parameters),
            activation: activation
        )
    }

    /// Layer normalisation by the parameters `name.gain` and `name.bias`.
    func layerNormalised(_ name: String, _ parameters: ParameterSet) -> Variable {
        layerNormalised(
            gain: tape.parameter(name + ".gain", from: parameters),
            bias: tape.parameter(name + ".bias", from: parameters)
        )
    }
}
