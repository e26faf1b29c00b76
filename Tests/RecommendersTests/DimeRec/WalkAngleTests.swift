import Foundation
import Recommenders
import TestSupport
import Testing

/// Quantiles of the walk's angle against the method's table (section 5.4), in degrees.
@Suite("Angles of the geodesic walk") struct WalkAngleTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var schedule: String
        var t: Int
        /// 1, 5, 25, 50, 75, 95 and 99 percent.
        var quantiles: [Double]
        var deviation: Double
        var meanCosine: Double
        var testDescription: String { "\(schedule), t = \(t)" }

        init(_ schedule: String, _ t: Int, _ quantiles: [Double], _ deviation: Double, _ meanCosine: Double) {
            (self.schedule, self.t, self.quantiles) = (schedule, t, quantiles)
            (self.deviation, self.meanCosine) = (deviation, meanCosine)
        }
    }

    static let table = [
        Row("R2-exp", 1, [7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5], 0.00, 0.9914),
        Row("R2-exp", 2, [12.1, 12.7, 13.5, 14.1, 14.6, 15.3, 15.8], 0.81, 0.9701),
        Row("R2-exp", 3, [17.0, 18.1, 19.5, 20.4, 21.4, 22.7, 23.6], 1.41, 0.9369),
        Row("R2-exp", 5, [26.7, 28.5, 31.0, 32.7, 34.4, 36.9, 38.6], 2.56, 0.8405),
        Row("R2-exp", 8, [40.1, 42.8, 46.7, 49.5, 52.3, 56.4, 59.3], 4.13, 0.6478),
        Row("R2-exp", 10, [47.7, 51.0, 55.8, 59.2, 62.6, 67.6, 71.0], 5.03, 0.5101),
        Row("R2-exp", 12, [54.3, 58.1, 63.5, 67.4, 71.3, 77.0, 81.1], 5.76, 0.3814),
        Row("R2-exp", 15, [62.1, 66.4, 72.6, 76.9, 81.4, 87.8, 92.4], 6.53, 0.2236),
        Row("R2-exp", 18, [67.2, 71.8, 78.5, 83.2, 87.9, 94.8, 99.7], 6.97, 0.1166),
        Row("R2-exp", 20, [69.6, 74.3, 81.1, 85.9, 90.7, 97.7, 102.6], 7.10, 0.0707),
        Row("R2-lin50", 2, [13.2, 13.6, 14.1, 14.4, 14.8, 15.2, 15.5], 0.49, 0.9685),
        Row("R2-lin50", 5, [34.5, 36.7, 39.9, 42.1, 44.3, 47.4, 49.5], 3.24, 0.7413),
        Row("R2-lin50", 8, [52.8, 56.4, 61.6, 65.3, 69.0, 74.4, 78.1], 5.44, 0.4152),
        Row("R2-lin50", 12, [68.0, 72.7, 79.4, 84.1, 88.9, 95.7, 100.5], 6.99, 0.1013),
        Row("R2-lin50", 20, [73.3, 78.1, 85.1, 90.0, 94.9, 101.9, 106.8], 7.21, 0.0000),
        Row("R1-lin", 1, [3.6, 3.9, 4.3, 4.5, 4.8, 5.2, 5.5], 0.41, 0.9969),
        Row("R1-lin", 3, [21.0, 22.5, 24.7, 26.3, 27.9, 30.3, 32.0], 2.36, 0.8954),
        Row("R1-lin", 5, [36.4, 38.9, 42.7, 45.4, 48.2, 52.3, 55.2], 4.05, 0.6992),
        Row("R1-lin", 10, [63.3, 67.7, 74.1, 78.6, 83.3, 89.9, 94.5], 6.74, 0.1946),
        Row("R1-lin", 20, [73.2, 78.1, 85.1, 90.0, 94.9, 101.8, 106.7], 7.23, 0.0005),
    ]

    @Test("quantiles, spread and mean cosine", arguments: table)
    func quantiles(_ row: Row) {
        let walk =
            switch row.schedule {
            case "R2-exp": GeodesicRandomWalkTests.walk(.exponential, .calibrated)
            case "R2-lin50": GeodesicRandomWalkTests.walk(.linear50, .calibrated)
            default: GeodesicRandomWalkTests.walk(.linearUnscaled, .literal)
            }
        let n = 60_000
        var numbers = FastGenerator(seed: UInt64(row.t) * 1000 + UInt64(row.schedule.utf8.count))
        let cosines = (0..<n).map { _ in walk.cosine(after: row.t, using: &numbers) }
        let angles = cosines.map { acos($0) * 180 / .pi }.sorted()
        // Normal scores of the probabilities, for the sampling error sqrt(p (1 - p) / n) / density.
        let scores = [-2.326, -1.645, -0.674, 0, 0.674, 1.645, 2.326]
        for (index, p) in [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99].enumerated() {
            let density = exp(-scores[index] * scores[index] / 2) / (2 * Double.pi).squareRoot()
            let error = (p * (1 - p) / Double(n)).squareRoot() / density * row.deviation
            let found = angles[Int(p * Double(n))]
            #expect(abs(found - row.quantiles[index]) < 0.15 + 4 * error, "\(p)")
        }
        let (mean, _) = moments(cosines)
        #expect(abs(mean - row.meanCosine) < 5.1e-5 + 4 * moments(cosines).deviation / Double(n).squareRoot())
        // The standard error of a deviation is deviation / sqrt(2 n); two printed digits.
        #expect(
            abs(moments(angles).deviation - row.deviation) < 0.0101 + 4 * row.deviation / Double(2 * n).squareRoot()
        )
    }
}
