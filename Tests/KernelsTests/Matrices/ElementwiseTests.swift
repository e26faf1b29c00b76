import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Elementwise kernels") struct ElementwiseTests {
    /// The activation and its derivative in Double.
    static func reference(_ activation: Activation, _ x: Double) -> (value: Double, slope: Double) {
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        switch activation {
        case .identity: return (x, 1)
        case .tanh: return (tanh(x), 1 - tanh(x) * tanh(x))
        case .gelu:
            let scale = (2 / Double.pi).squareRoot()
            let t = tanh(scale * (x + 0.044715 * x * x * x))
            let slope = abs(x) > 20 ? 0 : x / 2 * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x)
            return (x / 2 * (1 + t), (1 + t) / 2 + slope)
        case .silu:
            let s = sigmoid(x)
            return (x * s, s + (s == 0 || s == 1 ? 0 : x * s * (1 - s)))
        case .relu: return (max(x, 0), x > 0 ? 1 : 0)
        }
    }

    @Test("activations and their gradients at every tail length", arguments: Activation.allCases, tailLengths)
    func activations(activation: Activation, count: Int) {
        var x = normalMatrix(rows: 1, columns: count, seed: 4)
        x.scale(by: 3)
        let upstream = normalMatrix(rows: 1, columns: count, seed: 5)
        let before = normalMatrix(rows: 1, columns: count, seed: 6)
        var gradient = before
        gradient.addActivationGradient(activation, input: x, gradient: upstream)
        let references = x.doubles.map { Self.reference(activation, $0) }
        // tanh has an absolute error of 4e-7; the others multiply a sigmoid with this error by x.
        expectClose(x.activated(activation).elements, references.map(\.value)) { 5e-7 * max(1, abs(Double(x[0, $0]))) }
        expectClose(
            gradient.elements,
            references.indices.map { Double(before[0, $0]) + Double(upstream[0, $0]) * references[$0].slope }
        ) {
            // A slope has x times the sigmoid's error; adding it to the former value rounds once more.
            1e-6 * (1 + abs(Double(x[0, $0]))) * (1 + abs(Double(upstream[0, $0]))) + 1e-7 * abs(Double(before[0, $0]))
        }
    }

    @Test("activations over the whole range of magnitudes", arguments: Activation.allCases)
    func largeMagnitudes(activation: Activation) {
        let magnitudes = (-30...30).map { pow(10, Float($0)) } + [0, 5, 8.5, 9.9, 10.1, 12, 43, 87, 88, 89, 1000]
        let x = Matrix([magnitudes + magnitudes.map { -$0 }])
        var gradient = Matrix(rows: 1, columns: x.columns)
        gradient.addActivationGradient(
            activation,
            input: x,
            gradient: Matrix(rows: 1, columns: x.columns, repeating: 1)
        )
        let references = x.doubles.map { Self.reference(activation, $0) }
        expectClose(x.activated(activation).elements, references.map(\.value)) {
            5e-7 * max(1, abs(references[$0].value))
        }
        // Slopes are 0 or 1 for large x; elsewhere they multiply the sigmoid's error by at most 10.
        expectClose(gradient.elements, references.map(\.slope), absolute: 3e-6)
    }

    @Test("exp has a relative error of 2e-7 in its range and is clamped outside")
    func exponential() {
        let x = Matrix([(0...20000).map { -87 + 175 * Float($0) / 20000 }])
        expectClose(x.exponentials().elements, x.doubles.map(exp), absolute: 0, relative: 2e-7)
        for count in tailLengths {
            let x = normalMatrix(rows: 1, columns: count, seed: 7)
            expectClose(x.exponentials().elements, x.doubles.map(exp), absolute: 0, relative: 2e-7)
        }
        let far = Matrix([[-1e30, -200, 200, 1e30]]).exponentials().elements
        expectClose(far, [exp(-87), exp(-87), exp(88), exp(88)], absolute: 0, relative: 2e-7)
    }

    @Test("sums, products and scales at every tail length", arguments: tailLengths)
    func arithmetic(count: Int) {
        let (a, b) = (normalMatrix(rows: 1, columns: count, seed: 8), normalMatrix(rows: 1, columns: count, seed: 9))
        var sum = a
        sum.add(b, scale: -0.75)
        expectClose(sum.elements, zip(a.doubles, b.doubles).map { $0 - 0.75 * $1 }) {
            2 * roundoff * (abs(Double(a[0, $0])) + abs(Double(b[0, $0])))
        }
        sum = a
        sum.scale(by: 1.5)
        expectClose(sum.elements, a.doubles.map { 1.5 * $0 }, absolute: 0, relative: roundoff)
        expectClose(
            a.multiplied(by: b).elements,
            zip(a.doubles, b.doubles).map { $0 * $1 },
            absolute: 0,
            relative: roundoff
        )
        // These accumulate in Double.
        let total = a.doubles.reduce(0, +)
        #expect(abs(a.sum() - total) <= 1e-13 * a.doubles.reduce(1) { $0 + abs($1) })
        let squares = a.doubles.reduce(0) { $0 + $1 * $1 }
        #expect(abs(a.sumOfSquares() - squares) <= 1e-13 * (1 + squares))
        var product = SummedReference()
        for (x, y) in zip(a.doubles, b.doubles) { product.add(x * y) }
        expectClose([dot(a.elements.span, b.elements.span)], [product])
    }

    @Test("finds the first value that is not finite", arguments: [1, 7, 16, 255, 256, 257, 600, 1025])
    func nonFinite(count: Int) {
        var matrix = normalMatrix(rows: 1, columns: count, seed: 10)
        matrix[0, 0] = .greatestFiniteMagnitude
        #expect(matrix.firstNonFinite == nil)
        for bad in [Float.nan, .infinity, -.infinity] {
            for position in Set([0, count / 2, count - 1]) {
                var broken = matrix
                broken[0, position] = bad
                #expect(broken.firstNonFinite?.column == position)
                broken[0, count - 1] = .nan
                #expect(broken.firstNonFinite?.column == position)
            }
        }
        var square = Matrix(rows: 3, columns: 5)
        square[2, 1] = .nan
        #expect(square.firstNonFinite.map { [$0.row, $0.column] } == [2, 1])
        #expect(Matrix(rows: 0, columns: 3).firstNonFinite == nil)
    }
}
