import Kernels
public import Recommenders

/// DimeRec's forward pass: guidance, then the reverse chain, without a tape or an allocation.
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

    /// Length of a user vector.
    public var dimension: Int { weights.configuration.dimension }

    /// T.
    public var maxSteps: Int { weights.configuration.steps }

    /// N.
    public var historyLength: Int { weights.configuration.historyLength }

    /// Buffers of one thread.
    public func makeWorkspace() -> any InferenceWorkspace { Workspace(weights) }

    /// Buffers of one batch; a row is one sample of one user.
    final class Workspace: InferenceWorkspace {
        /// The answers, `[rows, d]`.
        fileprivate(set) var userVectors: [Float] = []
        fileprivate var rows = 0
        fileprivate var steps: [Int] = []
        fileprivate let guidance: any HistoryReader
        /// `[rows, K d]`.
        fileprivate var interests: [Float] = []
        /// `[rows, d]`.
        fileprivate var meanInterests: [Float] = []
        /// `vec(G) W_g + b_1`, `[rows, H]`.
        fileprivate var guidanceTerms: [Float] = []
        /// `[rows, T d]`.
        fileprivate var noise: [Float] = []
        fileprivate var norms: [Float]
        fileprivate var chainScratch: [Float]

        fileprivate init(_ weights: InferenceWeights) {
            guidance = weights.guidance.makeReader()
            norms = [Float](repeating: 0, count: weights.configuration.interests)
            chainScratch = [Float](repeating: 0, count: weights.chain.scratchCount)
        }

        func removeAll() {
            rows = 0
            steps.removeAll(keepingCapacity: true)
        }

        /// Makes room for more rows.
        fileprivate func append(rows count: Int, steps: Int, _ configuration: DimeRecConfiguration) {
            rows += count
            for _ in 0..<count { self.steps.append(steps) }
            guard userVectors.count < rows * configuration.dimension else { return }
            func grow(_ array: inout [Float], to width: Int) {
                array.append(contentsOf: repeatElement(0, count: rows * width - array.count))
            }
            let d = configuration.dimension
            grow(&userVectors, to: d)
            grow(&interests, to: configuration.interests * d)
            grow(&meanInterests, to: d)
            grow(&guidanceTerms, to: configuration.denoiser.hidden)
            grow(&noise, to: configuration.steps * d)
        }
    }

    /// Adds a user; see ``UserEncoder/add(history:seed:steps:samples:to:)``.
    ///
    /// Sample `j` draws from stream `j` of `seed`, as `NoiseSource(seed: seed, streams: [j])` names it.
    public func add(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    ) {
        let workspace = own(workspace)
        precondition(
            !history.isEmpty && history.count <= historyLength,
            "a history of \(history.count) items for 1...\(historyLength)"
        )
        precondition(1...maxSteps ~= steps && samples >= 1, "\(samples) samples in \(steps) steps of 1...\(maxSteps)")
        let first = workspace.rows
        workspace.append(rows: samples, steps: steps, weights.configuration)
        extractInterests(history, row: first, workspace)
        let (width, d) = (weights.configuration.interests * dimension, dimension)
        let generator = CounterBasedGenerator(seed: seed, purpose: .reverseNoise)
        for sample in 0..<samples {
            let row = first + sample
            let start = row * maxSteps * d
            generator.normals(stream: UInt64(sample), into: &workspace.noise, at: start..<start + steps * d)
            guard sample > 0 else { continue }
            for i in 0..<width { workspace.interests[row * width + i] = workspace.interests[first * width + i] }
            for i in 0..<d { workspace.meanInterests[row * d + i] = workspace.meanInterests[first * d + i] }
        }
    }

    /// Interests and their mean.
    private func extractInterests(_ history: ArraySlice<Int32>, row: Int, _ w: Workspace) {
        let configuration = weights.configuration
        let (K, d) = (configuration.interests, configuration.dimension)
        let start = row * K * d
        w.guidance.interests(of: history, into: &w.interests, at: start)
        if configuration.guidance.normaliseRows {
            VectorArithmetic.normalise(&w.interests, in: start..<start + K * d, width: d, norms: &w.norms)
        }
        for i in 0..<d {
            var sum: Float = 0
            for k in 0..<K { sum += w.interests[start + k * d + i] }
            w.meanInterests[row * d + i] = sum / Float(K)
        }
    }

    /// Algorithm 2 for all rows: from noise to the next interest.
    public func generate(in workspace: any InferenceWorkspace) {
        let w = own(workspace)
        weights.guidanceLayer.apply(
            rows: w.rows,
            of: weights.configuration.denoiser.layout == .concatenated ? w.interests : w.meanInterests,
            into: &w.guidanceTerms
        )
        var start = 0
        while start < w.rows {
            let steps = w.steps[start]
            var end = start + 1
            while end < w.rows, w.steps[end] == steps { end += 1 }
            run(weights.reverseSteps(steps), users: start..<end, w)
            start = end
        }
    }

    private func run(_ steps: DenoisingChain.Steps, users: Range<Int>, _ w: Workspace) {
        weights.chain.run(
            steps,
            users: users,
            guidance: w.guidanceTerms,
            residual: w.meanInterests,
            noise: w.noise,
            noiseStride: maxSteps * dimension,
            scratch: &w.chainScratch,
            into: &w.userVectors
        )
    }

    /// One user's interests and path; see ``UserEncoder/trace(history:seed:steps:)``.
    ///
    /// A chain that is cut after `n` steps gives the prediction of step `n`, of which the next vector follows.
    ///
    /// - Complexity: O(steps squared) evaluations of the denoiser.
    public func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        let w = Workspace(weights)
        let d = dimension
        add(history: history, seed: seed, steps: steps, samples: 1, to: w)
        generate(in: w)
        let list = weights.reverseStepList(steps)
        func noise(_ step: Int) -> Matrix {
            Matrix(rows: 1, columns: d, elements: Array(w.noise[step * d..<(step + 1) * d]))
        }
        var path = Matrix(rows: steps + 1, columns: d)
        var x = noise(0).normalisedRows().unit
        for (n, step) in list.enumerated() {
            path.setRow(n, to: x.elements)
            run(DenoisingChain.Steps(Array(list[...n])), users: 0..<1, w)
            guard n < steps - 1 else { break }
            x.scale(by: step.noisy)
            x.add(Matrix(rows: 1, columns: d, elements: Array(w.userVectors.prefix(d))), scale: step.clean)
            x.add(noise(n + 1), scale: step.deviation)
            x = x.normalisedRows().unit
        }
        path.setRow(steps, to: Array(w.userVectors.prefix(d)))
        let count = weights.configuration.interests
        return UserTrace(
            interests: Matrix(rows: count, columns: d, elements: Array(w.interests.prefix(count * d))),
            path: path
        )
    }

    private func own(_ workspace: any InferenceWorkspace) -> Workspace {
        guard let own = workspace as? Workspace else {
            preconditionFailure("a workspace of \(type(of: workspace)) for an InferenceEngine")
        }
        return own
    }
}
