public import Autodiff
import Foundation
public import Kernels

/// L-DiffRec (Wang et al., SIGIR 2023; method, section 11): DiffRec in the latent space of a variational autoencoder
/// of all items, the published system with one cluster of items.
///
/// A linear encoder reads a user's row over all items and gives a normal distribution of the latent row `z`. The
/// row's weights may fall with age (`oldestWeight` below 1). A denoiser `z' = tanh([z_t; phi(t)] W + b) W' + b'`
/// predicts `z` from its noised form, and a linear decoder of `z'` gives the probabilities of items.
///
/// The loss is `L = lambda w_t mean (z - z')^2 + sum_{i in S} -log softmax_i + beta_s KL(q(z) || N(0, I))`, and
/// `beta_s` rises with the training step. Serving starts from the mean of `z` and takes T reverse steps without
/// noise, so `z'` must stay near `z`. With a small `lambda` only the likelihood shapes `z'`; the chain uses `z'` as
/// `z` again and drifts away. As in ``DiffRec``, steps are drawn uniformly, `w_t` has mean 1, and the loss does not
/// use the batch's negatives.
///
/// The defaults differ from the published values. The published `lambda` falls from .03 to .005 with `w_t` of mean
/// 2.5e4, which is 750 to 125 here. The published `beta` is .3, with the likelihood of all items of a user. With the
/// likelihood of one next item, that `beta` leaves the latent row empty. The published initial latent deviation of 1
/// has the same effect with rows of a few items.
public struct LatentDiffRec: ChainRecommender {
    /// Hyper-parameters of the networks and of the loss.
    public struct Configuration: ModelConfiguration, DivergenceConfiguration {
        /// Length of the latent row, and of item rows without their bias.
        public var dimension = 300
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// The weight of the oldest of several items; 1 gives all items the same weight.
        public var oldestWeight = 1.0
        /// Width of the denoiser's hidden layer.
        public var hidden = 300
        /// The number of steps and the noise levels.
        public var noise = CleanStartConfiguration(steps: 5, firstVariance: 1e-5, lastVariance: 2e-3)
        /// Dropout probability of a row's items at the encoder's input.
        public var itemDropout = 0.1
        /// Dropout probability of the elements of a noised latent row.
        public var dropout = 0.1
        /// Weight of the denoiser's squared error (lambda).
        public var lambda = 10.0
        /// Final weight of the latent distribution's divergence (beta).
        public var beta = 0.003
        /// Training steps over which that weight rises from 0.
        public var annealingSteps = 200
        /// Initial deviation of the latent distribution of a row without items.
        public var initialDeviation = 0.08
        /// The items whose likelihood is trained, and the items that the encoder reads.
        public var target = ReconstructionTarget.next

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(2...8192, contains: dimension, key: prefix + "dimension")
            try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(0...1, contains: oldestWeight, key: prefix + "oldestWeight")
            try ConfigurationError.require(2...8192, contains: hidden, key: prefix + "hidden")
            try noise.validate(prefix: prefix + "noise.")
            try ConfigurationError.require(0...0.95, contains: itemDropout, key: prefix + "itemDropout")
            try ConfigurationError.require(0...0.95, contains: dropout, key: prefix + "dropout")
            try ConfigurationError.require(0...1000, contains: lambda, key: prefix + "lambda")
            try validateDivergence(prefix: prefix)
            try ConfigurationError.require(1e-6...1, contains: initialDeviation, key: prefix + "initialDeviation")
        }
    }

    private enum Name {
        static let mean = "encoder.mean"
        static let logVariance = "encoder.log-variance"
        static let input = "denoiser.input"
        static let output = "denoiser.output"
        static func bias(of layer: String) -> String { layer + ".bias" }
    }

    /// `l-diffrec`.
    public static let system = "l-diffrec"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let diffusion: GaussianDiffusion
    private let hiddenLayer: StepAwareLayer

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        diffusion = configuration.noise.diffusion
        hiddenLayer = StepAwareLayer(prefix: "denoiser", width: configuration.hidden)
    }

    /// Weights Xavier-uniform, biases zero except for the bias of the latent deviation.
    public func layout(items: Int) -> ParameterLayout {
        let (d, hidden) = (configuration.dimension, configuration.hidden)
        var layout = hiddenLayer.layout
        for (name, inputs, outputs) in [
            (Name.mean, items, d), (Name.logVariance, items, d), (Name.input, d, hidden), (Name.output, hidden, d),
        ] {
            layout[name] = .xavier(inputs: inputs, outputs: outputs)
        }
        for (name, value) in [
            (Name.mean, 0), (Name.logVariance, 2 * Float(log(configuration.initialDeviation))), (Name.output, 0),
        ] {
            layout[Name.bias(of: name)] = .constant(value, rows: 1, columns: d)
        }
        layout[ItemTable.name] = .itemDecoder(items, dimension: d)
        return layout
    }

    /// The denoised latent row.
    public var readOuts: [ReadOut] { [.served] }

    /// The number of diffusion steps (T).
    public var reverseSteps: Int { configuration.noise.steps }

    /// The loss reads the whole item table.
    public var gathersItems: Bool { false }

    /// The decoder with its biases, `[V, d + 1]`.
    public var scoringItems: Matrix { parameters[ItemTable.name] }

    /// The random draws of a batch.
    package struct Draws {
        /// `t` of each row.
        package var steps: [Int]
        /// Normal random numbers: first for the latent rows, then for their noise, `[B, 2 d]`.
        package var normals: Matrix
        /// The dropout factor of each distinct item that the encoder reads, 0 or `1 / (1 - p)`, row after row.
        package var keptItems: [Float]
        /// The dropout factor of each element of the noised latent rows, `[B, d]`.
        package var kept: Matrix

        /// Creates a set of draws.
        package init(steps: [Int], normals: Matrix, keptItems: [Float], kept: Matrix) {
            self.steps = steps
            self.normals = normals
            self.keptItems = keptItems
            self.kept = kept
        }
    }

    /// One loss covers a whole history, so single targets have no weights.
    public var weighsTargets: Bool { false }

    /// The denoiser's error, the likelihood and the divergence.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let d = configuration.dimension
        let items = rows(batch).items
        func mask(_ layer: Int, _ probability: Double, width: Int, counts: [Int]? = nil) -> Matrix {
            Dropout(probability: probability, noise: batch.noise, layers: 2).mask(layer, width: width, counts: counts)
        }
        let draws = Draws(
            steps: diffusion.steps(batch.noise),
            normals: diffusion.normals(batch.noise, columns: 2 * d),
            keptItems: mask(
                0,
                configuration.itemDropout,
                width: 1,
                counts: (0..<items.count).map { items[$0].count }
            ).elements,
            kept: mask(1, configuration.dropout, width: d)
        )
        return loss(batch, draws: draws, on: tape)
    }

    /// The loss for given draws.
    package func loss(_ batch: TrainingBatch, draws: Draws, on tape: Tape) -> TrainingLoss {
        let (d, weight) = (configuration.dimension, 1 / Float(batch.stepRows))
        let rows = rows(batch)
        let posterior = LatentGaussian(
            mean: encoded(Name.mean, rows, kept: draws.keptItems, on: tape),
            logVariance: encoded(Name.logVariance, rows, kept: draws.keptItems, on: tape)
        )
        let latent = posterior.sample(draws.normals.columns(0..<d))
        let noised = diffusion.noised(latent, steps: draws.steps, normals: draws.normals.columns(d..<2 * d))
        let denoised = denoised(noised.droppedOut(mask: draws.kept), steps: draws.steps)
        let weights = diffusion.schedule.signalWeights
        let roots = draws.steps.map { Float(weights[$0 - 1].squareRoot()) }
        let error = Variable.squaredError(
            denoised.scalingRows(by: roots),
            latent.scalingRows(by: roots),
            weight: weight / Float(d)
        )
        let table = tape.parameter(ItemTable.name, from: parameters)
        let likelihood = Variable.multinomial(
            logits: denoised.appendingOne().product(table, transposed: true),
            columns: configuration.target == .next ? RaggedRows(batch.targets.map { [$0] }) : rows.items,
            weight: weight
        )
        let divergence = posterior.divergence(weight: weight)
        return TrainingLoss(
            total: likelihood.adding(error, scale: Float(configuration.lambda))
                .adding(divergence, scale: configuration.divergenceWeight(at: batch.step)),
            terms: [
                ("likelihood", likelihood.scalar), ("denoising", error.scalar), ("divergence", divergence.scalar),
            ]
        )
    }

    /// The latent rows after fewer reverse steps, with a 1 at the end.
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        let tape = Tape(recording: false)
        let rows = InteractionRows(histories, oldestWeight: configuration.oldestWeight)
        func answer(_ z: Matrix, _ t: Int) -> Variable {
            denoised(tape.constant(z), steps: [Int](repeating: t, count: z.rows))
        }
        let start = encoded(Name.mean, rows, kept: nil, on: tape).value
        let last = diffusion.descended(from: start, steps: steps) { answer($0, $1).value }
        return UserVectors(rows: answer(last.rows, last.t).appendingOne().value)
    }

    // MARK: Networks

    /// The rows that the encoder reads in training.
    private func rows(_ batch: TrainingBatch) -> InteractionRows {
        InteractionRows(configuration.target.inputs(of: batch), oldestWeight: configuration.oldestWeight)
    }

    private func encoded(_ name: String, _ rows: InteractionRows, kept: [Float]?, on tape: Tape) -> Variable {
        rows.product(name, parameters, kept: kept, on: tape)
            .addingToEachRow(tape.parameter(Name.bias(of: name), from: parameters))
    }

    private func denoised(_ z: Variable, steps: [Int]) -> Variable {
        let tape = z.tape
        let input = z.product(tape.parameter(Name.input, from: parameters))
        return hiddenLayer.output(input, steps: steps, parameters: parameters)
            .dense(Name.output, parameters)
    }
}
