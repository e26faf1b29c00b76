public import Autodiff
public import Kernels

/// DiffRec and T-DiffRec (Wang et al., SIGIR 2023; method, section 11, second of the two): a denoiser of rows over
/// all items.
///
/// A user is a row over all items, with a weight at each item of the history and, in training, at the next item. The
/// weight is 1; in T-DiffRec (`oldestWeight` below 1) older items weigh less. Training adds a little noise to the
/// row, drops out half of it, and minimises the squared error of `x_0' = tanh([x_t; phi(t)] W + b) W' + b'` to the
/// clean row. Serving starts from the row without noise and takes T reverse steps without noise; the last prediction
/// holds the user's scores.
///
/// With ``ReconstructionTarget/next`` the noised row lacks the next item, and the network predicts the next item; the
/// rest of the clean row is known. For both targets, reverse steps need no row over all items: the first layer is
/// linear, so the chain runs on that layer's outputs by one matrix `[hidden + 1, hidden]`. Training draws noise for
/// each element, which costs dense products of `[B, V]` with `[V, hidden]`, forward and for gradients. Steps are drawn
/// uniformly: the published importance sampling needs the losses of earlier steps, but draws here depend only on seed
/// and step. The loss does not use the batch's negatives.
public struct DiffRec: ChainRecommender {
    /// Hyper-parameters of the network and of the diffusion.
    public struct Configuration: ModelConfiguration {
        /// Width of the hidden layer, and length of item rows without their bias.
        public var hidden = 300
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// The weight of the oldest of several items; 1 for DiffRec, less for T-DiffRec.
        public var oldestWeight = 1.0
        /// The number of steps and the noise levels.
        public var noise = CleanStartConfiguration()
        /// Dropout probability of the elements of a noised row.
        public var dropout = 0.5
        /// The items whose row the network predicts: from that row's noised form, or the next item's row from the
        /// noised row of the history.
        public var target = ReconstructionTarget.next

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(2...8192, contains: hidden, key: prefix + "hidden")
            try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(0...1, contains: oldestWeight, key: prefix + "oldestWeight")
            try noise.validate(prefix: prefix + "noise.")
            try ConfigurationError.require(0...0.95, contains: dropout, key: prefix + "dropout")
        }
    }

    private static let input = "denoiser.input"
    private static let layer = "denoiser"

    /// `diffrec`.
    public static let system = "diffrec"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet { didSet { chain = nil } }
    private let diffusion: GaussianDiffusion
    private let hiddenLayer: StepAwareLayer
    /// The last layer times the first, `[hidden + 1, hidden]`; only for stored parameters, until they change.
    private var chain: Matrix?

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        diffusion = configuration.noise.diffusion
        hiddenLayer = StepAwareLayer(prefix: Self.layer, width: configuration.hidden)
    }

    /// Weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let hidden = configuration.hidden
        var layout = hiddenLayer.layout
        layout[Self.input] = .xavier(inputs: items, outputs: hidden)
        layout[ItemTable.name] = .itemDecoder(items, dimension: hidden)
        return layout
    }

    /// A model over stored parameters.
    ///
    /// - Throws: ``ParameterError``.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        self.init(configuration, parameters: ParameterSet(matrices))
        try requireLayout()
        chain = chainProduct
    }

    /// The hidden layer at the last reverse step.
    public var readOuts: [ReadOut] { [.served] }

    /// The number of diffusion steps (T).
    public var reverseSteps: Int { configuration.noise.steps }

    /// The loss reads the whole item table.
    public var gathersItems: Bool { false }

    /// The last layer with its biases, `[V, hidden + 1]`.
    public var scoringItems: Matrix { parameters[ItemTable.name] }

    /// The random draws of a batch.
    package struct Draws {
        /// `t` of each row.
        package var steps: [Int]
        /// `eps` of each row, `[B, V]`.
        package var normals: Matrix
        /// The dropout factor of each element of the noised rows, 0 or `1 / (1 - p)`, `[B, V]`.
        package var kept: Matrix

        /// Creates a set of draws.
        package init(steps: [Int], normals: Matrix, kept: Matrix) {
            self.steps = steps
            self.normals = normals
            self.kept = kept
        }
    }

    /// One loss covers a whole history, so single targets have no weights.
    public var weighsTargets: Bool { false }

    /// The squared error of the predicted rows, weighted by step.
    ///
    /// - Complexity: O(B V hidden).
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let items = parameters[ItemTable.name].rows
        let draws = Draws(
            steps: diffusion.steps(batch.noise),
            normals: diffusion.normals(batch.noise, columns: items),
            kept: Dropout(probability: configuration.dropout, noise: batch.noise, layers: 1).mask(0, width: items)
        )
        return loss(batch, draws: draws, on: tape)
    }

    /// The loss for given draws: `sum_b w_t |x_0 - x_0'|^2 / B`.
    package func loss(_ batch: TrainingBatch, draws: Draws, on tape: Tape) -> TrainingLoss {
        let table = tape.parameter(ItemTable.name, from: parameters)
        let clean = dense(configuration.target.inputs(of: batch))
        let noised = diffusion.noised(tape.constant(clean), steps: draws.steps, normals: draws.normals)
            .droppedOut(mask: draws.kept)
        let hidden = hiddenLayer.output(
            noised.product(tape.parameter(Self.input, from: parameters)),
            steps: draws.steps,
            parameters: parameters
        )
        let aims =
            switch configuration.target {
            case .prefixAndNext: clean
            case .next: dense(RaggedRows(batch.targets.map { [$0] }))
            }
        let weights = diffusion.schedule.signalWeights
        let roots = draws.steps.map { Float(weights[$0 - 1].squareRoot()) }
        let error = Variable.squaredError(
            hidden.appendingOne().product(table, transposed: true).scalingRows(by: roots),
            tape.constant(aims.scalingRows(by: roots)),
            weight: 1 / Float(batch.stepRows)
        )
        return TrainingLoss(total: error, terms: [("reconstruction", error.scalar)])
    }

    /// The hidden layer at the last of `steps` reverse steps, with a 1 at the end.
    ///
    /// - Complexity: O(B hidden (items of a history + steps hidden)) for stored parameters; a model in training adds
    ///   O(V hidden^2).
    public func servedVectors(_ histories: RaggedRows, noise: NoiseSource, steps: Int) -> UserVectors {
        let tape = Tape(recording: false)
        let start = InteractionRows(histories, oldestWeight: configuration.oldestWeight)
            .product(Self.input, parameters, on: tape).value
        let chain = chain ?? chainProduct
        func users(_ z: Matrix, _ t: Int) -> Matrix {
            hiddenLayer.output(
                tape.constant(z),
                steps: [Int](repeating: t, count: z.rows),
                parameters: parameters
            ).appendingOne().value
        }
        let last = diffusion.descended(from: start, steps: steps) { z, t in
            var clean = Matrix.product(users(z, t), transposed: false, chain, transposed: false)
            if configuration.target == .next { clean.add(start) }
            return clean
        }
        return UserVectors(rows: users(last.rows, last.t))
    }

    // MARK: Rows

    private func dense(_ sequences: RaggedRows) -> Matrix {
        InteractionRows(sequences, oldestWeight: configuration.oldestWeight)
            .dense(items: parameters[ItemTable.name].rows)
    }

    private var chainProduct: Matrix {
        .product(parameters[ItemTable.name], transposed: true, parameters[Self.input], transposed: false)
    }
}
