import Foundation
import Kernels
import TestSupport
import Testing

@Suite("SoftmaxCrossEntropy") struct SoftmaxCrossEntropyTests {
    /// Loss and probabilities of one row in Double.
    private func reference(
        _ row: [Double],
        positive: Double,
        masked: Set<Int32>
    ) -> (loss: Double, negatives: [Double], positive: Double) {
        let kept = row.indices.filter { !masked.contains(Int32($0)) }
        let largest = kept.reduce(positive) { max($0, row[$1]) }
        let total = kept.reduce(exp(positive - largest)) { $0 + exp(row[$1] - largest) }
        return (
            largest + log(total) - positive,
            row.indices.map { masked.contains(Int32($0)) ? 0 : exp(row[$0] - largest) / total },
            exp(positive - largest) / total
        )
    }

    @Test("losses and probabilities, with and without masks", arguments: tailLengths)
    func matchesReference(columns: Int) {
        var start = normalMatrix(rows: 5, columns: columns, seed: 41)
        start.scale(by: 6)
        let positives: [Float] = [-20, -1, 0, 3, 40]
        var masks: [[Int32]] = [[], [], [], [], []]
        if columns > 0 { masks = [[0], [], Array(0..<Int32(columns)), [Int32(columns - 1), 0, 0], []] }
        for masked in [nil, RaggedRows(masks)] {
            var logits = start
            let (losses, probabilities) = SoftmaxCrossEntropy.apply(
                logits: &logits,
                positives: positives,
                masked: masked
            )
            for row in 0..<5 {
                let expected = reference(
                    start.doubleRow(row),
                    positive: Double(positives[row]),
                    masked: masked.map { Set($0[row]) } ?? []
                )
                // Arguments of exp reach 60: as many roundings, plus those of the sum.
                let relative = Double(columns + 80) * roundoff
                expectClose(logits.row(row), expected.negatives, absolute: 1e-30, relative: relative, "row \(row)")
                expectClose([probabilities[row]], [expected.positive], absolute: 1e-30, relative: relative)
                expectClose([losses[row]], [expected.loss], absolute: relative + 60 * roundoff, relative: relative)
            }
        }
    }

    @Test("a masked column has probability 0, even if all are masked")
    func fullyMasked() {
        var logits = Matrix([[5, 6, 7]])
        let (losses, probabilities) = SoftmaxCrossEntropy.apply(
            logits: &logits,
            positives: [-3],
            masked: RaggedRows([[0, 1, 2]])
        )
        #expect(logits.elements == [0, 0, 0])
        #expect(losses == [0] && probabilities == [1])
    }
}
