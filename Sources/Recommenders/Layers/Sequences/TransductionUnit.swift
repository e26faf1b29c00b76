import Autodiff
import Kernels

/// One sequential transduction unit over sequences that are stored one after another (HSTU; Zhai et al., "Actions speak
/// louder than words", ICML 2024).
///
/// With `z = LN(x)` and `u, v, q, k = silu(z W + b)`: `x += (LN(A(q, k, v)) o u) W_o`, where attention `A` is pointwise
/// with trained distance biases (see ``SelfAttention``). The gate `u` plays the part of a Transformer's feed-forward
/// layers. Attention is divided by the number of positions seen, not by the longest length, so a prefix has the same
/// states as the whole sequence. Differences from the original: projections have biases, logits are divided by
/// `sqrt(d / h)`, and there are no biases by time.
struct TransductionUnit: CausalBlock {
    /// The prefix of the parameters' names.
    let prefix: String
    /// Width of the states (d).
    let dimension: Int
    /// Attention heads; they divide the dimension.
    let heads: Int
    /// The longest sequence (N).
    let longest: Int

    private static let projections = ["gate", "value", "query", "key"]

    private func name(_ part: String) -> String { "\(prefix).\(part)" }

    /// Xavier-uniform weights, zero biases.
    var layout: ParameterLayout {
        var layout: ParameterLayout = [:]
        for part in Self.projections { layout.addDense(name(part), inputs: dimension, outputs: dimension) }
        layout[name("mix")] = .xavier(inputs: dimension, outputs: dimension)
        layout[name("distance")] = .constant(rows: heads, columns: longest)
        for norm in ["input", "attended"] { layout.addNorm(name(norm), width: dimension) }
        return layout
    }

    func output(
        _ x: Variable,
        offsets: [Int],
        dropout: TransformerBlock.DropoutMask?,
        parameters: ParameterSet
    ) -> Variable {
        let input = x.layerNormalised(name("input"), parameters)
        let parts = Self.projections.map { input.dense(name($0), parameters, activation: .silu) }
        let attended = Variable.selfAttention(
            queries: parts[2],
            keys: parts[3],
            values: parts[1],
            reversedBias: x.tape.parameter(name("distance"), from: parameters),
            offsets: offsets,
            isCausal: true,
            weighting: .pointwise
        )
        var gated = attended.layerNormalised(name("attended"), parameters).multiplied(by: parts[0])
        if let dropout { gated = gated.droppedOut(mask: dropout(0)) }
        return x.adding(gated.product(x.tape.parameter(name("mix"), from: parameters)))
    }

    func served(_ parameters: ParameterSet) -> HistoryTransformer.Block {
        func projection(_ part: String) -> DenseLayer { parameters.dense(name(part), activation: .silu) }
        return HistoryTransformer.Block(
            attentionNorm: parameters.norm(name("input")),
            projections: (projection("query"), projection("key"), projection("value")),
            reversedBias: parameters[name("distance")],
            weighting: .pointwise,
            mix: parameters.linear(name("mix")),
            rest: .gate(projection("gate"), norm: parameters.norm(name("attended")))
        )
    }
}
