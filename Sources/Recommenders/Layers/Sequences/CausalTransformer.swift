import Autodiff
import Kernels

/// Pre-norm blocks over item sequences, each position seeing itself and those before it.
///
/// `x = sqrt(d) e`, then block after block, at the end `LN(x)`. While training, dropout applies to the input and to
/// each block's additions.
struct CausalTransformer: Sendable {
    /// The kind of the blocks.
    enum Kind: Sendable {
        /// Transformer blocks (SASRec, Kang and McAuley, ICDM 2018, with residuals before normalisation and trained
        /// distance biases in place of positions): `x += A(LN(x))`, `x += act(LN(x) W_1 + b_1) W_2 + b_2`.
        case transformer
        /// Transduction units (HSTU); see ``TransductionUnit``.
        case transduction
    }

    /// The kind of the blocks.
    var kind = Kind.transformer
    /// The prefix of the parameters' names.
    let prefix: String
    /// Width of item rows and states (d).
    let dimension: Int
    /// How many blocks.
    let blocks: Int
    /// Attention heads of each block.
    let heads: Int
    /// Width of a Transformer block's feed-forward layer.
    let hidden: Int
    /// The longest sequence (N).
    let longest: Int
    /// The share of elements that dropout makes zero.
    var dropout = 0.0

    private func block(_ index: Int) -> any CausalBlock {
        let prefix = "\(prefix).block\(index)"
        return switch kind {
        case .transformer:
            TransformerBlock(
                prefix: prefix,
                dimension: dimension,
                heads: heads,
                hidden: hidden,
                longest: longest,
                sight: .earlier
            )
        case .transduction:
            TransductionUnit(prefix: prefix, dimension: dimension, heads: heads, longest: longest)
        }
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
    ///   - noise: Streams of the dropout masks, one for each sequence; nil when not training.
    /// - Returns: `[P, d]`.
    /// - Complexity: O(P d (d + hidden) + d sum n^2) for each block.
    func states(items: Variable, offsets: [Int], parameters: ParameterSet, noise: NoiseSource?) -> Variable {
        let masks = Dropout(probability: dropout, noise: noise, layers: 2 * blocks + 1)
        let counts = zip(offsets, offsets.dropFirst()).map { $1 - $0 }
        var x = items.scaled(by: Float(dimension).squareRoot())
        if let masks { x = x.droppedOut(mask: masks.mask(0, width: dimension, counts: counts)) }
        for index in 0..<blocks {
            x = block(index).output(
                x,
                offsets: offsets,
                dropout: masks.map { masks in
                    { masks.mask(2 * index + 1 + $0, width: dimension, counts: counts) }
                },
                parameters: parameters
            )
        }
        return x.layerNormalised("\(prefix).norm", parameters)
    }

    /// The newest states of one history at a time, for serving; see `HistoryTransformer`.
    func newestStates(_ count: Int, items: Matrix, parameters: ParameterSet) -> HistoryTransformer {
        HistoryTransformer(
            items: items,
            scale: Float(dimension).squareRoot(),
            blocks: (0..<blocks).map { block($0).served(parameters) },
            norm: parameters.norm("\(prefix).norm"),
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
    /// The history that each sequence is.
    let rows: [Int]

    init(_ histories: RaggedRows) {
        rows = (0..<histories.count).filter { row in
            row + 1 == histories.count || !Self.starts(histories, row)
        }
        var next = 0
        for row in rows {
            let start = sequences.ids.count
            while next <= row {
                firsts.append(start)
                next += 1
            }
            sequences.append(histories[row])
        }
    }

    /// The streams of the sequences, out of one for each history.
    func noise(of histories: NoiseSource) -> NoiseSource {
        NoiseSource(seed: histories.seed, streams: rows.map { histories.streams[$0] })
    }

    /// Whether history `row` is a prefix of the next one.
    private static func starts(_ histories: RaggedRows, _ row: Int) -> Bool {
        let (own, next) = (histories[row], histories[row + 1])
        return own.count <= next.count && own.elementsEqual(next.prefix(own.count))
    }
}
