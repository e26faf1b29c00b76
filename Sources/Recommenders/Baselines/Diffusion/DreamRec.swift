public import Autodiff
public import Kernels

/// DreamRec (Yang et al., NeurIPS 2023; method, section 11): the next item's row generated from noise, guided by the
/// history.
///
/// Item rows are not normalised; their elements have a size of about 1, like the noise. The condition is a causal
/// encoder's newest state; in a share of the training rows a trained null row replaces it. The denoiser learns by
/// squared error alone, and the target row learns too. In generation the prediction is
/// `(1 + w) f(x_t, h, t) - w f(x_t, null, t)`. Differences to the published system: the encoder is
/// ``CausalTransformer`` (pre-norm, ordinary residuals, trained distances instead of positions, no dropout), and the
/// optimiser is Adam instead of AdamW.
public struct DreamRec: ChainRecommender {
    /// Hyper-parameters of the networks and of the diffusion.
    public struct Configuration: DiffusionConfiguration {
        /// The denoiser's depth.
        public enum Denoiser: String, Codable, Sendable, CaseIterable {
            /// One linear layer.
            case linear
            /// A hidden layer of twice the dimension, GELU, and a linear one.
            case hidden
        }
        /// Length of item rows; even.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Diffusion steps (T).
        public var steps = 500
        /// How noise grows.
        public var schedule = ScheduleConfiguration(kind: .exponential)
        /// Strength of the guidance in generation (w).
        public var guidanceWeight = 2.0
        /// Share of the training rows whose condition is the null row (p).
        public var nullProbability = 0.1
        /// If true, the target's row gets no gradient, so that item rows learn only through the condition.
        ///
        /// If false, as published, target rows learn to be easy to predict; equal rows are the easiest.
        public var detachTarget = false
        /// The denoiser's depth.
        public var denoiser = Denoiser.hidden
        /// Blocks of the encoder.
        public var blocks = 1
        /// Attention heads of each block; they divide the dimension.
        public var heads = 1
        /// Width of the encoder's feed-forward layers.
        public var hidden = 64

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateDiffusion(prefix: prefix)
            try ConfigurationError.require(0...100, contains: guidanceWeight, key: prefix + "guidanceWeight")
            try ConfigurationError.require(0...1, contains: nullProbability, key: prefix + "nullProbability")
        }
    }

    private enum Name {
        static let null = "condition.null"
        static let noised = "denoiser.noised"
        static let condition = "denoiser.condition"
        static let step = "denoiser.step"
        static let bias = "denoiser.bias"
        static let output = "denoiser.output"
    }

    /// `dreamrec`.
    public static let system = "dreamrec"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let encoder: CausalTransformer
    private let stepEmbedding: StepEmbedding
    private let diffusion: GaussianDiffusion

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        let d = configuration.dimension
        encoder = CausalTransformer(
            prefix: "encoder",
            dimension: d,
            blocks: configuration.blocks,
            heads: configuration.heads,
            hidden: configuration.hidden,
            longest: configuration.historyLength
        )
        stepEmbedding = StepEmbedding(prefix: Name.step, width: d, hidden: 2 * d, activation: .gelu)
        diffusion = configuration.diffusion
    }

    /// Item and null rows standard normal, weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let d = configuration.dimension
        let wide = configuration.denoiser == .linear ? d : 2 * d
        var layout = encoder.layout
        layout.add(stepEmbedding.layout)
        layout[ItemTable.name] = .normal(rows: items, columns: d, deviation: 1)
        layout[Name.null] = .normal(rows: 1, columns: d, deviation: 1)
        for part in [Name.noised, Name.condition, Name.step] {
            layout[part] = .xavier(inputs: d, outputs: wide)
        }
        layout[Name.bias] = .constant(rows: 1, columns: wide)
        if configuration.denoiser == .hidden {
            layout.addDense(Name.output, inputs: wide, outputs: d)
        }
        return layout
    }

    /// The item rows as they are, `[V, d]`.
    public var scoringItems: Matrix { parameters[ItemTable.name] }

    /// The random draws of a batch.
    package struct Draws {
        /// `t` of each row.
        package var steps: [Int]
        /// `eps` of each row, `[B, d]`.
        package var normals: Matrix
        /// Whether a row's condition is the null row.
        package var isUnconditional: [Bool]

        /// Creates a set of draws.
        package init(steps: [Int], normals: Matrix, isUnconditional: [Bool]) {
            self.steps = steps
            self.normals = normals
            self.isUnconditional = isUnconditional
        }
    }

    /// One loss covers a whole history, so single targets have no weights.
    public var weighsTargets: Bool { false }

    /// Mean squared error of the predicted rows; it uses no negatives.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let generator = CounterBasedGenerator(seed: batch.noise.seed, purpose: .nullCondition)
        let draws = Draws(
            steps: diffusion.steps(batch.noise),
            normals: diffusion.normals(batch.noise, columns: configuration.dimension),
            isUnconditional: batch.noise.streams.map {
                generator.uniforms(stream: $0, count: 1)[0] < configuration.nullProbability
            }
        )
        return loss(batch, draws: draws, on: tape)
    }

    /// The loss for given draws.
    package func loss(_ batch: TrainingBatch, draws: Draws, on tape: Tape) -> TrainingLoss {
        let target = tape.gather(ItemTable.name, from: parameters, rows: batch.targets)
        let x0 = configuration.detachTarget ? target.stoppingGradient() : target
        let kept = draws.isUnconditional.map { $0 ? Float(0) : 1 }
        let condition = condition(of: batch.histories, on: tape).scalingRows(by: kept)
            .adding(nullRows(kept.count, on: tape).scalingRows(by: kept.map { 1 - $0 }))
        let predicted = clean(
            noised: diffusion.noised(x0, steps: draws.steps, normals: draws.normals)
                .product(tape.parameter(Name.noised, from: parameters)),
            condition: conditionTerm(condition),
            step: stepTerm(draws.steps, on: tape)
        )
        let weight = 1 / Float(batch.stepRows * configuration.dimension)
        let total = Variable.squaredError(predicted, x0, weight: weight)
        return TrainingLoss(total: total, terms: [("reconstruction", total.scalar)])
    }

    /// The generated row after fewer steps.
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        UserVectors(
            rows: diffusion.generate(
                columns: configuration.dimension,
                noise: noise,
                steps: steps,
                predict: guidedDenoiser(histories)
            )
        )
    }

    /// The guided prediction of clean rows from `x_t [B, d]` and `t`; the parts that depend only on histories are
    /// computed once.
    package func guidedDenoiser(_ histories: RaggedRows) -> (Matrix, Int) -> Matrix {
        let fixed = Tape(recording: false)
        let guided = conditionTerm(condition(of: histories, on: fixed)).value
        let unguided = conditionTerm(nullRows(histories.count, on: fixed)).value
        let w = Float(configuration.guidanceWeight)
        return { x, t in
            let tape = Tape(recording: false)
            let noised = tape.constant(x).product(tape.parameter(Name.noised, from: parameters))
            let step = stepTerm([t], on: tape).gatheringRows([Int32](repeating: 0, count: x.rows))
            let answer = clean(noised: noised, condition: tape.constant(guided), step: step)
            guard w > 0 else { return answer.value }
            return answer.scaled(by: 1 + w)
                .adding(clean(noised: noised, condition: tape.constant(unguided), step: step), scale: -w).value
        }
    }

    // MARK: Networks

    /// The encoder's newest state of each history, `[B, d]`.
    private func condition(of histories: RaggedRows, on tape: Tape) -> Variable {
        let shared = SharedPrefixes(histories)
        let newest = shared.firsts.indices.map { Int32(shared.firsts[$0] + histories[$0].count - 1) }
        // The encoder expects rows of length 1; these have length sqrt(d).
        let items = tape.gather(ItemTable.name, from: parameters, rows: shared.sequences.ids)
            .scaled(by: 1 / Float(configuration.dimension).squareRoot())
        return encoder.states(items: items, offsets: shared.sequences.offsets, parameters: parameters, noise: nil)
            .gatheringRows(newest)
    }

    private func nullRows(_ count: Int, on tape: Tape) -> Variable {
        tape.parameter(Name.null, from: parameters).gatheringRows([Int32](repeating: 0, count: count))
    }

    /// A condition's term of the first layer.
    private func conditionTerm(_ condition: Variable) -> Variable {
        condition.product(condition.tape.parameter(Name.condition, from: parameters))
            .addingToEachRow(condition.tape.parameter(Name.bias, from: parameters))
    }

    /// The steps' term of the first layer; as published, steps count from 0.
    private func stepTerm(_ steps: [Int], on tape: Tape) -> Variable {
        stepEmbedding.rows(steps.map { Double($0 - 1) }, on: tape, parameters)
            .product(tape.parameter(Name.step, from: parameters))
    }

    /// `f = x_t W_x + h W_h + tau W_t + b`, or `gelu` of that through an output layer.
    private func clean(noised: Variable, condition: Variable, step: Variable) -> Variable {
        let first = noised.adding(condition).adding(step)
        guard configuration.denoiser == .hidden else { return first }
        return first.activated(.gelu).dense(Name.output, parameters)
    }
}
