import Autodiff
import Kernels

/// Pre-norm Transformer blocks over item sequences, each position seeing itself and those before it (SASRec, Kang and
/// McAuley, ICDM 2018, with residuals before normalisation and trained distance biases in place of positions).
///
/// `x = sqrt(d) e`; per block `x += A(LN(x))`, `x += act(LN(x) W_1 + b_1) W_2 + b_2`; at the end `LN(x)`.
struct CausalTransformer: Sendable {
    /// The prefix of the parameters' names.
    let prefix: String
    /// Width of item rows and states (d).
    let dimension: Int
    /// How many blocks.
    let blocks: Int
    /// Attention heads of each block.
    let heads: Int
    /// Width of the feed-forward layer.
    let hidden: Int
    /// The longest sequence (N).
    let longest: Int

    private func block(_ index: Int) -> TransformerBlock {
        TransformerBlock(
            prefix: "\(prefix).block\(index)",
            dimension: dimension,
            heads: heads,
            hidden: hidden,
            longest: longest,
            sight: .earlier
        )
    }

    /// The parameters.
    var layout: ParameterLayout {
        var layout: ParameterLayout = [:]
        for index in 0..<blocks { layout.add(block(index).layout) }
        layout.addNorm("\(prefix).norm", width: dimension)
        return layout
    }

    /// The states of all positions, `[P, d]`.
    ///
    /// - Parameters:
    ///   - items: The item row of each position, `[P, d]`, sequence after sequence.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - parameters: The set that holds the weights.
    /// - Returns: `[P, d]`.
    /// - Complexity: O(P d (d + hidden) + d sum n^2) for each block.
    func states(items: Variable, offsets: [Int], parameters: ParameterSet) -> Variable {
        var x = items.scaled(by: Float(dimension).squareRoot())
        for index in 0..<blocks { x = block(index).output(x, offsets: offsets, parameters: parameters) }
        return x.layerNormalised("\(prefix).norm", parameters)
    }

    /// The newest states of one history at a time, for serving; see `HistoryTransformer`.
    func newestStates(_ count: Int, items: Matrix, parameters: ParameterSet) -> HistoryTransformer {
        func norm(_ name: String) -> NormLayer {
            NormLayer(gain: parameters[name + ".gain"], bias: parameters[name + ".bias"])
        }
        func layer(_ name: String) -> DenseLayer { DenseLayer(weights: parameters[name]) }
        func layer(_ name: String, _ activation: Activation) -> DenseLayer {
            DenseLayer(weights: parameters[name], bias: parameters[name + ".bias"].elements, activation: activation)
        }
        return HistoryTransformer(
            items: items,
            scale: Float(dimension).squareRoot(),
            blocks: (0..<blocks).map { index in
                let block = block(index)
                return HistoryTransformer.Block(
                    attentionNorm: norm(block.name("attention")),
                    projections: (
                        queries: layer(block.name("query")),
                        keys: layer(block.name("key")),
                        values: layer(block.name("value"))
                    ),
                    reversedBias: parameters[block.name("distance")],
                    mix: layer(block.name("mix")),
                    feedNorm: norm(block.name("feed")),
                    expand: layer(block.name("expand"), .gelu),
                    contract: layer(block.name("contract"), .identity)
                )
            },
            norm: norm("\(prefix).norm"),
            states: count
        )
    }
}

/// Sequences without those that are a prefix of the next one.
///
/// A prefix needs no computation of its own, because a causal network gives it the states of the longer history.
/// Prefixes are common: every target of a training window has one, and evaluations ask for every prefix.
struct SharedPrefixes {
    /// The sequences that are no prefix of their successor.
    private(set) var sequences = RaggedRows()
    /// The position of each history's oldest item in `sequences`.
    private(set) var firsts: [Int] = []

    init(_ histories: RaggedRows) {
        var kept: [Int] = []
        for row in 0..<histories.count where row + 1 == histories.count || !Self.starts(histories, row) {
            kept.append(row)
        }
        var next = 0
        for row in kept {
            let start = sequences.ids.count
            while next <= row {
                firsts.append(start)
                next += 1
            }
            sequences.append(histories[row])
        }
    }

    /// Whether history `row` is a prefix of the next one.
    private static func starts(_ histories: RaggedRows, _ row: Int) -> Bool {
        let (own, next) = (histories[row], histories[row + 1])
        return own.count <= next.count && own.elementsEqual(next.prefix(own.count))
    }
}
