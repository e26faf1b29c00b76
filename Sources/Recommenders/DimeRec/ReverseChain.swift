import Autodiff
public import Kernels

extension ReadOut {
    /// The K interests themselves; an item's score is the largest over them.
    ///
    /// This equals the union of the K interests' top lists, merged by score. If an item is in the merged top n, it is
    /// also in the top n of the interest that gives its best score: every item above it there is above it in the
    /// merged list too.
    public static let guidanceBest = ReadOut("guidance-best")
    /// The normalised mean of the interests.
    public static let guidanceMean = ReadOut("guidance-mean")
    /// The denoiser's prediction at step T, from pure noise: one step instead of T.
    public static let oneStep = ReadOut("one-step")
    /// The generated vector after all T steps, for a model that is served with fewer.
    public static let allSteps = ReadOut("all-steps")
    /// The denoiser's prediction at step T from a zero vector in place of noise: what the condition alone gives.
    public static let withoutNoise = ReadOut("without-noise")
}

extension DimeRec {
    /// The generated vector, and vectors that use only a part of the model.
    public var readOuts: [ReadOut] {
        [.served] + (servedSteps < reverseSteps ? [.allSteps] : []) + (servedSteps > 1 ? [.oneStep] : [])
            + [.withoutNoise, .guidanceBest, .guidanceMean]
    }

    /// User vectors by a read-out; see ``Recommender/userVectors(_:noise:readOut:)``.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        let condition = condition(of: histories, noise: nil, on: Tape(recording: false))
        let interests = condition.interests
        switch readOut {
        case .guidanceBest:
            let rows = interests.value.reshaped(
                rows: histories.count * configuration.interests,
                columns: configuration.dimension
            )
            return UserVectors(rows: rows, perUser: configuration.interests)
        case .guidanceMean:
            return UserVectors(rows: denoiser.meanInterest(interests).normalisedRows().value)
        case .oneStep:
            return UserVectors(rows: generate(condition, noise: noise, steps: 1))
        case .withoutNoise:
            return UserVectors(rows: withoutNoise(condition))
        case .allSteps:
            return UserVectors(rows: generate(condition, noise: noise, steps: reverseSteps))
        default:
            return UserVectors(rows: generate(condition, noise: noise, steps: servedSteps))
        }
    }

    private func withoutNoise(_ condition: DiffusionAggregation.Condition) -> Matrix {
        let (tape, rows) = (condition.interests.tape, condition.interests.value.rows)
        return denoiser.cleanVectors(
            noised: tape.constant(Matrix(rows: rows, columns: configuration.dimension)),
            steps: [Int](repeating: configuration.steps, count: rows),
            terms: denoiser.terms(of: condition, dropout: nil, parameters),
            dropout: nil,
            parameters: parameters
        ).value
    }

    /// The number of diffusion steps (T).
    public var reverseSteps: Int { configuration.steps }

    /// The recipe's number, or T.
    public var servedSteps: Int { configuration.servedSteps }

    /// The generated vector after fewer steps.
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        UserVectors(rows: generate(histories: histories, noise: noise, steps: steps))
    }

    /// Algorithm 2: from noise to the next interest in `steps` reverse steps, `[B, d]`.
    ///
    /// Row `b` draws from stream `noise.streams[b]`: the start uses its first `d` normals, and each later step the
    /// next `d`.
    ///
    /// - Parameters:
    ///   - histories: One row for each user.
    ///   - noise: Seed and streams.
    ///   - steps: How many reverse steps, 1 to T.
    ///   - visit: Called at each step with its noisy input vectors `[B, d]` and the predicted clean vectors.
    /// - Returns: The generated vectors.
    public func generate(
        histories: RaggedRows,
        noise: NoiseSource,
        steps: Int,
        visit: (_ noisy: Matrix, _ clean: Matrix) -> Void = { _, _ in }
    ) -> Matrix {
        generate(
            condition(of: histories, noise: nil, on: Tape(recording: false)),
            noise: noise,
            steps: steps,
            visit: visit
        )
    }

    private func generate(
        _ condition: DiffusionAggregation.Condition,
        noise source: NoiseSource,
        steps: Int,
        visit: (_ noisy: Matrix, _ clean: Matrix) -> Void = { _, _ in }
    ) -> Matrix {
        let tape = condition.interests.tape
        let terms = denoiser.terms(of: condition, dropout: nil, parameters)
        return reverseChain(noise: source, steps: steps) { x, t in
            let clean = denoiser.cleanVectors(
                noised: tape.constant(x),
                steps: [Int](repeating: t, count: x.rows),
                terms: terms,
                dropout: nil,
                parameters: parameters
            ).value
            visit(x, clean)
            return clean
        }
    }

    /// The scale of each reverse step's noise per coordinate; it multiplies the posterior's deviation.
    package var reverseNoiseScale: Float {
        switch configuration.reverse.noiseScale {
        case .asTraining: noise.reverseScale
        case .unit: 1
        case .calibrated: 1 / Float(configuration.dimension).squareRoot()
        case .none: 0
        }
    }

    /// The reverse chain around any denoiser; `predict` maps `x_t [B, d]` and `t` to predicted clean vectors.
    ///
    /// The first `d` of a stream's `steps * d` normals are the start; the steps use the others in order.
    package func reverseChain(noise source: NoiseSource, steps: Int, predict: (Matrix, Int) -> Matrix) -> Matrix {
        let d = configuration.dimension
        let schedule = noise.schedule.reverseSteps(steps)
        let normals = CounterBasedGenerator(seed: source.seed, purpose: .reverseNoise)
            .normalRows(streams: source.streams, columns: steps * d)
            .reshaped(rows: source.streams.count * steps, columns: d)
        func noiseRows(_ index: Int) -> Matrix {
            normals.gatheringRows(source.streams.indices.map { Int32($0 * steps + index) })
        }
        var x = configuration.geometry.placed(noiseRows(0))
        for (index, step) in schedule.enumerated() {
            let clean = predict(x, step.t)
            guard index < schedule.count - 1 else { return clean }
            x.scale(by: Float(step.noisy))
            x.add(clean, scale: Float(step.clean))
            x.add(noiseRows(index + 1), scale: Float(step.deviation) * reverseNoiseScale)
            x = configuration.geometry.placed(x)
        }
        return x
    }
}
