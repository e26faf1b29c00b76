import Foundation
import Kernels
import TestSupport
import Testing

@Suite("SelfAttention") struct SelfAttentionTests {
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
                    let total = scores.map(exp).reduce(0, +)
                    for (j, score) in zip(seen, scores) {
                        for c in 0..<width {
                            out[p * d + h * width + c] += exp(score) / total * Double(inputs.values[j, h * width + c])
                        }
                    }
                }
            }
        }
        return out
    }

    @Test("equals its definition, causal or not", arguments: [1, 2, 4], [false, true])
    func definition(heads: Int, isCausal: Bool) {
        let (positions, longest) = (30, 17)
        let inputs = SelfAttention.Inputs(
            queries: normalMatrix(rows: positions, columns: 8, seed: 1),
            keys: normalMatrix(rows: positions, columns: 8, seed: 2),
            values: normalMatrix(rows: positions, columns: 8, seed: 3),
            reversedBias: normalMatrix(rows: heads, columns: isCausal ? longest : 2 * longest - 1, seed: 4),
            isCausal: isCausal
        )
        let offsets = [0, 17, 17, 18, 30]
        let (output, _) = SelfAttention.forward(inputs, offsets: offsets)
        // A few dozen roundings of values up to 4.
        expectClose(output.elements, reference(inputs, offsets: offsets), absolute: 5e-6)
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
