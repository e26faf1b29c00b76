public import Autodiff
public import Kernels

/// DiffuRec (Li et al., TOIS 2024; method, section 11): a Transformer over a history into which the noised target is
/// mixed.
///
/// With `z = LN(dropout(e))`, the network's input is `z + l o (x_t + tau(t))`. Each element has its own `l`, drawn
/// anew at every step, also in generation. The output at the newest position is the predicted clean row, and the loss
/// is a softmax against the negatives. Generation takes T reverse steps from pure noise. Differences to the published
/// system: projections of queries, keys and values have no bias; attention weights have no dropout; the step
/// embedding uses DreamRec's frequencies.
public struct DiffuRec: ChainRecommender {
    /// Hyper-parameters of the network and of the diffusion.
    public struct Configuration: DiffusionConfiguration {
        /// Length of item rows; even.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Diffusion steps (T).
        public var steps = 32
        /// How noise grows.
        public var schedule = ScheduleConfiguration(kind: .truncatedLinear)
        /// The variance of the reverse steps' noise.
        public var reverseVariance = NoiseSchedule.ReverseVariance.forward
        /// Mean and deviation of `l`.
        public var mixing = 0.001
        /// Blocks.
        public var blocks = 4
        /// Attention heads of each block; they divide the dimension.
        public var heads = 4
        /// Width of the feed-forward layers.
        public var hidden = 256
        /// Whether attention uses distances; as published, a history is a set with a newest item.
        public var distances = false
        /// Dropout on item rows during training.
        public var itemDropout = 0.3
        /// Dropout on the residual branches and on the last block's output, during training.
        public var dropout = 0.1
        /// The geometry of item rows and predictions: not normalised, as published, or on the unit sphere.
        public var geometry = Geometry.euclidean
        /// Inverse temperature of the softmax.
        public var logitScale = 1.0

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateDiffusion(prefix: prefix)
            try ConfigurationError.require(0...10, contains: mixing, key: prefix + "mixing")
            try ConfigurationError.require(0...0.9, contains: itemDropout, key: prefix + "itemDropout")
            try ConfigurationError.require(0...0.9, contains: dropout, key: prefix + "dropout")
            try ConfigurationError.require(0.01...1000, contains: logitScale, key: prefix + "logitScale")
        }
    }

    /// `diffurec`.
    public static let system = "diffurec"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let stepEmbedding: StepEmbedding
    private let diffusion: GaussianDiffusion
    private let transformer: TransformerStack

    private static let itemNorm = "items.norm"
    private static let outputNorm = "output.norm"

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        let d = configuration.dimension
        stepEmbedding = StepEmbedding(prefix: "step", width: d, hidden: 4 * d, activation: .silu)
        diffusion = configuration.diffusion
        transformer = TransformerStack(
            configuration,
            longest: configuration.historyLength,
            sight: configuration.distances ? .all : .unordered
        )
    }

    /// Item rows of length about 1, weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let d = configuration.dimension
        var layout = stepEmbedding.layout
        layout.add(transformer.layout)
        for norm in [Self.itemNorm, Self.outputNorm] {
            layout.addNorm(norm, width: d)
        }
        layout[ItemTable.name] = .unitRows(items, dimension: d)
        return layout
    }

    /// The item rows, `[V, d]`; unit rows on the sphere.
    public var scoringItems: Matrix { configuration.geometry.placed(parameters[ItemTable.name]) }

    /// The random draws of a batch, without dropout.
    package struct Draws {
        /// `t` of each row.
        package var steps: [Int]
        /// `eps` of each row, `[B, d]`.
        package var normals: Matrix
        /// `l` of each position, `[P, d]`.
        package var mixing: Matrix

        /// Creates a set of draws.
        package init(steps: [Int], normals: Matrix, mixing: Matrix) {
            self.steps = steps
            self.normals = normals
            self.mixing = mixing
        }
    }

    /// Softmax cross-entropy of the target against the negatives.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let draws = Draws(
            steps: diffusion.steps(batch.noise),
            normals: diffusion.normals(batch.noise, columns: configuration.dimension),
            mixing: mixing(batch.histories, batch.noise)
        )
        return loss(batch, draws: draws, on: tape)
    }

    /// The loss for given draws.
    package func loss(_ batch: TrainingBatch, draws: Draws, on tape: Tape) -> TrainingLoss {
        let negatives = NegativeRows(
            batch.negatives,
            precision: batch.precision,
            table: ItemTable.name,
            geometry: configuration.geometry,
            parameters: parameters,
            tape: tape
        )
        let x0 = configuration.geometry.placed(
            tape.gather(ItemTable.name, from: parameters, rows: batch.targets)
        )
        let predicted = clean(
            noised: diffusion.noised(x0, steps: draws.steps, normals: draws.normals),
            steps: draws.steps,
            items: itemStates(batch.histories, dropout: batch.noise, on: tape),
            histories: batch.histories,
            mixing: draws.mixing,
            dropout: batch.noise
        )
        let total = negatives.softmaxLoss(
            of: predicted,
            positives: x0,
            scale: .fixed(Float(configuration.logitScale)),
            weight: 1 / Float(batch.stepRows),
            rowWeights: batch.rowWeights
        )
        return TrainingLoss(total: total, terms: [("softmax", total.scalar)])
    }

    /// The generated row after fewer steps.
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        let items = itemStates(histories, dropout: nil, on: Tape(recording: false)).value
        let rows = diffusion.generate(columns: configuration.dimension, noise: noise, steps: steps) { x, t in
            let tape = Tape(recording: false)
            return clean(
                noised: tape.constant(x),
                steps: [Int](repeating: t, count: x.rows),
                items: tape.constant(items),
                histories: histories,
                mixing: mixing(histories, noise.stage(t)),
                dropout: nil
            ).value
        }
        return UserVectors(rows: rows)
    }

    // MARK: Network

    /// `l` of every position, normal with equal mean and deviation, `[P, d]`.
    private func mixing(_ histories: RaggedRows, _ noise: NoiseSource) -> Matrix {
        let generator = CounterBasedGenerator(seed: noise.seed, purpose: .mixing)
        let (size, d) = (Float(configuration.mixing), configuration.dimension)
        var elements = [Float](repeating: 0, count: histories.ids.count * d)
        for (row, stream) in noise.streams.enumerated() {
            let places = histories.offsets[row] * d..<histories.offsets[row + 1] * d
            generator.normals(stream: stream, into: &elements, at: places)
        }
        return Matrix(rows: histories.ids.count, columns: d, elements: elements.map { size + size * $0 })
    }

    /// The masks of a probability; layer 0 is the item rows, 1 the output, then come two for each block.
    private func dropout(_ probability: Double, _ noise: NoiseSource?) -> Dropout? {
        probability > 0 ? noise.map { Dropout(probability: probability, noise: $0, layers: 64) } : nil
    }

    /// `z` of every position, `[P, d]`.
    private func itemStates(_ histories: RaggedRows, dropout: NoiseSource?, on tape: Tape) -> Variable {
        var rows = configuration.geometry.placed(
            tape.gather(ItemTable.name, from: parameters, rows: histories.ids)
        )
        if let masks = self.dropout(configuration.itemDropout, dropout) {
            let counts = (0..<histories.count).map { histories[$0].count }
            rows = rows.droppedOut(mask: masks.mask(0, width: configuration.dimension, counts: counts))
        }
        return rows.layerNormalised(Self.itemNorm, parameters)
    }

    /// The predicted clean rows, `[B, d]`.
    ///
    /// - Parameters:
    ///   - noised: `x_t`, `[B, d]`.
    ///   - steps: `t` of each row.
    ///   - items: `z`, `[P, d]`.
    ///   - histories: The histories of those positions.
    ///   - mixing: `l`, `[P, d]`.
    ///   - dropout: Streams of the masks; nil when not training.
    /// - Returns: The newest output of each history.
    private func clean(
        noised: Variable,
        steps: [Int],
        items: Variable,
        histories: RaggedRows,
        mixing: Matrix,
        dropout: NoiseSource?
    ) -> Variable {
        let tape = noised.tape
        let counts = (0..<histories.count).map { histories[$0].count }
        let owners = counts.enumerated().flatMap { [Int32](repeating: Int32($0.offset), count: $0.element) }
        let newest = histories.offsets.dropFirst().map { Int32($0 - 1) }
        // The published code spreads t over 0..<1000 for any T.
        let positions = steps.map { Double($0 - 1) * 1000 / Double(configuration.steps) }
        let guess = noised.adding(stepEmbedding.rows(positions, on: tape, parameters))
        let masks = self.dropout(configuration.dropout, dropout)
        var x = transformer.output(
            items.adding(guess.gatheringRows(owners).multiplied(by: tape.constant(mixing))),
            offsets: histories.offsets,
            kept: newest,
            masks: masks.map { TransformerStack.Masks(dropout: $0, first: 2, counts: counts, keptCounts: nil) },
            parameters: parameters
        )
        if let masks { x = x.droppedOut(mask: masks.mask(1, width: configuration.dimension)) }
        return configuration.geometry.placed(x.layerNormalised(Self.outputNorm, parameters))
    }
}
