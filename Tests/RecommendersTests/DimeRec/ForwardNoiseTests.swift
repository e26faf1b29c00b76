import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("ForwardNoise") struct ForwardNoiseTests {
    private func noise(_ kind: NoiseConfiguration.Kind, _ sampler: NoiseConfiguration.Sampler = .shortcut)
        -> ForwardNoise
    {
        var configuration = NoiseConfiguration()
        configuration.kind = kind
        configuration.sampler = sampler
        return ForwardNoise(configuration, dimension: 16, steps: 5)
    }

    private func unitRows(_ rows: Int, seed: UInt64) -> Matrix {
        normalMatrix(rows: rows, columns: 16, seed: seed).normalisedRows().unit
    }

    @Test(
        "literal noise equals its definition: standard normals, then normalisation on the sphere",
        arguments: Geometry.allCases
    )
    func literal(geometry: Geometry) {
        let noise = ForwardNoise(NoiseConfiguration(), dimension: 16, steps: 5, geometry: geometry)
        let clean = unitRows(6, seed: 1)
        let steps = [1, 2, 3, 4, 5, 5]
        let source = NoiseSource(seed: 9, streams: [4, 0, 7, 1, 1 << 40, 3])
        let noised = noise.noised(clean, steps: steps, noise: source)
        let generator = CounterBasedGenerator(seed: 9, purpose: .forwardNoise)
        for row in 0..<6 {
            let level = noise.schedule.alphaBar[steps[row]]
            let epsilon = generator.normals(stream: source.streams[row], count: 16).map(Double.init)
            let sum = zip(clean.doubleRow(row), epsilon).map { level.squareRoot() * $0 + (1 - level).squareRoot() * $1 }
            let length = geometry == .sphere ? sum.reduce(0) { $0 + $1 * $1 }.squareRoot() : 1
            expectClose(noised.row(row), sum.map { $0 / length }, absolute: 2e-6)
        }
        #expect(noise.reverseScale == 1)
    }

    @Test(
        "geodesic noise keeps rows on the sphere at the schedule's mean cosine",
        arguments: [1, 3, 5],
        NoiseConfiguration.Sampler.allCases
    )
    func geodesic(t: Int, sampler: NoiseConfiguration.Sampler) {
        let noise = noise(.geodesic, sampler)
        let n = 4000
        let start = unitRows(1, seed: 2)
        let clean = start.gatheringRows([Int32](repeating: 0, count: n))
        let source = NoiseSource(seed: 3, streams: Array(0..<UInt64(n)))
        let noised = noise.noised(clean, steps: [Int](repeating: t, count: n), noise: source)
        let cosines = noised.scores(of: start.elements).map(Double.init)
        let (mean, deviation) = moments(cosines)
        let allowed = 4 * deviation / Double(n).squareRoot() + 1e-6
        #expect(abs(mean - noise.schedule.alphaBar[t].squareRoot()) < allowed)
        #expect(noised.normalisedRows().norms.allSatisfy { abs($0 - 1) < 1e-6 })
        #expect(noise.reverseScale == 0.25)
    }

    @Test("the schedule of a literal walk has its effective betas")
    func effectiveSchedule() {
        var configuration = NoiseConfiguration()
        configuration.kind = .geodesic
        configuration.reading = .literal
        configuration.schedule.kind = .linearUnscaled
        let noise = ForwardNoise(configuration, dimension: 64, steps: 20)
        #expect(noise.schedule.betas == GeodesicRandomWalkTests.walk(.linearUnscaled, .literal).effectiveBetas)
        configuration.kind = .literal
        #expect(
            ForwardNoise(configuration, dimension: 64, steps: 20).schedule
                == NoiseSchedule(configuration.schedule, steps: 20)
        )
    }

    @Test(
        "a row's noise depends on its stream, not on its place",
        arguments: NoiseConfiguration.Kind.allCases,
        NoiseConfiguration.Sampler.allCases
    )
    func streams(kind: NoiseConfiguration.Kind, sampler: NoiseConfiguration.Sampler) {
        let noise = noise(kind, sampler)
        let clean = unitRows(4, seed: 4)
        let source = NoiseSource(seed: 5, streams: [10, 20, 30, 20])
        let steps = noise.steps(source)
        #expect(steps[1] == steps[3])
        let noised = noise.noised(clean, steps: [2, 2, 4, 1], noise: source)
        let alone = noise.noised(clean.rows(2..<3), steps: [4], noise: NoiseSource(seed: 5, streams: [30]))
        #expect(alone.row(0) == noised.row(2))
        let other = noise.noised(clean.rows(2..<3), steps: [4], noise: NoiseSource(seed: 6, streams: [30]))
        #expect(other.row(0) != noised.row(2))
    }

    @Test("steps are uniform on 1...T")
    func steps() {
        let steps = noise(.literal).steps(NoiseSource(seed: 7, streams: Array(0..<10_000)))
        var counts = [Double](repeating: 0, count: 6)
        for step in steps { counts[step] += 1 }
        #expect(counts[0] == 0)
        // Chi-square with 4 degrees of freedom exceeds 18.5 once in a thousand.
        #expect(counts.dropFirst().reduce(0) { $0 + ($1 - 2000) * ($1 - 2000) / 2000 } < 18.5)
    }
}
