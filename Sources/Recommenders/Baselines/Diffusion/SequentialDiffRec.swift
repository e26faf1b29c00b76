public import Autodiff
public import Kernels

/// The sequential DiffRec (Du and others, 2023; method, section 11, first of the two): a Transformer denoises the last
/// token of a sequence, the next item.
///
/// An item becomes a Gaussian token `z_0 ~ N(e, s_0^2 I)`, and diffusion noises it to `x_t`. The noised token is one
/// more position behind the history's rows, and the network's output there is the predicted row. There are three
/// losses: the squared error to `z_0`, at `t = 1` the squared error to `e` itself, and the cross-entropy of rounding
/// to an item. The code follows the method's description, not the published code. Blocks are pre-norm with distance
/// biases, and the rounding loss is the shared softmax on the prediction.
public struct SequentialDiffRec: ChainRecommender {
    /// Hyper-parameters of the network and of the diffusion.
    public struct Configuration: DiffusionConfiguration {
        /// Length of item rows; even.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Diffusion steps (T).
        public var steps = 32
        /// How noise grows.
        public var schedule = ScheduleConfiguration(kind: .squareRoot)
        /// Deviation of a token around its item's row (`s_0`).
        public var tokenDeviation = 0.01
        /// Blocks.
        public var blocks = 2
        /// Attention heads of each block; they divide the dimension.
        public var heads = 2
        /// Width of the feed-forward layers.
        public var hidden = 256
        /// Dropout on the residual branches during training.
        public var dropout = 0.1
        /// Weight of the rounding loss relative to the squared error.
        public var rounding = 1.0
        /// Inverse temperature of the rounding softmax.
        public var logitScale = 1.0

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateDiffusion(prefix: prefix)
            try ConfigurationError.require(0...10, contains: tokenDeviation, key: prefix + "tokenDeviation")
            try ConfigurationError.require(0...0.9, contains: dropout, key: prefix + "dropout")
            try ConfigurationError.require(0...1000, contains: rounding, key: prefix + "rounding")
            try ConfigurationError.require(0.001...1000, contains: logitScale, key: prefix + "logitScale")
        }
    }

    /// `diffrec-sequential`.
    public static let system = "diffrec-sequential"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let stepEmbedding: StepEmbedding
    private let diffusion: GaussianDiffusion
    private let transformer: TransformerStack

    private static let outputNorm = "output.norm"
    private static let output = "output"

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        let d = configuration.dimension
        stepEmbedding = StepEmbedding(prefix: "step", width: d, hidden: 4 * d, activation: .silu)
        diffusion = configuration.diffusion
        transformer = TransformerStack(configuration, longest: configuration.historyLength + 1, sight: .all)
    }

    /// Item rows of length about 1, weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let d = configuration.dimension
        var layout = stepEmbedding.layout
        layout.add(transformer.layout)
        layout.addNorm(Self.outputNorm, width: d)
        layout.addDense(Self.output, inputs: d, outputs: d)
        layout[ItemTable.name] = .unitRows(items, dimension: d)
        return layout
    }

    /// The place of the token reads item 0.
    public var gathersItems: Bool { false }

    /// The item rows as they are, `[V, d]`.
    public var scoringItems: Matrix { parameters[ItemTable.name] }

    /// The random draws of a batch, without dropout.
    package struct Draws {
        /// `t` of each row.
        package var steps: [Int]
        /// `eps` of each row, `[B, d]`.
        package var normals: Matrix
        /// The normals of each token around its item's row, `[B, d]`.
        package var token: Matrix

        /// Creates a set of draws.
        package init(steps: [Int], normals: Matrix, token: Matrix) {
            self.steps = steps
            self.normals = normals
            self.token = token
        }
    }

    /// One loss covers a whole history, so single targets have no weights.
    public var weighsTargets: Bool { false }

    /// Squared error and rounding loss of the predicted rows.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let d = configuration.dimension
        let draws = Draws(
            steps: diffusion.steps(batch.noise),
            normals: diffusion.normals(batch.noise, columns: d),
            token: CounterBasedGenerator(seed: batch.noise.seed, purpose: .mixing)
                .normalRows(streams: batch.noise.streams, columns: d)
        )
        return loss(batch, draws: draws, on: tape)
    }

    /// The loss for given draws.
    package func loss(_ batch: TrainingBatch, draws: Draws, on tape: Tape) -> TrainingLoss {
        let negatives = NegativeRows(
            batch.negatives,
            precision: batch.precision,
            table: ItemTable.name,
            geometry: .euclidean,
            parameters: parameters,
            tape: tape
        )
        let row = tape.gather(ItemTable.name, from: parameters, rows: batch.targets)
        let (s0, weight) = (Float(configuration.tokenDeviation), 1 / Float(batch.stepRows))
        let token = row.adding(tape.constant(draws.token), scale: s0)
        // At t = 1 the item's own row is the target.
        let offsets = draws.token.scalingRows(by: draws.steps.map { $0 == 1 ? 0 : s0 })
        let predicted = clean(
            noised: diffusion.noised(token, steps: draws.steps, normals: draws.normals),
            steps: draws.steps,
            histories: batch.histories,
            dropout: batch.noise
        )
        let reconstruction = Variable.squaredError(
            predicted,
            row.adding(tape.constant(offsets)),
            weight: weight / Float(configuration.dimension)
        )
        let rounding = negatives.softmaxLoss(
            of: predicted,
            positives: row,
            scale: .fixed(Float(configuration.logitScale)),
            weight: weight
        )
        return TrainingLoss(
            total: reconstruction.adding(rounding, scale: Float(configuration.rounding)),
            terms: [("reconstruction", reconstruction.scalar), ("rounding", rounding.scalar)]
        )
    }

    /// The generated row after fewer steps.
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        let rows = diffusion.generate(columns: configuration.dimension, noise: noise, steps: steps) { x, t in
            clean(
                noised: Tape(recording: false).constant(x),
                steps: [Int](repeating: t, count: x.rows),
                histories: histories,
                dropout: nil
            ).value
        }
        return UserVectors(rows: rows)
    }

    // MARK: Network

    /// The predicted rows, `[B, d]`.
    ///
    /// - Parameters:
    ///   - noised: `x_t`, `[B, d]`.
    ///   - steps: `t` of each row.
    ///   - histories: The histories before the tokens.
    ///   - dropout: Streams of the masks; nil when not training.
    /// - Returns: The output at the last position of each sequence.
    private func clean(noised: Variable, steps: [Int], histories: RaggedRows, dropout: NoiseSource?) -> Variable {
        let tape = noised.tape
        let sequences = TokenSequences(histories)
        let positions = steps.map { Double($0 - 1) * 1000 / Double(configuration.steps) }
        let token = noised.adding(stepEmbedding.rows(positions, on: tape, parameters))
        let input = tape.gather(ItemTable.name, from: parameters, rows: sequences.items)
            .scalingRows(by: sequences.isToken.map { $0 ? 0 : 1 })
            .adding(token.gatheringRows(sequences.owners).scalingRows(by: sequences.isToken.map { $0 ? 1 : 0 }))
        return transformer.output(
            input,
            offsets: sequences.offsets,
            kept: sequences.tokens,
            masks: dropout.map {
                TransformerStack.Masks(
                    dropout: Dropout(probability: configuration.dropout, noise: $0, layers: 64),
                    first: 0,
                    counts: sequences.counts,
                    keptCounts: nil
                )
            },
            parameters: parameters
        )
        .layerNormalised(Self.outputNorm, parameters)
        .dense(Self.output, parameters)
    }
}

/// Histories with one more position, the token, behind each.
private struct TokenSequences {
    /// Where each sequence starts, and the end of the last.
    var offsets = [0]
    /// The item of each position; for a token, any item.
    var items: [Int32] = []
    /// The history of each position.
    var owners: [Int32] = []
    /// Whether a position is a token.
    var isToken: [Bool] = []
    /// The positions of the tokens.
    var tokens: [Int32] = []

    /// Positions of each sequence.
    var counts: [Int] { zip(offsets, offsets.dropFirst()).map { $1 - $0 } }

    init(_ histories: RaggedRows) {
        for row in 0..<histories.count {
            let history = histories[row]
            items += history
            items.append(0)
            owners += [Int32](repeating: Int32(row), count: history.count + 1)
            isToken += [Bool](repeating: false, count: history.count)
            isToken.append(true)
            tokens.append(Int32(items.count - 1))
            offsets.append(items.count)
        }
    }
}
