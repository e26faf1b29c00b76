import Foundation
import Kernels
import TestSupport
import Testing

@Suite("GatedRecurrence") struct GatedRecurrenceTests {
    private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    /// States, and gradients of `sum of (states o slopes)` for inputs, recurrent weights and bias, in Double.
    private func reference(
        _ inputs: Matrix,
        _ u: Matrix,
        _ bias: Matrix,
        offsets: [Int],
        slopes: Matrix
    ) -> (states: [Double], gradients: [[Double]]) {
        let d = u.rows
        var states = [Double](repeating: 0, count: inputs.rows * d)
        var inputGradient = [Double](repeating: 0, count: inputs.count)
        var weightGradient = [Double](repeating: 0, count: u.count)
        var biasGradient = [Double](repeating: 0, count: bias.count)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            var gates: [[Double]] = []
            func state(_ position: Int, _ j: Int) -> Double { position < start ? 0 : states[position * d + j] }
            for p in start..<end {
                let a = (0..<3 * d).map { j in
                    (0..<d).reduce(Double(bias[0, j])) { $0 + state(p - 1, $1) * Double(u[$1, j]) }
                }
                let x = (0..<3 * d).map { Double(inputs[p, $0]) }
                let r = (0..<d).map { sigmoid(x[$0] + a[$0]) }
                let z = (0..<d).map { sigmoid(x[d + $0] + a[d + $0]) }
                let c = (0..<d).map { tanh(x[2 * d + $0] + r[$0] * a[2 * d + $0]) }
                for j in 0..<d { states[p * d + j] = (1 - z[j]) * c[j] + z[j] * state(p - 1, j) }
                gates.append(r + z + c + a[(2 * d)...])
            }
            var running = [Double](repeating: 0, count: d)
            for p in (start..<end).reversed() {
                let gate = gates[p - start]
                var products = [Double](repeating: 0, count: 3 * d)
                for j in 0..<d {
                    let (r, z, c, a) = (gate[j], gate[d + j], gate[2 * d + j], gate[3 * d + j])
                    let slope = running[j] + Double(slopes[p, j])
                    let candidate = slope * (1 - z) * (1 - c * c)
                    products[j] = candidate * a * r * (1 - r)
                    products[d + j] = slope * (state(p - 1, j) - c) * z * (1 - z)
                    products[2 * d + j] = candidate * r
                    inputGradient[p * 3 * d + j] = products[j]
                    inputGradient[p * 3 * d + d + j] = products[d + j]
                    inputGradient[p * 3 * d + 2 * d + j] = candidate
                    running[j] = slope * z
                }
                for j in 0..<3 * d {
                    biasGradient[j] += products[j]
                    for i in 0..<d {
                        running[i] += products[j] * Double(u[i, j])
                        weightGradient[i * 3 * d + j] += products[j] * state(p - 1, i)
                    }
                }
            }
        }
        return (states, [inputGradient, weightGradient, biasGradient])
    }

    private func inputs(positions: Int, d: Int) -> (x: Matrix, u: Matrix, bias: Matrix) {
        var u = normalMatrix(rows: d, columns: 3 * d, seed: 2)
        u.scale(by: 1 / Float(d).squareRoot())
        return (
            normalMatrix(rows: positions, columns: 3 * d, seed: 1), u, normalMatrix(rows: 1, columns: 3 * d, seed: 3)
        )
    }

    @Test(
        "equals its definition, at every CPU level, for widths beside the tiles' and any lengths",
        arguments: TileLevel.allCases,
        [[], [1], [0, 0], [3, 0, 1, 7, 2], [1, 1, 1, 1, 1, 1, 1, 1, 1], [2, 5, 5, 5, 5, 9, 1, 2, 2, 2, 4]]
    )
    func definition(level: TileLevel, lengths: [Int]) {
        let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        for d in [1, 5, 16, 24, 32] {
            let (x, u, bias) = inputs(positions: offsets[offsets.count - 1], d: d)
            let slopes = normalMatrix(rows: x.rows, columns: d, seed: 4)
            let expected = reference(x, u, bias, offsets: offsets, slopes: slopes)
            let (states, trace) = GatedRecurrence.forward(x, recurrent: u, bias: bias, offsets: offsets, level: level)
            // States are below 1, and a step shrinks the errors of the one before.
            expectClose(states.elements, expected.states, absolute: 5e-6)
            let found = GatedRecurrence.gradients(trace, recurrent: u, gradient: slopes, level: level)
            for (part, reference) in zip([found.inputs, found.recurrent, found.bias], expected.gradients) {
                expectClose(part.elements, reference, absolute: 2e-5, relative: 1e-5, "width \(d)")
            }
        }
    }

    @Test("the order of sequences changes no state and no input gradient")
    func order() {
        let (d, lengths) = (16, [4, 9, 1, 0, 9, 3, 2, 12])
        let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        let (x, u, bias) = inputs(positions: offsets[lengths.count], d: d)
        let slopes = normalMatrix(rows: x.rows, columns: d, seed: 4)
        let (states, trace) = GatedRecurrence.forward(x, recurrent: u, bias: bias, offsets: offsets)
        let together = GatedRecurrence.gradients(trace, recurrent: u, gradient: slopes)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            let alone = GatedRecurrence.forward(
                x.rows(start..<end),
                recurrent: u,
                bias: bias,
                offsets: [0, end - start]
            )
            #expect(alone.states == states.rows(start..<end))
            let gradients = GatedRecurrence.gradients(
                alone.trace,
                recurrent: u,
                gradient: slopes.rows(start..<end)
            )
            #expect(gradients.inputs == together.inputs.rows(start..<end))
        }
    }
}
