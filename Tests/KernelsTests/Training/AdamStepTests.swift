import Foundation
import Kernels
import TestSupport
import Testing

@Suite("AdamStep") struct AdamStepTests {
    /// One element of algorithm 1 in Double.
    private func reference(_ w: Double, _ m: Double, _ v: Double, _ g: Double, step: Int) -> (Double, Double, Double) {
        let (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g)
        let (mHat, vHat) = (m / (1 - pow(0.9, Double(step))), v / (1 - pow(0.999, Double(step))))
        return (w - 0.005 * mHat / (vHat.squareRoot() + 1e-8), m, v)
    }

    @Test("equals the published recurrence at every tail length", arguments: tailLengths, [1, 2, 1000])
    func matchesReference(count: Int, step: Int) {
        let start = (0..<4).map { normalMatrix(rows: 1, columns: count, seed: UInt64(51 + $0)) }
        let gradient = start[3]
        var (weights, first, second) = (start[0], start[1], start[2].multiplied(by: start[2]))
        let expected = (0..<count).map {
            reference(
                Double(weights[0, $0]),
                Double(first[0, $0]),
                Double(second[0, $0]),
                Double(gradient[0, $0]),
                step: step
            )
        }
        let adam = AdamStep(step: step, learningRate: 0.005, beta1: 0.9, beta2: 0.999, epsilon: 1e-8)
        adam.update(&weights, first: &first, second: &second, gradient: gradient)
        // 1 - Float(beta) has an error of one rounding of beta: 6e-8 / 0.001 = 6e-5 of the second moment's new part.
        expectClose(first.elements, expected.map(\.1)) { 1e-6 * (abs(expected[$0].1) + abs(Double(gradient[0, $0]))) }
        expectClose(second.elements, expected.map(\.2)) {
            1e-6 * expected[$0].2 + 1e-7 * pow(Double(gradient[0, $0]), 2)
        }
        // The step has the root of that error and the first moment's error, which may cancel; then the weight rounds.
        expectClose(weights.elements, expected.map(\.0)) {
            let move = abs(expected[$0].0 - Double(start[0][0, $0]))
            let scale = 0.005 / (1 - pow(0.9, Double(step)))
            let root = (expected[$0].2 / (1 - pow(0.999, Double(step)))).squareRoot()
            return 1e-4 * move + 1e-6 * scale * (1 + abs(Double(gradient[0, $0]))) / root + roundoff
                * abs(expected[$0].0)
        }
    }

    @Test("updates the given rows like whole matrices, and no others", arguments: [1, 8, 17, 64], [6, 4500])
    func rows(columns: Int, count: Int) {
        // Two thirds of 4,500 rows are more than one thread's share.
        let ids: [Int32] =
            count == 6 ? [4, 0, 5] : (1...3000).reversed().map { (n: Int) -> Int32 in Int32(n * 3 / 2 - 1) }
        let start = normalMatrix(rows: count, columns: columns, seed: 61)
        let gradient = normalMatrix(rows: ids.count, columns: columns, seed: 62)
        let adam = AdamStep(step: 3, learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8)
        var (weights, first, second) = (start, start, start.multiplied(by: start))
        let before = (weights, first, second)
        adam.updateRows(ids, of: &weights, first: &first, second: &second, gradient: gradient)
        let places = Dictionary(uniqueKeysWithValues: zip(ids, ids.indices))
        for row in 0..<count {
            if let place = places[Int32(row)] {
                var (w, m, v) = (
                    before.0.rows(row..<row + 1), before.1.rows(row..<row + 1), before.2.rows(row..<row + 1)
                )
                adam.update(&w, first: &m, second: &v, gradient: gradient.rows(place..<place + 1))
                #expect(weights.row(row) == w.elements)
                #expect(first.row(row) == m.elements)
                #expect(second.row(row) == v.elements)
            } else {
                #expect(weights.row(row) == before.0.row(row))
                #expect(first.row(row) == before.1.row(row))
                #expect(second.row(row) == before.2.row(row))
            }
        }
    }
}
