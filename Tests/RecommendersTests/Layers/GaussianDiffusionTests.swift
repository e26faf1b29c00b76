import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("GaussianDiffusion") struct GaussianDiffusionTests {
    private static let rows = 20_000
    private let noise = NoiseSource(seed: 4, streams: Array(0..<UInt64(rows)))

    private func diffusion(
        _ kind: ScheduleConfiguration.Kind,
        _ variance: NoiseSchedule.ReverseVariance = .posterior,
        steps: Int = 20
    ) -> GaussianDiffusion {
        GaussianDiffusion(
            schedule: NoiseSchedule(ScheduleConfiguration(kind: kind), steps: steps),
            variance: variance
        )
    }

    /// Five standard errors of a mean and of a deviation, over the sample of one column.
    private func expectMoments(_ x: Matrix, mean: Double, deviation: Double, _ comment: String) {
        let found = moments((0..<x.rows).map { Double(x[$0, 0]) })
        let error = deviation / Double(x.rows).squareRoot() + 1e-6
        #expect(abs(found.mean - mean) < 5 * error, "\(comment): mean")
        #expect(abs(found.deviation - deviation) < 5 * error, "\(comment): deviation")
    }

    @Test("noised rows have the marginals of equation 2", arguments: [1, 7, 20])
    func forward(t: Int) {
        let diffusion = diffusion(.exponential)
        let clean = Tape(recording: false).constant(Matrix(rows: Self.rows, columns: 1, repeating: 3))
        let x = diffusion.noised(
            clean,
            steps: [Int](repeating: t, count: Self.rows),
            normals: diffusion.normals(noise, columns: 1)
        )
        let level = diffusion.schedule.alphaBar[t]
        expectMoments(x.value, mean: 3 * level.squareRoot(), deviation: (1 - level).squareRoot(), "t = \(t)")
    }

    @Test("steps are uniform over 1...T")
    func steps() {
        let drawn = diffusion(.cosine, steps: 4).steps(noise)
        for t in 1...4 {
            let count = drawn.count { $0 == t }
            // Five standard errors of a binomial share of a quarter.
            #expect(abs(Double(count) - 5000) < 5 * (20_000 * 0.25 * 0.75).squareRoot(), "t = \(t)")
        }
        #expect(drawn.allSatisfy { (1...4).contains($0) })
    }

    @Test(
        "with the true rows as predictions, the chain follows the marginals that its start implies",
        arguments: ScheduleConfiguration.Kind.allCases,
        [4, 20]
    )
    func truth(kind: ScheduleConfiguration.Kind, count: Int) {
        let diffusion = diffusion(kind)
        let coefficients = diffusion.schedule.reverseSteps(count)
        var (index, mean, variance) = (0, 0.0, 1.0)
        let clean = Matrix(rows: Self.rows, columns: 1, repeating: 3)
        let end = diffusion.generate(columns: 1, noise: noise, steps: count) { x, t in
            #expect(t == coefficients[index].t)
            expectMoments(x, mean: mean, deviation: variance.squareRoot(), "t = \(t)")
            let step = coefficients[index]
            mean = step.clean * 3 + step.noisy * mean
            variance = step.noisy * step.noisy * variance + step.deviation * step.deviation
            index += 1
            return clean
        }
        #expect(index == count && end == clean)
    }

    @Test("the exact denoiser of normal data generates the data along its noised marginals")
    func normalData() {
        // Data of variance 1: the forward variance makes the chain exact if the prediction is the posterior mean.
        let diffusion = diffusion(.exponential, .forward)
        let levels = diffusion.schedule.alphaBar
        _ = diffusion.generate(columns: 1, noise: noise) { x, t in
            // Data of mean 2; the start lacks the part of it that is left at step T.
            let lost = t == 20 ? 2 * levels[20].squareRoot() : 0
            if t == 20 || t <= 12 {
                expectMoments(x, mean: 2 * levels[t].squareRoot() - lost, deviation: 1, "t = \(t)")
            }
            // E[x_0 | x_t] = m + sqrt(abar) (x_t - sqrt(abar) m), with the start moved to the data's noised mean.
            let root = Float(levels[t].squareRoot())
            var clean = Matrix(rows: x.rows, columns: 1, repeating: 2 * (1 - root * root) + root * Float(lost))
            clean.add(x, scale: root)
            return clean
        }
    }

    @Test("a row's chain does not depend on its batch")
    func batches() {
        let diffusion = diffusion(.truncatedLinear, .forward, steps: 6)
        func chain(_ streams: [UInt64]) -> Matrix {
            var seen = Matrix(rows: streams.count, columns: 0)
            _ = diffusion.generate(columns: 3, noise: NoiseSource(seed: 8, streams: streams)) { x, _ in
                seen = Matrix((0..<x.rows).map { seen.row($0) + x.row($0) })
                return x
            }
            return seen
        }
        let together = chain([5, 9, 1 << 50])
        #expect(together.row(1) == chain([9]).row(0))
        #expect(together.row(2) == chain([1 << 50, 5]).row(0))
        #expect(Set(together.elements).count == together.count)
    }
}
