import Autodiff
public import Kernels

/// What a forward pass for one user needs, with everything that does not depend on the user or the noise computed ahead
/// (method, section 7.1).
public struct InferenceWeights: Sendable {
    /// The guidance module.
    public enum Guidance: Sendable {
        /// Additive attention: `W1 [d, a]`, positions with the bias `[N, a]`, heads `[K, a]`.
        case selfAttentive(projection: Matrix, position: Matrix, heads: Matrix)
        /// The newest items themselves.
        case ruleBased
    }
    /// Hyper-parameters.
    public let configuration: DimeRecConfiguration
    /// Unit rows of the input table, `[V, d]`.
    public let items: Matrix
    /// The guidance module.
    public let guidance: Guidance
    /// `vec(G) W_g + b_1`: once a user.
    public let guidanceLayer: DenseLayer
    /// `x_t W_x` with the activation; its bias is given at each call.
    public let noisedLayer: DenseLayer
    /// The second hidden layer, if there is one.
    public let middleLayer: DenseLayer?
    /// `h W_2 + b_2`.
    public let outputLayer: DenseLayer
    /// `W_t tau(t)` of every step, `[T, H]`.
    public let stepTerms: Matrix
    /// The chain of all T reverse steps.
    public let fullChain: [NoiseSchedule.ReverseStep]
    /// Where shorter chains come from.
    public let schedule: NoiseSchedule
    /// Size of the noise that each reverse step adds.
    public let noiseScale: Float
}

extension DimeRec {
    /// The weights in the form in which one user's forward pass reads them.
    public var inferenceWeights: InferenceWeights {
        let tape = Tape(recording: false)
        let guidanceWeights: InferenceWeights.Guidance
        switch configuration.guidance.kind {
        case .selfAttentive:
            typealias Name = GuidanceExtraction.Name
            let projection = parameters[Name.projection]
            var position = Matrix.product(
                guidance.position(on: tape, parameters).value,
                transposed: false,
                projection,
                transposed: false
            )
            position.addToEachRow(parameters[Name.projectionBias])
            guidanceWeights = .selfAttentive(
                projection: projection,
                position: position,
                heads: parameters[Name.heads]
            )
        case .ruleBased:
            guidanceWeights = .ruleBased
        }
        typealias Name = DiffusionAggregation.Name
        let activation = configuration.denoiser.activation
        return InferenceWeights(
            configuration: configuration,
            items: parameters[Self.itemTable].normalisedRows().unit,
            guidance: guidanceWeights,
            guidanceLayer: DenseLayer(weights: parameters[Name.guidance], bias: parameters[Name.bias].elements),
            noisedLayer: DenseLayer(weights: parameters[Name.noised], activation: activation),
            middleLayer: configuration.denoiser.depth == 2
                ? DenseLayer(
                    weights: parameters[Name.middle],
                    bias: parameters[Name.middleBias].elements,
                    activation: activation
                ) : nil,
            outputLayer: DenseLayer(
                weights: parameters[Name.output],
                bias: parameters[Name.outputBias].elements
            ),
            stepTerms: denoiser.stepTerms(on: tape, parameters).value,
            fullChain: noise.schedule.reverseSteps(),
            schedule: noise.schedule,
            noiseScale: reverseNoiseScale
        )
    }
}
