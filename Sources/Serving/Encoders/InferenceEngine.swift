public import Kernels
public import Recommenders

/// DimeRec's forward pass: guidance, then the reverse chain, without a tape or an allocation.
///
/// Its result equals ``DimeRec/generate(histories:noise:steps:)`` with the same noise to about 1e-6. It differs
/// because it adds the first layer's guidance and step terms once instead of at every step (method, section 7.1),
/// and because sums run in other lanes.
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

    /// The recipe's number, or T.
    public var defaultSteps: Int { weights.configuration.servedSteps }

    /// N.
    public var historyLength: Int { weights.configuration.historyLength }

    /// K if the guidance is rule-based, else 0.
    public var guidanceSlots: Int {
        weights.configuration.guidance.kind == .ruleBased ? weights.configuration.interests : 0
    }

    /// The recipe's rules.
    public var defaultSlots: GuidanceSlots { weights.configuration.guidance.slots }

    /// Buffers of one thread.
    public func makeWorkspace() -> any InferenceWorkspace { Workspace(weights) }

    /// Buffers of one batch; a row is one sample of one user.
    final class Workspace: InferenceWorkspace {
        /// The answers, `[rows, d]`.
        fileprivate(set) var userVectors: [Float] = []
        fileprivate var rows = 0
        /// Number of users in the batch, and the user of each row.
        fileprivate var users = 0
        fileprivate var userOfRow: [Int] = []
        fileprivate var steps: [Int] = []
        fileprivate let guidance: any HistoryReader
        /// `[rows, K d]`.
        fileprivate var interests: [Float] = []
        /// `[rows, d]`.
        fileprivate var meanInterests: [Float] = []
        /// Interests or their mean, then recent items, `[users, condition.first.inputs]`.
        fileprivate var condition: [Float] = []
        /// The condition's first layer, `[users, condition.first.outputs]`, or `[rows, H]` without a second layer.
        fileprivate var conditionHidden: [Float] = []
        /// The condition's term of every step, `[rows, H]`; unused without a second layer.
        fileprivate var guidanceTerms: [Float] = []
        /// The condition's own residual, `[rows, d]`; unused when it has none.
        fileprivate var residuals: [Float] = []
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
            users = 0
            userOfRow.removeAll(keepingCapacity: true)
            steps.removeAll(keepingCapacity: true)
        }

        /// Repeats each user's row for the user's samples, in place, backwards because no row lies before its
        /// user's.
        fileprivate func repeatForSamples(_ values: inout [Float], width: Int) {
            guard users < rows else { return }
            for row in (0..<rows).reversed() where userOfRow[row] != row {
                let (from, to) = (userOfRow[row] * width, row * width)
                for i in 0..<width { values[to + i] = values[from + i] }
            }
        }

        /// Makes room for more rows.
        fileprivate func append(rows count: Int, steps: Int, _ weights: InferenceWeights) {
            let configuration = weights.configuration
            rows += count
            for _ in 0..<count {
                self.steps.append(steps)
                userOfRow.append(users)
            }
            users += 1
            guard userVectors.count < rows * configuration.dimension else { return }
            func grow(_ array: inout [Float], to width: Int) {
                array.append(contentsOf: repeatElement(0, count: rows * width - array.count))
            }
            let d = configuration.dimension
            grow(&userVectors, to: d)
            grow(&interests, to: configuration.interests * d)
            grow(&meanInterests, to: d)
            grow(&condition, to: weights.condition.first.inputs)
            grow(&conditionHidden, to: weights.condition.first.outputs)
            grow(&guidanceTerms, to: configuration.denoiser.hidden)
            grow(&residuals, to: d)
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
        add(history: history, slots: [], seed: seed, steps: steps, samples: samples, to: workspace)
    }

    /// Adds a user with given items in the slots of rule-based guidance; see
    /// ``UserEncoder/add(history:slots:seed:steps:samples:to:)``.
    public func add(
        history: ArraySlice<Int32>,
        slots: [Int32],
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    ) {
        let workspace = own(workspace)
        precondition(
            slots.isEmpty || slots.count == guidanceSlots,
            "\(slots.count) slots for \(guidanceSlots)"
        )
        precondition(
            !history.isEmpty && history.count <= historyLength,
            "a history of \(history.count) items for 1...\(historyLength)"
        )
        precondition(1...maxSteps ~= steps && samples >= 1, "\(samples) samples in \(steps) steps of 1...\(maxSteps)")
        let first = workspace.rows
        workspace.append(rows: samples, steps: steps, weights)
        extractInterests(history, slots, row: first, workspace)
        assembleCondition(history, row: first, workspace)
        let d = dimension
        let generator = CounterBasedGenerator(seed: seed, purpose: .reverseNoise)
        for sample in 0..<samples {
            let row = first + sample
            let start = row * maxSteps * d
            generator.normals(stream: UInt64(sample), into: &workspace.noise, at: start..<start + steps * d)
            guard sample > 0 else { continue }
            for i in 0..<d { workspace.meanInterests[row * d + i] = workspace.meanInterests[first * d + i] }
        }
    }

    /// Interests and their mean.
    private func extractInterests(_ history: ArraySlice<Int32>, _ slots: [Int32], row: Int, _ w: Workspace) {
        let configuration = weights.configuration
        let (K, d) = (configuration.interests, configuration.dimension)
        let start = row * K * d
        if slots.isEmpty {
            w.guidance.interests(of: history, into: &w.interests, at: start)
        } else {
            copyRows(of: slots, to: &w.interests, at: start)
        }
        if configuration.guidance.normaliseRows {
            VectorArithmetic.normalise(&w.interests, in: start..<start + K * d, width: d, norms: &w.norms)
        }
        for i in 0..<d {
            var sum: Float = 0
            for k in 0..<K { sum += w.interests[start + k * d + i] }
            w.meanInterests[row * d + i] = sum / Float(K)
        }
    }

    /// The denoiser's condition: the interests or their mean, then the recent items.
    private func assembleCondition(_ history: ArraySlice<Int32>, row: Int, _ w: Workspace) {
        let (K, d) = (weights.configuration.interests, dimension)
        let width = weights.condition.first.inputs
        let start = w.userOfRow[row] * width
        let isConcatenated = weights.configuration.denoiser.layout == .concatenated
        let count = isConcatenated ? K * d : d
        for i in 0..<count {
            w.condition[start + i] = isConcatenated ? w.interests[row * K * d + i] : w.meanInterests[row * d + i]
        }
        let recent = weights.configuration.denoiser.recentItems
        copyNewest(recent, of: history, to: &w.condition, at: start + count)
    }

    /// The item rows of slots; zero rows for empty ones.
    private func copyRows(of slots: [Int32], to rows: inout [Float], at start: Int) {
        let d = dimension
        for (place, item) in slots.enumerated() {
            let to = start + place * d
            for i in 0..<d { rows[to + i] = item < 0 ? 0 : weights.items.elements[Int(item) * d + i] }
        }
    }

    /// The `count` newest item rows, oldest first, zero rows in front of short histories.
    private func copyNewest(_ count: Int, of history: ArraySlice<Int32>, to rows: inout [Float], at start: Int) {
        let d = dimension
        let newest = history.suffix(count)
        let missing = (count - newest.count) * d
        for i in 0..<missing { rows[start + i] = 0 }
        for (place, item) in newest.enumerated() {
            let (from, to) = (Int(item) * d, start + missing + place * d)
            for i in 0..<d { rows[to + i] = weights.items.elements[from + i] }
        }
    }

    /// Algorithm 2 for all rows: from noise to the next interest.
    public func generate(in workspace: any InferenceWorkspace) {
        let w = own(workspace)
        let condition = weights.condition
        condition.first.apply(rows: w.users, of: w.condition, into: &w.conditionHidden)
        condition.second?.apply(rows: w.users, of: w.conditionHidden, into: &w.guidanceTerms)
        condition.residual?.apply(rows: w.users, of: w.conditionHidden, into: &w.residuals)
        if condition.second == nil {
            w.repeatForSamples(&w.conditionHidden, width: condition.first.outputs)
        } else {
            w.repeatForSamples(&w.guidanceTerms, width: weights.configuration.denoiser.hidden)
        }
        if condition.residual != nil { w.repeatForSamples(&w.residuals, width: dimension) }
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
            guidance: weights.condition.second == nil ? w.conditionHidden : w.guidanceTerms,
            residual: weights.condition.residual == nil ? w.meanInterests : w.residuals,
            noise: w.noise,
            noiseStride: maxSteps * dimension,
            scratch: &w.chainScratch,
            into: &w.userVectors
        )
    }

    /// The interests that guide the chains of the batch's first user.
    public func interests(in workspace: any InferenceWorkspace) -> Matrix {
        let (count, d) = (weights.configuration.interests, dimension)
        return Matrix(rows: count, columns: d, elements: Array(own(workspace).interests.prefix(count * d)))
    }

    /// One user's interests and path; see ``UserEncoder/trace(history:seed:steps:)``.
    ///
    /// A chain cut after `n` steps gives the prediction of step `n`; the next vector follows from it.
    ///
    /// - Complexity: O(steps squared) evaluations of the denoiser.
    public func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        trace(history: history, slots: [], seed: seed, steps: steps)
    }

    /// The same with given items in the slots of rule-based guidance.
    public func trace(history: ArraySlice<Int32>, slots: [Int32], seed: UInt64, steps: Int) -> UserTrace {
        let w = Workspace(weights)
        let d = dimension
        add(history: history, slots: slots, seed: seed, steps: steps, samples: 1, to: w)
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
