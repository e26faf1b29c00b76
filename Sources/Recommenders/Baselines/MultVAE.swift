public import Autodiff
public import Kernels

/// Mult-VAE (Liang et al., WWW 2018; method, section 11): a variational autoencoder of the set of a user's items.
///
/// The encoder reads the set as a vector over all items, of length 1, and gives a normal distribution of the latent
/// vector. The decoder gives the probabilities of all items. The loss makes the set and, in this version, the next
/// item likely. The model ignores order and repeats. Item rows are not normalised; the last column of the item table
/// is the bias. The loss does not use the batch's negatives.
public struct MultVAE: TrainedRecommender {
    /// Hyper-parameters of the networks and of the loss.
    public struct Configuration: ModelConfiguration, DivergenceConfiguration {
        /// Width of the decoder's hidden layer, and length of item rows without their bias.
        public var dimension = 600
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Width of the encoder's hidden layer.
        public var hidden = 600
        /// Length of the latent vector.
        public var latent = 200
        /// Dropout probability of a history's items at the encoder's input.
        public var dropout = 0.5
        /// Final weight of the latent distribution's divergence (beta).
        public var beta = 0.2
        /// Training steps over which that weight rises from 0.
        public var annealingSteps = 200_000
        /// The items whose likelihood is trained.
        public var target = ReconstructionTarget.prefixAndNext

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(2...8192, contains: dimension, key: prefix + "dimension")
            try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
            try ConfigurationError.require(1...8192, contains: latent, key: prefix + "latent")
            try ConfigurationError.require(0...0.95, contains: dropout, key: prefix + "dropout")
            try validateDivergence(prefix: prefix)
        }
    }

    private enum Name {
        static let items = "encoder.items"
        static let bias = "encoder.bias"
        static let mean = "encoder.mean"
        static let logVariance = "encoder.log-variance"
        static let decoder = "decoder"
    }

    /// `mult-vae`.
    public static let system = "mult-vae"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
    }

    /// Weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let (d, hidden, latent) = (configuration.dimension, configuration.hidden, configuration.latent)
        var layout: ParameterLayout = [
            ItemTable.name: .itemDecoder(items, dimension: d),
            Name.items: .xavier(inputs: items, outputs: hidden),
            Name.bias: .constant(rows: 1, columns: hidden),
        ]
        for (name, inputs, outputs) in [
            (Name.mean, hidden, latent), (Name.logVariance, hidden, latent), (Name.decoder, latent, d),
        ] {
            layout.addDense(name, inputs: inputs, outputs: outputs)
        }
        return layout
    }

    /// The decoder's hidden layer at the mean of the latent distribution.
    public var readOuts: [ReadOut] { [.served] }

    /// The loss reads the whole item table.
    public var gathersItems: Bool { false }

    /// The decoder's last layer with its biases, `[V, d + 1]`.
    public var scoringItems: Matrix { parameters[ItemTable.name] }

    /// The random draws of a batch.
    package struct Draws {
        /// `eps` of each row, `[B, latent]`.
        package var normals: Matrix
        /// The dropout factor of each distinct item of each history, 0 or `1 / (1 - p)`, row after row.
        package var kept: [Float]

        /// Creates a set of draws.
        package init(normals: Matrix, kept: [Float]) {
            self.normals = normals
            self.kept = kept
        }
    }

    /// One loss covers a whole history, so single targets have no weights.
    public var weighsTargets: Bool { false }

    /// `-sum_{i in S} log softmax_i + beta_s KL(q(z) || N(0, I))`, with `beta_s = beta min(1, s / S)` at step `s`.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let sets = Self.sets(batch.histories)
        let generator = CounterBasedGenerator(seed: batch.noise.seed, purpose: .forwardNoise)
        let draws = Draws(
            normals: generator.normalRows(streams: batch.noise.streams, columns: configuration.latent),
            kept: Dropout(probability: configuration.dropout, noise: batch.noise, layers: 1)
                .mask(0, width: 1, counts: (0..<sets.count).map { sets[$0].count }).elements
        )
        return loss(batch, draws: draws, on: tape)
    }

    /// The loss for given draws.
    package func loss(_ batch: TrainingBatch, draws: Draws, on tape: Tape) -> TrainingLoss {
        let sets = Self.sets(batch.histories)
        let hidden = hidden(sets, kept: draws.kept, on: tape)
        let posterior = LatentGaussian(
            mean: hidden.dense(Name.mean, parameters),
            logVariance: hidden.dense(Name.logVariance, parameters)
        )
        let weight = 1 / Float(batch.stepRows)
        let likely =
            switch configuration.target {
            case .prefixAndNext:
                (0..<sets.count).map { row in
                    let next = batch.targets[row]
                    return sets[row].contains(next) ? Array(sets[row]) : sets[row] + [next]
                }
            case .next: batch.targets.map { [$0] }
            }
        let likelihood = Variable.multinomial(
            logits: decoded(posterior.sample(draws.normals)).product(
                tape.parameter(ItemTable.name, from: parameters),
                transposed: true
            ),
            columns: RaggedRows(likely),
            weight: weight
        )
        let divergence = posterior.divergence(weight: weight)
        return TrainingLoss(
            total: likelihood.adding(divergence, scale: configuration.divergenceWeight(at: batch.step)),
            terms: [("likelihood", likelihood.scalar), ("divergence", divergence.scalar)]
        )
    }

    /// The decoder's hidden layer of each history, with a 1 at the end.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        let hidden = hidden(Self.sets(histories), kept: nil, on: Tape(recording: false))
        return UserVectors(rows: decoded(hidden.dense(Name.mean, parameters)).value)
    }

    // MARK: Networks

    /// The distinct items of each history, in order of their first occurrence.
    private static func sets(_ histories: RaggedRows) -> RaggedRows {
        RaggedRows(
            (0..<histories.count).map { row in
                var seen: Set<Int32> = []
                return histories[row].filter { seen.insert($0).inserted }
            }
        )
    }

    /// The encoder's hidden layer: `tanh` of a weighted sum of the rows of a set's items.
    private func hidden(_ sets: RaggedRows, kept: [Float]?, on tape: Tape) -> Variable {
        let weights = (0..<sets.count).flatMap { row in
            [Float](repeating: 1 / Float(sets[row].count).squareRoot(), count: sets[row].count)
        }
        return InteractionRows(items: sets, weights: weights).product(Name.items, parameters, kept: kept, on: tape)
            .addingToEachRow(tape.parameter(Name.bias, from: parameters))
            .activated(.tanh)
    }

    private func decoded(_ latent: Variable) -> Variable {
        latent.dense(Name.decoder, parameters, activation: .tanh).appendingOne()
    }
}
