import Kernels
import Recommenders
import Testing

@Suite("Dropout") struct DropoutTests {
    private func dropout(_ p: Double, streams: [UInt64]) -> Dropout {
        Dropout(probability: p, noise: NoiseSource(seed: 6, streams: streams), layers: 4)
    }

    @Test("elements are 0 with probability p, and 1 / (1 - p) otherwise", arguments: [0, 0.1, 0.5, 0.9])
    func share(p: Double) {
        let mask = dropout(p, streams: Array(0..<100)).mask(1, width: 400)
        let zeros = mask.elements.count { $0 == 0 }
        // Five standard errors of a binomial share.
        #expect(abs(Double(zeros) / 40_000 - p) <= 5 * (p * (1 - p) / 40_000).squareRoot())
        #expect(mask.elements.allSatisfy { $0 == 0 || $0 == Float(1 / (1 - p)) })
    }

    @Test("a stream's rows do not depend on other streams, and layers have different masks")
    func streams() {
        let mask = dropout(0.5, streams: [3, 8, 5]).mask(2, width: 16, counts: [2, 0, 3])
        #expect(mask.shape == [5, 16])
        let alone = dropout(0.5, streams: [5]).mask(2, width: 16, counts: [3])
        #expect(mask.rows(2..<5) == alone)
        #expect(Set((0..<5).map(mask.row)).count == 5)
        #expect(dropout(0.5, streams: [5]).mask(1, width: 16, counts: [3]) != alone)
        // Neighbouring streams and layers have different masks.
        let rows = (0..<4).flatMap { layer in
            let mask = dropout(0.5, streams: [0, 1, 2]).mask(layer, width: 32)
            return (0..<3).map(mask.row)
        }
        #expect(Set(rows).count == 12)
    }
}
