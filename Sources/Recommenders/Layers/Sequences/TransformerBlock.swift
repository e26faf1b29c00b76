import Autodiff
import Kernels

/// One pre-norm Transformer block over sequences that are stored one after another (Vaswani et al., 2017).
///
/// `x += A(LN(x)) W_o`, `x += gelu(LN(x) W_1 + b_1) W_2 + b_2`, with dropout on both additions during training.
struct TransformerBlock: CausalBlock {
    /// The positions that a position attends to, and whether attention uses distances.
    enum Sight: Sendable {
        /// Itself and the positions before it, with trained distance biases.
        case earlier
        /// All positions of its sequence, with trained distance biases.
        case all
        /// All positions of its sequence as a set, without distances.
        case unordered
    }

    /// Makes the dropout mask of one of the block's two additions.
    typealias DropoutMask = (_ addition: Int) -> Matrix

    /// The prefix of the parameters' names.
    let prefix: String
    /// Width of the states (d).
    let dimension: Int
    /// Attention heads; they divide the dimension.
    let heads: Int
    /// Width of the feed-forward layer.
    let hidden: Int
    /// The longest sequence (N).
    let longest: Int
    /// The positions that attention uses.
    let sight: Sight

    /// The full name of a parameter.
    private func name(_ part: String) -> String { "\(prefix).\(part)" }

    private var distances: Int { sight == .earlier ? longest : 2 * longest - 1 }

    /// The parameters: Xavier-uniform weights, zero biases.
    var layout: ParameterLayout {
        let d = dimension
        var layout: ParameterLayout = [:]
        for part in ["query", "key", "value", "mix"] {
            layout[name(part)] = .xavier(inputs: d, outputs: d)
        }
        layout.addDense(name("expand"), inputs: d, outputs: hidden)
        layout.addDense(name("contract"), inputs: hidden, outputs: d)
        if sight != .unordered { layout[name("distance")] = .constant(rows: heads, columns: distances) }
        for norm in ["attention", "feed"] { layout.addNorm(name(norm), width: d) }
        return layout
    }

    /// The block's output, `[P, d]`.
    ///
    /// - Parameters:
    ///   - x: The block's input, `[P, d]`.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - kept: The positions whose output is needed; nil for all.
    ///   - dropout: Makes the mask of each of the two additions, a row for each row of the output; nil when not
    ///     training.
    ///   - parameters: The set that holds the weights.
    /// - Returns: `[P, d]`, or a row for each position of `kept`.
    func output(
        _ x: Variable,
        offsets: [Int],
        kept: [Int32]?,
        dropout: DropoutMask?,
        parameters: ParameterSet
    ) -> Variable {
        let tape = x.tape
        func weights(_ part: String) -> Variable { tape.parameter(name(part), from: parameters) }
        let input = x.layerNormalised(name("attention"), parameters)
        var (stream, mixed) = (
            x,
            Variable.selfAttention(
                queries: input.product(weights("query")),
                keys: input.product(weights("key")),
                values: input.product(weights("value")),
                reversedBias: sight == .unordered
                    ? tape.constant(Matrix(rows: heads, columns: distances)) : weights("distance"),
                offsets: offsets,
                isCausal: sight == .earlier
            )
        )
        if let kept { (stream, mixed) = (stream.gatheringRows(kept), mixed.gatheringRows(kept)) }
        mixed = mixed.product(weights("mix"))
        if let dropout { mixed = mixed.droppedOut(mask: dropout(0)) }
        stream = stream.adding(mixed)
        var fed = stream.layerNormalised(name("feed"), parameters)
            .dense(name("expand"), parameters, activation: .gelu)
            .dense(name("contract"), parameters)
        if let dropout { fed = fed.droppedOut(mask: dropout(1)) }
        return stream.adding(fed)
    }

    func output(
        _ x: Variable,
        offsets: [Int],
        dropout: DropoutMask?,
        parameters: ParameterSet
    ) -> Variable {
        output(x, offsets: offsets, kept: nil, dropout: dropout, parameters: parameters)
    }

    func served(_ parameters: ParameterSet) -> HistoryTransformer.Block {
        precondition(sight == .earlier, "a block that sees \(sight) positions is not causal")
        return HistoryTransformer.Block(
            attentionNorm: parameters.norm(name("attention")),
            projections: (
                queries: parameters.linear(name("query")), keys: parameters.linear(name("key")),
                values: parameters.linear(name("value"))
            ),
            reversedBias: parameters[name("distance")],
            weighting: .softmax,
            mix: parameters.linear(name("mix")),
            rest: .feed(
                norm: parameters.norm(name("feed")),
                expand: parameters.dense(name("expand"), activation: .gelu),
                contract: parameters.dense(name("contract"), activation: .identity)
            )
        )
    }
}
