import Kernels
import TestSupport
import Testing

@Suite("Vector codes") struct VectorCodesTests {
    private func query(_ dimension: Int) -> ([Float], QuantisedQuery) {
        let vector = UnitVectors.uniform(1, dimension: dimension, seed: 99).row(0)
        var query = QuantisedQuery()
        query.set(vector, count: dimension)
        return (vector, query)
    }

    @Test("8-bit products are exact to both sides' steps; bounds lie above", arguments: [1, 3, 8, 30, 64, 256])
    func byteCodes(dimension: Int) {
        let rows = UnitVectors.uniform(37, dimension: dimension)
        let spreads = (0..<37).map { Float($0) * 0.01 }
        let codes = ByteCodes(rows, spreads: spreads)
        let (vector, query) = query(dimension)
        var scores = [Float](repeating: 0, count: codes.paddedCount)
        var bounds = scores
        let largest = codes.bounds(of: query, width: 3, scores: &scores, bounds: &bounds)
        for row in 0..<37 {
            let exact = zip(rows.row(row), vector).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            #expect(abs(Double(scores[row]) - exact) < 0.005 * Double(dimension).squareRoot())
            #expect(abs(bounds[row] - (scores[row] + 3 * spreads[row])) < 1e-6)
        }
        #expect(largest == bounds.max())
        var (portableScores, portableBounds) = (scores, bounds)
        _ = codes.bounds(
            of: query,
            width: 3,
            scores: &portableScores,
            bounds: &portableBounds,
            isPortable: true
        )
        #expect(zip(scores, portableScores).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(zip(bounds, portableBounds).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test(
        "estimates are the products with the decoded vectors, on every CPU",
        arguments: [8, 16, 24, 64, 128, 256]
    )
    func nibbleEstimates(dimension: Int) {
        let rows = UnitVectors.uniform(50, dimension: dimension)
        let (codes, factors) = NibbleCodes.encode(rows, dimension: dimension)
        let items = (0..<64).map { $0 < 50 ? Int32($0) : -1 }
        let packed = NibbleCodes(codes: codes, factors: factors, items: items, dimension: dimension)
        let decoded = NibbleCodes.decode(codes, factors, dimension: dimension)
        let (vector, query) = query(dimension)
        let estimates = packed.estimates(of: query)
        let portable = packed.estimates(of: query, isPortable: true)
        for row in 0..<50 {
            let product = zip(decoded.row(row), vector).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            #expect(abs(Double(estimates[row]) - product) < 0.01)
            #expect(abs(estimates[row] - portable[row]) < 1e-6)
        }
        #expect(estimates.count == 64)
        #expect(packed.saved.codes == codes)
        #expect(packed.saved.factors == factors)
    }

    @Test("the estimate of a vector's own length is exact, and the error matches 4 bits")
    func nibbleAccuracy() {
        let rows = UnitVectors.uniform(500, dimension: 64)
        let (codes, factors) = NibbleCodes.encode(rows, dimension: 64)
        let decoded = NibbleCodes.decode(codes, factors, dimension: 64)
        var squaredError = 0.0
        for row in 0..<500 {
            let (x, y) = (rows.row(row).map(Double.init), decoded.row(row).map(Double.init))
            #expect(abs(zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } - 1) < 1e-5)
            squaredError += zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        // 0.0115 is the distortion of the best 16 uniform levels for a normal variable; a bounded variable has less.
        #expect(squaredError / 500 < 0.013)
    }

    @Test("zero vectors and vectors of one element are encoded")
    func degenerate() {
        var rows = Matrix(rows: 2, columns: 8)
        rows[1, 3] = -0.5
        let (codes, factors) = NibbleCodes.encode(rows, dimension: 8)
        let decoded = NibbleCodes.decode(codes, factors, dimension: 8)
        #expect(decoded.row(0).allSatisfy { $0 == 0 })
        #expect(abs(decoded[1, 3] + 0.5) < 0.1)
    }
}
