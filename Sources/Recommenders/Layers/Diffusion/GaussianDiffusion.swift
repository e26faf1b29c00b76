package import Autodiff
package import Kernels

/// Diffusion of rows of any length by Gaussian noise (Ho et al., 2020; method, section 2).
///
/// Forward, `x_t = sqrt(alphaBar_t) x_0 + sqrt(1 - alphaBar_t) eps` (equation 4). In reverse, from `x_T = eps`, each
/// step is the posterior given the predicted clean row (equations 7 to 9). If `alphaBar_T` is far from zero, the
/// start differs from the noised rows of training; the published systems accept this.
package struct GaussianDiffusion: Sendable {
    /// The noise schedule.
    package let schedule: NoiseSchedule
    /// The variance of the noise that a reverse step adds.
    package let variance: NoiseSchedule.ReverseVariance

    /// Diffusion over a schedule.
    package init(schedule: NoiseSchedule, variance: NoiseSchedule.ReverseVariance = .posterior) {
        self.schedule = schedule
        self.variance = variance
    }

    /// Steps drawn uniformly from 1...T, one for each stream.
    package func steps(_ noise: NoiseSource) -> [Int] {
        let generator = CounterBasedGenerator(seed: noise.seed, purpose: .diffusionStep)
        return noise.streams.map { Int(generator.integers(below: schedule.steps, stream: $0, count: 1)[0]) + 1 }
    }

    /// `eps` of the forward noise, `[B, columns]`, one row for each stream.
    package func normals(_ noise: NoiseSource, columns: Int) -> Matrix {
        CounterBasedGenerator(seed: noise.seed, purpose: .forwardNoise)
            .normalRows(streams: noise.streams, columns: columns)
    }

    /// Noised rows, as a factor and an offset of each clean row.
    func affine(steps: [Int], normals: Matrix) -> (factors: [Float], offsets: Matrix) {
        (
            steps.map { Float(schedule.alphaBar[$0].squareRoot()) },
            normals.scalingRows(by: steps.map { Float((1 - schedule.alphaBar[$0]).squareRoot()) })
        )
    }

    /// Noised rows `[B, d]`; their gradient reaches the clean rows.
    ///
    /// - Parameters:
    ///   - clean: `x_0`, `[B, d]`.
    ///   - steps: `t` of each row, 1...T.
    ///   - normals: `eps`, `[B, d]`.
    /// - Returns: `x_t`.
    package func noised(_ clean: Variable, steps: [Int], normals: Matrix) -> Variable {
        let (factors, offsets) = affine(steps: steps, normals: normals)
        return clean.scalingRows(by: factors).adding(clean.tape.constant(offsets))
    }

    /// The reverse chain from pure noise, `[B, columns]`.
    ///
    /// Row `b` draws from stream `noise.streams[b]`. Each step has its own seed, so the chain holds the noise of one
    /// step at a time.
    ///
    /// - Parameters:
    ///   - columns: Length of the rows (d).
    ///   - noise: Seed and streams.
    ///   - count: How many steps, 1 to T; nil for all.
    ///   - predict: Maps `x_t [B, d]` and `t` to the predicted clean rows.
    /// - Returns: The last prediction.
    package func generate(
        columns: Int,
        noise: NoiseSource,
        steps count: Int? = nil,
        predict: (Matrix, Int) -> Matrix
    ) -> Matrix {
        func rows(_ stage: Int) -> Matrix {
            CounterBasedGenerator(seed: noise.stage(stage).seed, purpose: .reverseNoise)
                .normalRows(streams: noise.streams, columns: columns)
        }
        let steps = schedule.reverseSteps(count, variance: variance)
        var x = rows(0)
        for (index, step) in steps.enumerated() {
            let clean = predict(x, step.t)
            guard index < steps.count - 1 else { return clean }
            x.scale(by: Float(step.noisy))
            x.add(clean, scale: Float(step.clean))
            x.add(rows(index + 1), scale: Float(step.deviation))
        }
        return x
    }
}

extension NoiseSource {
    /// The same streams with the seed of one stage of a chain; stage 0 keeps the seed.
    func stage(_ index: Int) -> NoiseSource {
        // An odd multiplier maps stages to different seeds; 2^64 over the golden ratio keeps the seeds of near stages
        // far apart.
        NoiseSource(seed: seed &+ UInt64(index) &* 0x9e37_79b9_7f4a_7c15, streams: streams)
    }
}
