import Foundation
import Kernels
import TestSupport
import Testing

@Suite("DenseLayer") struct DenseLayerTests {
    @Test("equals a loop at every width", arguments: tailLengths.filter { $0 > 0 }, [0, 1, 2, 3, 64, 65])
    func matchesReference(outputs: Int, inputs: Int) {
        let weights = normalMatrix(rows: inputs, columns: outputs, seed: 31)
        let bias = normalMatrix(rows: 1, columns: outputs, seed: 32).elements
        let x = normalMatrix(rows: 1, columns: inputs, seed: 34).elements
        func sums(_ bias: [Float]) -> [SummedReference] {
            (0..<outputs).map { output in
                var sum = SummedReference()
                sum.add(Double(bias[output]))
                for input in 0..<inputs { sum.add(Double(x[input]) * Double(weights[input, output])) }
                return sum
            }
        }
        // One extra place, which the layer must not change.
        var y = [Float](repeating: 7, count: outputs + 1)
        DenseLayer(weights: weights, bias: bias).apply(to: x, into: &y)
        #expect(y[outputs] == 7)
        expectClose(Array(y.prefix(outputs)), sums(bias))
        DenseLayer(weights: weights).apply(to: x, into: &y)
        expectClose(Array(y.prefix(outputs)), sums([Float](repeating: 0, count: outputs)))
        let expected = sums(bias)
        for activation in Activation.allCases {
            DenseLayer(weights: weights, bias: bias, activation: activation).apply(to: x, into: &y)
            // Slopes are at most 1.13; the activation adds its own error.
            expectClose(
                Array(y.prefix(outputs)),
                expected.map { ElementwiseTests.reference(activation, $0.value).value }
            ) { 1.2 * expected[$0].bound() + 5e-7 * max(1, abs(expected[$0].value)) }
        }
    }

    @Test("a row has the same bytes alone and in a batch", arguments: [1, 63, 64, 130], [1, 2, 7, 64])
    func isIndependentOfBatch(outputs: Int, inputs: Int) {
        let weights = normalMatrix(rows: inputs, columns: outputs, seed: 35)
        let bias = normalMatrix(rows: 1, columns: outputs, seed: 36).elements
        let layer = DenseLayer(weights: weights, bias: bias, activation: .gelu)
        let rows = normalMatrix(rows: 9, columns: inputs, seed: 37)
        let alone = (0..<rows.rows).flatMap { row in
            var y = [Float](repeating: 0, count: outputs)
            layer.apply(to: rows.row(row), into: &y)
            return y
        }
        for count in 1...rows.rows {
            var together = [Float](repeating: 7, count: rows.rows * outputs)
            layer.apply(rows: count, of: rows.elements, into: &together)
            #expect(together.prefix(count * outputs) == alone.prefix(count * outputs), "\(count) rows")
            #expect(together.dropFirst(count * outputs).allSatisfy { $0 == 7 })
        }
    }
}
