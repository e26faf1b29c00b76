import Autodiff
import Kernels
import TestSupport
import Testing

@Suite("Shared cross-entropy") struct SharedCrossEntropyTests {
    private let queries = gridMatrix(rows: 5, columns: 3, seed: 71)
    private let positives = gridMatrix(rows: 5, columns: 1, seed: 72)
    private let classes = gridMatrix(rows: 7, columns: 3, seed: 73)
    private let masked = RaggedRows([[], [6, 0], Array(0..<7), [3, 3], []] as [[Int32]])
    private let weights: [Float] = [0.5, 1, 0.25, 2, 0]
    private let offsets: [Float] = [0, 1, -1, 0.5, 0, 2, -0.25]

    @Test("gradients by queries, positives and classes equal central differences")
    func gradients() {
        expectGradient(of: [queries, positives, classes]) { _, inputs in
            .sharedCrossEntropy(
                queries: inputs[0],
                positives: inputs[1],
                classes: inputs[2],
                packed: PackedClasses(inputs[2].value, offsets: offsets),
                masked: masked,
                weights: weights
            )
        }
    }

    @Test("equals the loss over a matrix of logits, also through stacked queries and with inputs left out")
    func matchesMatrixOfLogits() {
        let other = gridMatrix(rows: 5, columns: 3, seed: 74)
        let (tape, plain) = (Tape(), Tape())
        let leaves = [queries, other, positives, classes].map(tape.leaf)
        let plainLeaves = [queries, other, positives, classes].map(plain.leaf)
        let packed = PackedClasses(classes, offsets: [Float](repeating: 0.75, count: 7))
        // Both tapes get the loss 0.5 * (first) + 0.25 * (second), times 3.
        let stacked = Variable.sharedCrossEntropy(
            queries: leaves[0].appendingRows(of: leaves[1]),
            positives: leaves[2].appendingRows(of: leaves[2]),
            classes: leaves[3],
            packed: packed,
            masked: RaggedRows((0..<10).map { masked[$0 % 5] }),
            weights: [Float](repeating: 0.5, count: 5) + [Float](repeating: 0.25, count: 5)
        ).scaled(by: 3)
        let parts = (0..<2).map { set in
            Variable.crossEntropy(
                positives: plainLeaves[2],
                negatives: plainLeaves[set].product(plainLeaves[3], transposed: true),
                masked: masked,
                negativeOffset: 0.75,
                weight: set == 0 ? 0.5 : 0.25
            )
        }
        let expected = parts[0].adding(parts[1]).scaled(by: 3)
        #expect(abs(stacked.scalar - expected.scalar) < 1e-5)
        _ = tape.backward(from: stacked)
        _ = plain.backward(from: expected)
        for (found, wanted) in zip(leaves, plainLeaves) {
            let (a, b) = (tape.gradient(of: found), plain.gradient(of: wanted))
            expectClose(a?.elements ?? [], b?.doubles ?? [1], absolute: 1e-5)
        }
    }

    @Test("constant inputs get no gradient, and a tape that does not record computes the same loss")
    func partsWithoutGradient() {
        let packed = PackedClasses(classes, offsets: offsets)
        func loss(_ q: Variable, _ p: Variable, _ c: Variable) -> Variable {
            .sharedCrossEntropy(queries: q, positives: p, classes: c, packed: packed, masked: masked, weights: weights)
        }
        let (tape, silent) = (Tape(), Tape(recording: false))
        let (query, positive) = (tape.leaf(queries), tape.constant(positives))
        let recorded = loss(query, positive, tape.constant(classes))
        let unrecorded = loss(silent.constant(queries), silent.constant(positives), silent.constant(classes))
        #expect(recorded.scalar == unrecorded.scalar)
        _ = tape.backward(from: recorded)
        #expect(tape.gradient(of: query) != nil && tape.gradient(of: positive) == nil)
    }
}
