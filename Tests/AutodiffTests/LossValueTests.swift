import Autodiff
import Foundation
import Kernels
import TestSupport
import Testing

/// Values of losses and operations: gradients alone would not detect a wrong constant.
@Suite("Values of losses") struct LossValueTests {
    @Test("cross-entropy equals its formula in Double", arguments: [0, 2.5] as [Float])
    func crossEntropy(offset: Float) {
        let positives = gridMatrix(rows: 3, columns: 1, seed: 21)
        let negatives = gridMatrix(rows: 3, columns: 7, seed: 22)
        let masked: [Set<Int32>] = [[], [6, 0], Set(0..<7)]
        let tape = Tape(recording: false)
        let loss = Variable.crossEntropy(
            positives: tape.constant(positives),
            negatives: tape.constant(negatives),
            masked: RaggedRows(masked.map { Array($0) }),
            negativeOffset: offset,
            weight: 0.5,
            rowWeights: [1, 0.25, 3]
        )
        let expected = (0..<3).reduce(0.0) { sum, row in
            let positive = Double(positives[row, 0])
            let total = (0..<7).filter { !masked[row].contains(Int32($0)) }
                .reduce(exp(positive)) { $0 + exp(Double(negatives[row, $1]) + Double(offset)) }
            return sum + 0.5 * [1, 0.25, 3][row] * (log(total) - positive)
        }
        // A handful of roundings of values around 5.
        #expect(abs(Double(loss.scalar) - expected) < 3e-6)
    }

    @Test("squared error equals its formula")
    func squaredError() {
        let tape = Tape(recording: false)
        let (a, b) = (tape.constant(Matrix([[1, 2], [3, 4]])), tape.constant(Matrix([[0, 2], [5, 1]])))
        #expect(Variable.squaredError(a, b, weight: 0.5).scalar == 7)
    }

    @Test("operations give the values of their formulas")
    func values() {
        let tape = Tape(recording: false)
        let a = tape.constant(Matrix([[1, 2], [3, -4]]))
        let b = tape.constant(Matrix([[5, 6], [7, 8]]))
        #expect(a.product(b).value == Matrix([[19, 22], [-13, -14]]))
        #expect(a.product(b, transposed: true).value == Matrix([[17, 23], [-9, -11]]))
        #expect(a.adding(b, scale: 2).value == Matrix([[11, 14], [17, 12]]))
        #expect(a.addingToEachRow(tape.constant(Matrix([[10, 20]]))).value == Matrix([[11, 22], [13, 16]]))
        #expect(a.multiplied(by: b).value == Matrix([[5, 12], [21, -32]]))
        #expect(a.scaled(by: 3).value == Matrix([[3, 6], [9, -12]]))
        #expect(a.scaled(by: tape.constant(Matrix([[3]]))).value == Matrix([[3, 6], [9, -12]]))
        #expect(a.scalingRows(by: [2, 0]).value == Matrix([[2, 4], [0, 0]]))
        #expect(a.activated(.relu).value == Matrix([[1, 2], [3, 0]]))
        #expect(a.scalingRows(by: a.tape.constant(Matrix([[2], [0]]))).value == Matrix([[2, 4], [0, 0]]))
        #expect(a.addingRows(at: [2, 2], of: 3).value == Matrix([[0, 0], [0, 0], [4, -2]]))
        #expect(a.gatheringRows([1, 1, 0]).value == Matrix([[3, -4], [3, -4], [1, 2]]))
        #expect(a.reshaped(rows: 1, columns: 4).value == Matrix([[1, 2, 3, -4]]))
        #expect(a.sum(scale: 0.5).scalar == 1)
        #expect(a.rowDots(b).value == Matrix([[17], [-11]]))
        #expect(
            a.blockScores(tape.constant(Matrix([[1, 0], [0, 1], [1, 1], [2, 0]]))).value == Matrix([[1, 2], [-1, 6]])
        )
        #expect(a.stoppingGradient().value == a.value)
        expectClose(a.normalisedRows().value.row(1), [0.6, -0.8], absolute: 1e-7)
    }
}
