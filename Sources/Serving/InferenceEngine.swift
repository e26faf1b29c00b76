import Kernels
public import Recommenders

/// DimeRec's forward pass for one user at a time: guidance, then the reverse chain, without a tape or an allocation.
///
/// It computes what ``DimeRec/generate(histories:noise:steps:)`` computes, from the same noise, to about 1e-6: the first
/// layer's guidance and step terms are added once instead of at every step (method, section 7.1), and sums run in other
/// lanes.
public struct InferenceEngine: UserEncoder {
    private let weights: InferenceWeights

    /// An engine over hoisted weights.
    public init(_ weights: InferenceWeights) {
        self.weights = weights
    }

    /// Length of the user vector.
    public var dimension: Int { weights.configuration.dimension }

    /// T.
    public var maxSteps: Int { weights.configuration.steps }

    /// N.
    public var historyLength: Int { weights.configuration.historyLength }

    /// Buffers of one loop.
    public func makeWorkspace() -> any InferenceWorkspace { Workspace(weights.configuration) }

    /// Buffers of one forward pass.
    final class Workspace: InferenceWorkspace {
        /// The answer.
        fileprivate(set) var userVector: [Float]
        fileprivate var attention = AdditiveAttention.Scratch()
        fileprivate var interests: [Float]
        fileprivate var norms: [Float]
        fileprivate var meanInterest: [Float]
        fileprivate var guidanceTerm: [Float]
        fileprivate var offset: [Float]
        fileprivate var hidden: [Float]
        fileprivate var middle: [Float]
        fileprivate var predicted: [Float]
        fileprivate var noise: [Float]

        fileprivate init(_ configuration: DimeRecConfiguration) {
            func zeros(_ count: Int) -> [Float] { [Float](repeating: 0, count: count) }
            let (d, H) = (configuration.dimension, configuration.denoiser.hidden)
            userVector = zeros(d)
            interests = zeros(configuration.interests * d)
            norms = zeros(max(1, configuration.interests))
            meanInterest = zeros(d)
            guidanceTerm = zeros(H)
            offset = zeros(H)
            hidden = zeros(H)
            middle = zeros(H)
            predicted = zeros(d)
            noise = zeros(configuration.steps * d)
        }
    }

    /// Computes the user vector; see ``UserEncoder/encode(history:seed:steps:in:)``.
    ///
    /// Noise is stream 0 of `seed`, as `NoiseSource(seed: seed, streams: [0])` names it.
    public func encode(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        in workspace: any InferenceWorkspace
    ) -> EncodeTimes {
        guard let workspace = workspace as? Workspace else {
            preconditionFailure("a workspace of \(type(of: workspace)) for an InferenceEngine")
        }
        precondition(
            !history.isEmpty && history.count <= historyLength,
            "a history of \(history.count) items for 1...\(historyLength)"
        )
        let start = ContinuousClock.now
        extractInterests(history, workspace)
        let guided = ContinuousClock.now
        generate(seed: seed, steps: steps, workspace)
        let end = ContinuousClock.now
        return EncodeTimes(guidance: nanoseconds(guided - start), diffusion: nanoseconds(end - guided))
    }

    /// Interests, their mean and the guidance's part of the first layer.
    private func extractInterests(_ history: ArraySlice<Int32>, _ w: Workspace) {
        let configuration = weights.configuration
        let (K, d) = (configuration.interests, configuration.dimension)
        switch weights.guidance {
        case .selfAttentive(let projection, let position, let heads):
            AdditiveAttention.interests(
                items: weights.items,
                ids: history,
                projection: projection,
                position: position,
                heads: heads,
                firstPosition: configuration.guidance.padding == .right ? 0 : historyLength - history.count,
                scratch: &w.attention,
                into: &w.interests
            )
        case .ruleBased:
            let newest = history.suffix(K)
            for i in 0..<(K - newest.count) * d { w.interests[i] = 0 }
            for (place, item) in newest.enumerated() {
                let (from, to) = (Int(item) * d, (K - newest.count + place) * d)
                for i in 0..<d { w.interests[to + i] = weights.items.elements[from + i] }
            }
        }
        if configuration.guidance.normaliseRows {
            VectorArithmetic.normalise(&w.interests, width: d, norms: &w.norms)
        }
        for i in 0..<d {
            var sum: Float = 0
            for k in 0..<K { sum += w.interests[k * d + i] }
            w.meanInterest[i] = sum / Float(K)
        }
        weights.guidanceLayer.apply(
            to: configuration.denoiser.layout == .concatenated ? w.interests : w.meanInterest,
            into: &w.guidanceTerm
        )
    }

    /// Algorithm 2: from noise to the next interest.
    private func generate(seed: UInt64, steps: Int, _ w: Workspace) {
        precondition(steps >= 1 && steps <= maxSteps, "\(steps) reverse steps of 1...\(maxSteps)")
        let d = dimension
        CounterBasedGenerator(seed: seed, purpose: .reverseNoise).normals(stream: 0, into: &w.noise, count: steps * d)
        for i in 0..<d { w.userVector[i] = w.noise[i] }
        VectorArithmetic.normalise(&w.userVector, width: d, norms: &w.norms)
        let chain = steps == maxSteps ? weights.fullChain : weights.schedule.reverseSteps(steps)
        for (index, step) in chain.enumerated() {
            predictClean(step.t, w)
            guard index < steps - 1 else { break }
            VectorArithmetic.posteriorStep(
                &w.userVector,
                predicted: w.predicted,
                noise: w.noise,
                from: (index + 1) * d,
                clean: Float(step.clean),
                noisy: Float(step.noisy),
                deviation: Float(step.deviation) * weights.noiseScale
            )
        }
        swap(&w.userVector, &w.predicted)
    }

    /// The denoiser: `w.predicted` from `w.userVector` at step `t`.
    private func predictClean(_ t: Int, _ w: Workspace) {
        let denoiser = weights.configuration.denoiser
        VectorArithmetic.add(w.guidanceTerm, row: t - 1, of: weights.stepTerms, into: &w.offset)
        weights.noisedLayer.apply(to: w.userVector, offset: w.offset, into: &w.hidden)
        if let middle = weights.middleLayer {
            middle.apply(to: w.hidden, into: &w.middle)
            swap(&w.hidden, &w.middle)
        }
        weights.outputLayer.apply(to: w.hidden, into: &w.predicted)
        switch denoiser.residual {
        case .none: break
        case .noised: VectorArithmetic.add(w.userVector, to: &w.predicted)
        case .meanInterest: VectorArithmetic.add(w.meanInterest, to: &w.predicted)
        }
        if denoiser.normaliseOutput {
            VectorArithmetic.normalise(&w.predicted, width: dimension, norms: &w.norms)
        }
    }
}

private func nanoseconds(_ duration: Duration) -> UInt64 {
    UInt64(duration.components.seconds) * 1_000_000_000 + UInt64(duration.components.attoseconds / 1_000_000_000)
}
