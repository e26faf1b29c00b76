import Autodiff
import Kernels

/// Pre-norm Transformer blocks over item sequences, each position seeing itself and those before it (SASRec, Kang and
/// McAuley, ICDM 2018, with residuals before normalisation and trained distance biases in place of positions).
///
/// `x = sqrt(d) e`; per block `x += A(LN(x))`, `x += act(LN(x) W_1 + b_1) W_2 + b_2`; at the end `LN(x)`.
struct CausalTransformer: Sendable {
    /// Leads the names of the parameters.
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

    private func name(_ block: Int, _ part: String) -> String { "\(prefix).block\(block).\(part)" }

    /// Fresh parameters.
    func initialParameters(_ initialiser: Initialiser) -> [String: Matrix] {
        let d = dimension
        var parameters = [
            "\(prefix).norm.gain": Matrix(rows: 1, columns: d, repeating: 1),
            "\(prefix).norm.bias": Matrix(rows: 1, columns: d),
        ]
        for block in 0..<blocks {
            for part in ["query", "key", "value", "mix"] {
                let name = name(block, part)
                parameters[name] = initialiser.xavier(name, inputs: d, outputs: d)
            }
            let (expand, contract) = (name(block, "expand"), name(block, "contract"))
            parameters[expand] = initialiser.xavier(expand, inputs: d, outputs: hidden)
            parameters[expand + ".bias"] = Matrix(rows: 1, columns: hidden)
            parameters[contract] = initialiser.xavier(contract, inputs: hidden, outputs: d)
            parameters[contract + ".bias"] = Matrix(rows: 1, columns: d)
            parameters[name(block, "distance")] = Matrix(rows: heads, columns: longest)
            for norm in ["attention", "feed"] {
                parameters[name(block, norm) + ".gain"] = Matrix(rows: 1, columns: d, repeating: 1)
                parameters[name(block, norm) + ".bias"] = Matrix(rows: 1, columns: d)
            }
        }
        return parameters
    }

    /// The states of all positions, `[P, d]`.
    ///
    /// - Parameters:
    ///   - items: The item row of each position, `[P, d]`, sequence after sequence.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - parameters: Where the weights are.
    /// - Returns: `[P, d]`.
    /// - Complexity: O(P d (d + hidden) + d sum n^2) a block.
    func states(items: Variable, offsets: [Int], parameters: ParameterSet) -> Variable {
        let tape = items.tape
        func weights(_ name: String) -> Variable { tape.parameter(name, from: parameters) }
        func norm(_ x: Variable, _ name: String) -> Variable {
            x.layerNormalised(gain: weights(name + ".gain"), bias: weights(name + ".bias"))
        }
        var x = items.scaled(by: Float(dimension).squareRoot())
        for block in 0..<blocks {
            let input = norm(x, name(block, "attention"))
            let mixed = Variable.causalAttention(
                queries: input.product(weights(name(block, "query"))),
                keys: input.product(weights(name(block, "key"))),
                values: input.product(weights(name(block, "value"))),
                reversedBias: weights(name(block, "distance")),
                offsets: offsets
            )
            x = x.adding(mixed.product(weights(name(block, "mix"))))
            let (expand, contract) = (name(block, "expand"), name(block, "contract"))
            let fed = norm(x, name(block, "feed"))
                .product(weights(expand)).addingToEachRow(weights(expand + ".bias")).activated(.gelu)
                .product(weights(contract)).addingToEachRow(weights(contract + ".bias"))
            x = x.adding(fed)
        }
        return norm(x, "\(prefix).norm")
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
            blocks: (0..<blocks).map { block in
                HistoryTransformer.Block(
                    attentionNorm: norm(name(block, "attention")),
                    projections: (
                        queries: layer(name(block, "query")),
                        keys: layer(name(block, "key")),
                        values: layer(name(block, "value"))
                    ),
                    reversedBias: parameters[name(block, "distance")],
                    mix: layer(name(block, "mix")),
                    feedNorm: norm(name(block, "feed")),
                    expand: layer(name(block, "expand"), .gelu),
                    contract: layer(name(block, "contract"), .identity)
                )
            },
            norm: norm("\(prefix).norm"),
            states: count
        )
    }
}

/// Sequences of which others are prefixes, each kept once.
///
/// A history that is a prefix of the one after it needs no states of its own: a causal network gives it those of the
/// longer one. Training draws several cuts of one window, and evaluations ask for every prefix, so many are.
struct SharedPrefixes {
    /// The sequences that are no prefix of their successor.
    private(set) var sequences = RaggedRows()
    /// For each history, where its oldest item stands among the positions of `sequences`.
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
