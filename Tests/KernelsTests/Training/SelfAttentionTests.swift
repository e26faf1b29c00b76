import Foundation
import Kernels
import TestSupport
import Testing

@Suite("SelfAttention") struct SelfAttentionTests {
    /// The weights of logits and, by slopes of the weights, the slopes of the logits.
    private func weights(_ logits: [Double], _ weighting: SelfAttention.Weighting, slopes: [Double]? = nil)
        -> (weights: [Double], logits: [Double])
    {
        let slopes = slopes ?? logits
        switch weighting {
        case .softmax:
            let total = logits.map(exp).reduce(0, +)
            let weights = logits.map { exp($0) / total }
            let mean = zip(weights, slopes).reduce(0) { $0 + $1.0 * $1.1 }
            return (weights, zip(weights, slopes).map { $0 * ($1 - mean) })
        case .pointwise:
            let gates = logits.map { 1 / (1 + exp(-$0)) }
            let count = Double(logits.count)
            return (
                zip(logits, gates).map { $0 * $1 / count },
                logits.indices.map { slopes[$0] * gates[$0] * (1 + logits[$0] * (1 - gates[$0])) / count }
            )
        }
    }

    /// The definition in Double, position by position.
    private func reference(_ inputs: SelfAttention.Inputs, offsets: [Int]) -> [Double] {
        let (heads, d) = (inputs.reversedBias.rows, inputs.queries.columns)
        let width = d / heads
        var out = [Double](repeating: 0, count: inputs.queries.count)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            for h in 0..<heads {
                for p in start..<end {
                    let seen = start..<(inputs.isCausal ? p + 1 : end)
                    let scores = seen.map { j in
                        let products = (0..<width).map { c in
                            Double(inputs.queries[p, h * width + c]) * Double(inputs.keys[j, h * width + c])
                        }
                        let bias = inputs.reversedBias[h, inputs.longest - 1 - (p - j)]
                        return products.reduce(0, +) / Double(width).squareRoot() + Double(bias)
                    }
                    for (j, weight) in zip(seen, weights(scores, inputs.weighting).weights) {
                        for c in 0..<width {
                            out[p * d + h * width + c] += weight * Double(inputs.values[j, h * width + c])
                        }
                    }
                }
            }
        }
        return out
    }

    /// The gradients of `sum of (output o slopes)` by the definition, in Double.
    private func referenceGradients(_ inputs: SelfAttention.Inputs, offsets: [Int], slopes: Matrix) -> [[Double]] {
        let (heads, d) = (inputs.reversedBias.rows, inputs.queries.columns)
        let width = d / heads
        let scale = 1 / Double(width).squareRoot()
        var (queries, keys, values) = (
            [Double](repeating: 0, count: inputs.queries.count), [Double](repeating: 0, count: inputs.queries.count),
            [Double](repeating: 0, count: inputs.queries.count)
        )
        var bias = [Double](repeating: 0, count: inputs.reversedBias.count)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            for h in 0..<heads {
                let features = h * width..<(h + 1) * width
                for p in start..<end {
                    let seen = Array(start..<(inputs.isCausal ? p + 1 : end))
                    func product(_ a: Matrix, _ b: Matrix, _ j: Int) -> Double {
                        features.reduce(0) { $0 + Double(a[p, $1]) * Double(b[j, $1]) }
                    }
                    let logits = seen.map { j in
                        product(inputs.queries, inputs.keys, j) * scale
                            + Double(inputs.reversedBias[h, inputs.longest - 1 - (p - j)])
                    }
                    let products = seen.map { product(slopes, inputs.values, $0) }
                    let parts = weights(logits, inputs.weighting, slopes: products)
                    for ((j, weight), logit) in zip(zip(seen, parts.weights), parts.logits) {
                        bias[h * inputs.reversedBias.columns + inputs.longest - 1 - (p - j)] += logit
                        for c in features {
                            queries[p * d + c] += logit * scale * Double(inputs.keys[j, c])
                            keys[j * d + c] += logit * scale * Double(inputs.queries[p, c])
                            values[j * d + c] += weight * Double(slopes[p, c])
                        }
                    }
                }
            }
        }
        return [queries, keys, values, bias]
    }

    private func inputs(
        positions: Int,
        width: Int,
        heads: Int,
        longest: Int,
        isCausal: Bool,
        weighting: SelfAttention.Weighting = .softmax
    ) -> SelfAttention.Inputs {
        SelfAttention.Inputs(
            queries: normalMatrix(rows: positions, columns: heads * width, seed: 1),
            keys: normalMatrix(rows: positions, columns: heads * width, seed: 2),
            values: normalMatrix(rows: positions, columns: heads * width, seed: 3),
            reversedBias: normalMatrix(rows: heads, columns: isCausal ? longest : 2 * longest - 1, seed: 4),
            isCausal: isCausal,
            weighting: weighting
        )
    }

    private static let kinds: [(isCausal: Bool, weighting: SelfAttention.Weighting)] = [
        (true, .softmax), (false, .softmax), (true, .pointwise), (false, .pointwise),
    ]

    /// Offsets of sequences of these lengths.
    private func offsets(_ lengths: [Int]) -> [Int] { lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) } }

    @Test(
        "equals its definition, at every CPU level, for whole and partial tiles and several sequences per tile",
        arguments: TileLevel.allCases,
        [
            [17, 0, 1, 12], [], [1], [0, 0, 3, 0, 0], [16, 16], [8, 8, 1, 15, 33, 2, 2, 2, 2, 2, 2, 2, 2, 40],
            [70, 1, 31, 64],
        ]
    )
    func definition(level: TileLevel, lengths: [Int]) {
        let offsets = offsets(lengths)
        let longest = (lengths.max() ?? 0) + lengths.count % 2 + 1
        for (heads, width) in [(1, 16), (2, 8), (3, 5), (2, 40), (1, 64)] {
            for (isCausal, weighting) in Self.kinds {
                let inputs = inputs(
                    positions: offsets[offsets.count - 1],
                    width: width,
                    heads: heads,
                    longest: longest,
                    isCausal: isCausal,
                    weighting: weighting
                )
                let (output, trace) = SelfAttention.forward(inputs, offsets: offsets, level: level)
                // A few dozen roundings of values up to 4.
                expectClose(output.elements, reference(inputs, offsets: offsets), absolute: 1e-5)
                let slopes = normalMatrix(rows: output.rows, columns: output.columns, seed: 5)
                let found = SelfAttention.gradients(
                    inputs,
                    offsets: offsets,
                    trace: trace,
                    gradient: slopes,
                    level: level
                )
                let expected = referenceGradients(inputs, offsets: offsets, slopes: slopes)
                let parts = [found.queries, found.keys, found.values, found.reversedBias]
                for (name, (part, reference)) in zip(["queries", "keys", "values", "bias"], zip(parts, expected)) {
                    expectClose(part.elements, reference, absolute: 1e-4, relative: 1e-5, "\(name), \(heads) heads")
                }
            }
        }
    }

    @Test("a sequence's causal rows are those of its prefix, and do not see its neighbours")
    func independence() {
        let inputs = inputs(positions: 50, width: 16, heads: 2, longest: 50, isCausal: true)
        let whole = SelfAttention.forward(inputs, offsets: [0, 50]).output
        for count in [1, 7, 16, 33] {
            let prefix = SelfAttention.Inputs(
                queries: inputs.queries.rows(0..<count),
                keys: inputs.keys.rows(0..<count),
                values: inputs.values.rows(0..<count),
                reversedBias: inputs.reversedBias,
                isCausal: true
            )
            #expect(SelfAttention.forward(prefix, offsets: [0, count]).output == whole.rows(0..<count))
        }
        // The position in the tile decides only the order in which a row's exponentials are added.
        let parts = SelfAttention.forward(inputs, offsets: [0, 3, 10, 14, 50]).output
        for (start, end) in [(0, 3), (3, 10), (10, 14), (14, 50)] {
            let alone = SelfAttention.Inputs(
                queries: inputs.queries.rows(start..<end),
                keys: inputs.keys.rows(start..<end),
                values: inputs.values.rows(start..<end),
                reversedBias: inputs.reversedBias,
                isCausal: true
            )
            let expected = SelfAttention.forward(alone, offsets: [0, end - start]).output
            expectClose(parts.rows(start..<end).elements, expected.doubles, absolute: 1e-6)
        }
    }

    @Test("large logits neither overflow nor hide NaN")
    func extremes() {
        var inputs = inputs(positions: 20, width: 16, heads: 1, longest: 20, isCausal: true)
        inputs.queries.scale(by: 1e4)
        let (output, trace) = SelfAttention.forward(inputs, offsets: [0, 20])
        #expect(output.firstNonFinite == nil)
        let slopes = SelfAttention.gradients(inputs, offsets: [0, 20], trace: trace, gradient: inputs.values)
        #expect(slopes.queries.firstNonFinite == nil && slopes.keys.firstNonFinite == nil)
        inputs.keys[3, 2] = .nan
        #expect(SelfAttention.forward(inputs, offsets: [0, 20]).output.firstNonFinite?.row == 3)
    }

    @Test("traps on a sequence longer than the biases, and on an even number of two-sided biases")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            let rows = Matrix(rows: 4, columns: 2)
            let bias = Matrix(rows: 1, columns: 5)
            let inputs = SelfAttention.Inputs(
                queries: rows,
                keys: rows,
                values: rows,
                reversedBias: bias,
                isCausal: false
            )
            _ = SelfAttention.forward(inputs, offsets: [0, 4])
        }
        await #expect(processExitsWith: .failure) {
            let rows = Matrix(rows: 1, columns: 2)
            let bias = Matrix(rows: 1, columns: 4)
            _ = SelfAttention.Inputs(queries: rows, keys: rows, values: rows, reversedBias: bias, isCausal: false)
        }
    }
}
