import Autodiff
public import Kernels

extension ReadOut {
    /// The K interests themselves; an item's score is the best of them.
    ///
    /// This is also the union of the K interests' top lists, merged by score: an item among the best n by its best score is
    /// among the best n of the interest that gives it, since whatever stands before it there stands before it in all.
    public static let guidanceBest = ReadOut("guidance-best")
    /// The normalised mean of the interests.
    public static let guidanceMean = ReadOut("guidance-mean")
    /// The denoiser's answer at step T, from pure noise: one step instead of T.
    public static let oneStep = ReadOut("one-step")
}

extension DimeRec {
    /// The generated vector, and three that use less than the whole model.
    public var readOuts: [ReadOut] { [.served, .oneStep, .guidanceBest, .guidanceMean] }

    /// User vectors by a read-out; see ``Recommender/userVectors(_:noise:readOut:)``.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        let condition = condition(of: histories, on: Tape(recording: false))
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
        default:
            return UserVectors(rows: generate(condition, noise: noise, steps: configuration.steps))
        }
    }

    /// T.
    public var reverseSteps: Int { configuration.steps }

    /// The generated vector after fewer steps.
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        UserVectors(rows: generate(histories: histories, noise: noise, steps: steps))
    }

    /// Algorithm 2: from noise to the next interest in `steps` reverse steps, `[B, d]`.
    ///
    /// Row `b` draws from stream `noise.streams[b]`: the start from its first `d` normals, each later step from the next.
    ///
    /// - Parameters:
    ///   - histories: A row a user.
    ///   - noise: Seed and streams.
    ///   - steps: How many reverse steps, 1 to T.
    ///   - visit: Told the noisy vectors `[B, d]` on entry of each step and the clean ones that it predicts.
    /// - Returns: The generated vectors.
    public func generate(
        histories: RaggedRows,
        noise: NoiseSource,
        steps: Int,
        visit: (_ noisy: Matrix, _ clean: Matrix) -> Void = { _, _ in }
    ) -> Matrix {
        generate(condition(of: histories, on: Tape(recording: false)), noise: noise, steps: steps, visit: visit)
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

    /// Size of the noise that each reverse step adds per coordinate, before the posterior's deviation.
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
    /// The first of a stream's `steps * d` normals make the start, the others are used in the order of the steps.
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
