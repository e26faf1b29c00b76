import Autodiff
public import Kernels

/// A trained DimeRec for the forward pass of one user; terms that do not depend on the user or the noise are
/// precomputed (method, section 7.1).
public struct InferenceWeights: Sendable {
    /// The layers between a condition `[vec(G); R]` and the denoiser.
    public struct Condition: Sendable {
        /// `[vec(G); R] [W_g; W_r] + b_1`, activated when a hidden layer follows.
        public var first: DenseLayer
        /// From the hidden layer to the term that is added at every step; nil without a hidden layer.
        public var second: DenseLayer?
        /// From the hidden layer to the residual; nil for any other residual.
        public var residual: DenseLayer?
    }
    /// Hyper-parameters.
    public let configuration: DimeRecConfiguration
    /// Unit rows of the input table, `[V, d]`.
    public let items: Matrix
    /// The guidance module.
    public let guidance: any InterestExtractor
    /// From the condition (interests, then recent items) to its term at every step; computed once per user.
    public let condition: Condition
    /// The denoiser, with `W_t tau(t)` of every step.
    public let chain: DenoisingChain
    private let fullChain: DenoisingChain.Steps
    private let schedule: NoiseSchedule
    private let noiseScale: Float

    /// The reverse chain of `count` steps, 1 to T; it allocates memory only for fewer than T.
    public func reverseSteps(_ count: Int) -> DenoisingChain.Steps {
        count == configuration.steps ? fullChain : DenoisingChain.Steps(reverseStepList(count))
    }

    /// The steps of `reverseSteps(count)` as a list.
    public func reverseStepList(_ count: Int) -> [DenoisingChain.Step] { Self.steps(count, of: schedule, noiseScale) }

    private static func steps(_ count: Int, of schedule: NoiseSchedule, _ scale: Float) -> [DenoisingChain.Step] {
        schedule.reverseSteps(count).map { step in
            DenoisingChain.Step(
                row: step.t - 1,
                clean: Float(step.clean),
                noisy: Float(step.noisy),
                deviation: Float(step.deviation) * scale
            )
        }
    }

    fileprivate init(
        _ model: DimeRec,
        items: Matrix,
        guidance: any InterestExtractor,
        condition: Condition,
        chain: DenoisingChain
    ) {
        configuration = model.configuration
        self.items = items
        self.guidance = guidance
        self.condition = condition
        self.chain = chain
        schedule = model.noise.schedule
        noiseScale = model.reverseNoiseScale
        fullChain = DenoisingChain.Steps(Self.steps(model.configuration.steps, of: schedule, noiseScale))
    }
}

extension DimeRec {
    /// The weights for serving.
    ///
    /// This call consumes the model. If nothing else holds the item table, the weights take it over without a copy,
    /// because the item table is most of a version's memory.
    ///
    /// - Parameter keyBytes: The memory limit of the items' attention keys; see `HistoryAttention`.
    /// - Returns: Weights laid out for the inference kernels.
    public consuming func inferenceWeights(keyBytes: Int = 256 << 20) -> InferenceWeights {
        var items = parameters.take(ItemTable.name)
        items.normaliseRows()
        typealias Name = DiffusionAggregation.Name
        let denoiser = configuration.denoiser
        let chain = DenoisingChain(
            noised: DenseLayer(weights: parameters[Name.noised], activation: denoiser.activation),
            middle: denoiser.depth == 2
                ? DenseLayer(weights: parameters[Name.middle], bias: parameters[Name.middleBias].elements) : nil,
            output: DenseLayer(weights: parameters[Name.output], bias: parameters[Name.outputBias].elements),
            stepTerms: self.denoiser.stepTerms(on: Tape(recording: false), parameters).value,
            residual: residual,
            normalisesOutput: denoiser.normaliseOutput
        )
        return InferenceWeights(
            self,
            items: items,
            guidance: guidance.module.extractor(items: items, parameters: parameters, keyBytes: keyBytes),
            condition: inferenceCondition,
            chain: chain
        )
    }

    private var residual: DenoisingChain.Residual {
        switch configuration.denoiser.residual {
        case .none: .none
        case .noised: .noised
        case .meanInterest, .condition: .guidance
        }
    }

    private var inferenceCondition: InferenceWeights.Condition {
        typealias Name = DiffusionAggregation.Name
        let denoiser = configuration.denoiser
        var weights = parameters[Name.guidance]
        if denoiser.recentItems > 0 { weights = weights.appendingRows(of: parameters[Name.recent]) }
        let isDeep = denoiser.conditionHidden > 0
        return InferenceWeights.Condition(
            first: DenseLayer(
                weights: weights,
                bias: parameters[Name.bias].elements,
                activation: isDeep ? denoiser.activation : .identity
            ),
            second: isDeep
                ? DenseLayer(weights: parameters[Name.condition], bias: parameters[Name.conditionBias].elements) : nil,
            residual: denoiser.residual == .condition
                ? DenseLayer(weights: parameters[Name.conditionResidual]) : nil
        )
    }
}
