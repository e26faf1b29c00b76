import Foundation
import Kernels
import Recommenders
import TestSupport
import Testing

/// Statistical tests: the exact shortcut has the distribution of the walk (method, section 5.4).
@Suite("GeodesicRandomWalk") struct GeodesicRandomWalkTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var kind: ScheduleConfiguration.Kind
        var reading: GeodesicRandomWalk.Reading
        /// The seed of a random start; nil starts at the first axis.
        var start: UInt64?
        var testDescription: String { start == nil ? "\(name) from an axis" : name }
    }

    static let cases = [
        Case(name: "R2-exp", kind: .exponential, reading: .calibrated, start: nil),
        Case(name: "R2-exp", kind: .exponential, reading: .calibrated, start: 5),
        Case(name: "R2-lin50", kind: .linear50, reading: .calibrated, start: 6),
        Case(name: "R1-lin", kind: .linearUnscaled, reading: .literal, start: 7),
    ]

    private static let d = 64
    private static let n = 20_000
    /// Steps at which directions are checked too.
    private static let checked = [2, 5, 10, 20]

    static func walk(
        _ kind: ScheduleConfiguration.Kind,
        _ reading: GeodesicRandomWalk.Reading
    ) -> GeodesicRandomWalk {
        var configuration = ScheduleConfiguration()
        configuration.kind = kind
        let betas = NoiseSchedule(configuration, steps: 20).betas
        return GeodesicRandomWalk(dimension: d, betas: betas, reading: reading)
    }

    /// Ends of walks: the cosines to the start and, at the checked steps, the end vectors.
    private struct Sample {
        var cosines: [[Double]]
        var ends: [Int: [[Float]]] = [:]
    }

    /// Full walks, one step at a time, so that each path is seen at every step.
    private func walked(_ walk: GeodesicRandomWalk, from start: [Float], seed: UInt64) -> Sample {
        var numbers = FastGenerator(seed: seed)
        let steps = walk.betas.map {
            GeodesicRandomWalk(dimension: walk.dimension, betas: [$0], reading: walk.reading)
        }
        var sample = Sample(cosines: steps.map { _ in [] })
        for _ in 0..<Self.n {
            var x = start
            for (index, step) in steps.enumerated() {
                x = step.walk(from: x, after: 1, using: &numbers)
                sample.cosines[index].append(cosine(x, start))
                if Self.checked.contains(index + 1) { sample.ends[index + 1, default: []].append(x) }
            }
        }
        return sample
    }

    private func shortcut(_ walk: GeodesicRandomWalk, from start: [Float], seed: UInt64) -> Sample {
        var numbers = FastGenerator(seed: seed)
        var sample = Sample(
            cosines: (1...walk.betas.count).map { t in
                (0..<Self.n).map { _ in walk.cosine(after: t, using: &numbers) }
            }
        )
        for t in Self.checked where t <= walk.betas.count {
            sample.ends[t] = (0..<Self.n).map { _ in
                let end = walk.endpoint(from: start, after: t, using: &numbers)
                return zip(start, end.offset).map { end.cosine * $0 + $1 }
            }
        }
        return sample
    }

    private func cosine(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    /// Random unit vectors.
    private func directions(_ count: Int, _ d: Int, seed: UInt64) -> [[Float]] {
        let rows = normalMatrix(rows: count, columns: d, seed: seed).normalisedRows().unit
        return (0..<count).map(rows.row)
    }

    /// Gegenbauer polynomials of degree 1 to 4, normalised to 1 at 1.
    private func polynomials(_ x: Double, d: Double) -> [Double] {
        var p = [1, x]
        for l in 1..<4 {
            let l = Double(l)
            p.append(((2 * l + d - 2) * x * p[p.count - 1] - l * p[p.count - 2]) / (l + d - 2))
        }
        return Array(p.dropFirst())
    }

    /// `E P_l(cos r)` of one step, l = 1...4; Simpson's rule over the chi law where the angle is random.
    private func stepMoments(_ beta: Double, _ reading: GeodesicRandomWalk.Reading, d: Double) -> [Double] {
        if reading == .calibrated { return polynomials((1 - beta).squareRoot(), d: d) }
        let scale = reading == .wide ? (beta / d).squareRoot() : beta.squareRoot()
        var mass = 0.0
        var sums = [0.0, 0, 0, 0]
        let logNorm = (d - 1) / 2 * log(2.0) - log(2.0) + lgamma((d - 1) / 2)
        for i in 1...2000 {
            let x = 20 * Double(i) / 2000
            let weight = (i == 2000 ? 1 : i % 2 == 1 ? 4 : 2) * exp((d - 2) * log(x) - x * x / 2 - logNorm)
            mass += weight
            for (l, p) in polynomials(cos(scale * x), d: d).enumerated() { sums[l] += weight * p }
        }
        return sums.map { $0 / mass }
    }

    /// Test 1: moments are products of one-step moments, four standard errors.
    private func expectMoments(_ sample: Sample, _ walk: GeodesicRandomWalk, _ label: String) {
        var expected = [1.0, 1, 1, 1]
        for (index, beta) in walk.betas.enumerated() {
            let step = stepMoments(beta, walk.reading, d: Double(walk.dimension))
            expected = zip(expected, step).map { $0 * $1 }
            let values = sample.cosines[index].map { polynomials($0, d: Double(walk.dimension)) }
            for l in 0..<4 {
                let (mean, deviation) = moments(values.map { $0[l] })
                // 1e-6: a walk passes through Float32 vectors.
                let allowed = 4 * deviation / Double(values.count).squareRoot() + 1e-6
                #expect(abs(mean - expected[l]) < allowed, "\(label): degree \(l + 1), t = \(index + 1)")
            }
        }
    }

    /// Tests 3 and 4: the tangent part's direction is uniform and independent of the angle.
    private func expectUniformDirections(_ ends: [[Float]], from start: [Float], _ label: String) {
        let d = start.count
        var mean = [Double](repeating: 0, count: d)
        var angles: [Double] = []
        let probes = directions(8, d, seed: 900)
        var projections = [[Double]](repeating: [], count: probes.count)
        for end in ends {
            let c = cosine(end, start)
            let tangent = zip(end, start).map { Double($0) - c * Double($1) }
            let length = tangent.reduce(0) { $0 + $1 * $1 }.squareRoot()
            for i in 0..<d { mean[i] += tangent[i] / length / Double(ends.count) }
            angles.append(acos(min(1, max(-1, c))))
            for (index, probe) in probes.enumerated() {
                projections[index].append(zip(tangent, probe).reduce(0) { $0 + $1.0 * Double($1.1) } / length)
            }
        }
        // Chi-square with d - 1 = 63 degrees of freedom leaves [34, 104] once in a thousand.
        let rayleigh = Double(ends.count * (d - 1)) * mean.reduce(0) { $0 + $1 * $1 }
        #expect(rayleigh > 34 && rayleigh < 104, "\(label): Rayleigh \(rayleigh)")
        for projection in projections {
            #expect(abs(correlation(angles, projection)) < 4 / Double(ends.count).squareRoot(), "\(label)")
        }
    }

    @Test("the shortcut has the law of the walk", arguments: cases)
    func sameLaw(_ shape: Case) {
        let walk = Self.walk(shape.kind, shape.reading)
        let axis = [1] + [Float](repeating: 0, count: Self.d - 1)
        let start = shape.start.map { directions(1, Self.d, seed: $0)[0] } ?? axis
        let full = walked(walk, from: start, seed: 11)
        let short = shortcut(walk, from: start, seed: 12)
        expectMoments(full, walk, "walk")
        expectMoments(short, walk, "shortcut")
        // Test 2. One calibrated step has a single angle, so its moments are enough.
        let limit = 1.95 * (2 / Double(Self.n)).squareRoot()
        for t in (shape.reading == .calibrated ? 2 : 1)...20 {
            #expect(kolmogorovDistance(full.cosines[t - 1], short.cosines[t - 1]) < limit, "cosine, t = \(t)")
        }
        // Test 5, second half: one coordinate along a fixed direction.
        let probe = directions(1, Self.d, seed: 901)[0]
        for t in Self.checked {
            guard let walked = full.ends[t], let jumped = short.ends[t] else { continue }
            let distance = kolmogorovDistance(walked.map { cosine($0, probe) }, jumped.map { cosine($0, probe) })
            #expect(distance < limit, "projection, t = \(t)")
            #expect(
                t == 1
                    || kolmogorovDistance(walked.map { cosine($0, start) }, jumped.map { cosine($0, start) }) < limit,
                "endpoint, t = \(t)"
            )
            expectUniformDirections(walked, from: start, "walk, t = \(t)")
            expectUniformDirections(jumped, from: start, "shortcut, t = \(t)")
        }
    }

    @Test(
        "two and three dimensions, where the law of a direction's coordinate is extreme",
        arguments: [2, 3],
        GeodesicRandomWalk.Reading.allCases
    )
    func lowDimensions(d: Int, reading: GeodesicRandomWalk.Reading) {
        let walk = GeodesicRandomWalk(dimension: d, betas: [0.02, 0.1, 0.3, 0.2, 0.15], reading: reading)
        let start = directions(1, d, seed: 21)[0]
        let full = walked(walk, from: start, seed: 22)
        let short = shortcut(walk, from: start, seed: 23)
        if d > 2 {
            expectMoments(full, walk, "walk")
            expectMoments(short, walk, "shortcut")
        }
        let limit = 1.95 * (2 / Double(Self.n)).squareRoot()
        // Where a calibrated walk's cosines are discrete, Float32 ends and Double chains differ only by rounding.
        func rounded(_ sample: [Double]) -> [Double] { sample.map { ($0 * 1e4).rounded() } }
        for t in 2...5 {
            let distance = kolmogorovDistance(rounded(full.cosines[t - 1]), rounded(short.cosines[t - 1]))
            #expect(distance < limit, "t = \(t)")
        }
        let probe = directions(1, d, seed: 24)[0]
        for t in [2, 5] {
            guard let walked = full.ends[t], let jumped = short.ends[t] else { continue }
            let (a, b) = (walked.map { cosine($0, probe) }, jumped.map { cosine($0, probe) })
            #expect(kolmogorovDistance(rounded(a), rounded(b)) < limit, "projection, t = \(t)")
        }
    }

    @Test(
        "ends are unit vectors, offsets are tangent, and without steps or noise the walk does not move",
        arguments: [2, 3, 64],
        GeodesicRandomWalk.Reading.allCases
    )
    func invariants(d: Int, reading: GeodesicRandomWalk.Reading) {
        let start = directions(1, d, seed: 31)[0]
        var numbers = FastGenerator(seed: 32)
        let walk = GeodesicRandomWalk(dimension: d, betas: [0.1, 0.4, 0.9, 0.05], reading: reading)
        for t in 0...4 {
            for _ in 0..<50 {
                let end = walk.endpoint(from: start, after: t, using: &numbers)
                let x = zip(start, end.offset).map { end.cosine * $0 + $1 }
                #expect(abs(cosine(x, x) - 1) < 2e-6)
                #expect(abs(cosine(end.offset, start)) < 1e-6)
                let y = walk.walk(from: start, after: t, using: &numbers)
                #expect(abs(cosine(y, y) - 1) < 2e-6)
                if t == 0 { #expect(end.cosine == 1 && end.offset.allSatisfy { $0 == 0 } && y == start) }
            }
        }
        let still = GeodesicRandomWalk(dimension: d, betas: [0, 0, 0], reading: reading)
        let end = still.endpoint(from: start, after: 3, using: &numbers)
        #expect(end.cosine == 1 && end.offset.allSatisfy { $0 == 0 })
        expectClose(still.walk(from: start, after: 3, using: &numbers), start.map(Double.init), absolute: 2e-7)
    }

    @Test("a walk of several steps equals single steps one after another")
    func composition() {
        let walk = Self.walk(.exponential, .calibrated)
        let start = directions(1, Self.d, seed: 41)[0]
        var (once, stepwise) = (FastGenerator(seed: 42), FastGenerator(seed: 42))
        let end = walk.walk(from: start, after: 7, using: &once)
        var x = start
        for beta in walk.betas.prefix(7) {
            x = GeodesicRandomWalk(dimension: Self.d, betas: [beta], reading: .calibrated)
                .walk(from: x, after: 1, using: &stepwise)
        }
        // Seven roundings to Float32 on the way, one per step.
        expectClose(x, end.map(Double.init), absolute: 8 * roundoff)
    }

    @Test("effective betas of R1-lin, and of the wide reading")
    func effectiveBetas() {
        let expected = [
            0.0063, 0.0705, 0.1320, 0.1906, 0.2466, 0.2999, 0.3508, 0.3991, 0.4450, 0.4887, 0.5300, 0.5692, 0.6062,
            0.6411, 0.6740, 0.7050, 0.7341, 0.7613, 0.7868, 0.8105,
        ]
        for (found, expected) in zip(Self.walk(.linearUnscaled, .literal).effectiveBetas, expected) {
            #expect(abs(found - expected) <= 5.1e-5)
        }
        let wide = GeodesicRandomWalk(dimension: 64, betas: [0.4, 0.01], reading: .wide).effectiveBetas
        #expect(abs((1 - wide[0]).squareRoot() - 0.81) < 0.01)
        // E cos = 1 - E r^2 / 2 for a short step of mean square beta (d - 1) / d; the next term is of order beta^2.
        #expect(abs(wide[1] - 0.01 * 63 / 64) < 1e-4)
        let calibrated = Self.walk(.exponential, .calibrated)
        #expect(calibrated.effectiveBetas == calibrated.betas)
    }
}
