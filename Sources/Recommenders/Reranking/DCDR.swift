public import Autodiff
public import Kernels

/// Re-ranking by discrete conditional diffusion (DCDR, Lin et al., 2023, arXiv 2308.06982; method, section 11): a
/// network learns to undo swaps of neighbours in good lists, and undoes them in a retriever's list.
///
/// This is a minimal version. Noise is at most T swaps of neighbouring items (`SwapDiffusion`). The denoiser reads
/// the candidates' rows in the noised order, the step, and for each place of the good list whether its item gets a
/// positive response. Self-attention over the list gives a softmax over the `L - 1` swaps and stopping. The loss is
/// the cross-entropy of the edit to undo. Re-ranking treats a ranked list as noised at step T, asks for positive
/// responses at every place, and follows the most probable edits by beam search until they stop.
///
/// Limits:
/// * The method needs logged lists with the users' responses to each item. Public data sets have neither. A
///   retriever's lists, with the user's later items as responses, only demonstrate the method.
/// * The denoiser knows the user only through the rows. So a candidate's row should describe the item and its
///   relation to the user, such as its score or its product with the user's vector.
/// * T swaps move an item at most T places, and a list with more than T inversions is restored only in part.
/// * The original also replaces items by others, and a separate evaluator chooses among the lists. This version
///   returns the most probable list.
public struct DCDR: Sendable {
    /// Hyper-parameters.
    public struct Configuration: ConfigurationSection {
        /// Items of a list (L).
        public var length = 10
        /// Width of the states.
        public var dimension = 32
        /// Self-attention blocks.
        public var blocks = 1
        /// Attention heads of each block; they divide the dimension.
        public var heads = 2
        /// Width of the hidden layers.
        public var hidden = 64
        /// The most swaps (T).
        public var steps = 10
        /// How many lists the beam search follows.
        public var beam = 4

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(2...100, contains: length, key: prefix + "length")
            try ConfigurationError.require(2...1024, contains: dimension, key: prefix + "dimension")
            try ConfigurationError.require(1...16, contains: blocks, key: prefix + "blocks")
            try ConfigurationError.require(1...64, contains: heads, key: prefix + "heads")
            try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
            try ConfigurationError.require(1...length * (length - 1) / 2, contains: steps, key: prefix + "steps")
            try ConfigurationError.require(1...1000, contains: beam, key: prefix + "beam")
            guard dimension % heads == 0, dimension % 2 == 0 else {
                let allowed = "even, and a multiple of \(heads) heads"
                throw .outOfRange(key: prefix + "dimension", value: "\(dimension)", allowed: allowed)
            }
        }
    }

    /// A list that users were shown, or a substitute for one.
    public struct List: Sendable {
        /// A row of features of about size 1 for each item, in the order of the list, `[L, f]`.
        public var rows: Matrix
        /// Whether the item at each place got a positive response.
        public var responses: [Bool]

        /// Creates a list.
        public init(rows: Matrix, responses: [Bool]) {
            precondition(rows.rows == responses.count, "\(rows.rows) items, \(responses.count) responses")
            self.rows = rows
            self.responses = responses
        }
    }

    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    /// Columns of the candidates' rows (f).
    public let features: Int

    private let stepEmbedding: StepEmbedding
    private let blocks: [TransformerBlock]

    /// A fresh model.
    ///
    /// - Parameters:
    ///   - configuration: A valid one.
    ///   - features: Columns of the candidates' rows.
    ///   - seed: The seed of the initial weights.
    public init(_ configuration: Configuration, features: Int, seed: UInt64) {
        self.configuration = configuration
        self.features = features
        let (L, d, hidden) = (configuration.length, configuration.dimension, configuration.hidden)
        stepEmbedding = StepEmbedding(prefix: "step", width: d, hidden: 2 * d, activation: .gelu)
        blocks = (0..<configuration.blocks).map { index in
            TransformerBlock(
                prefix: "block\(index)",
                dimension: d,
                heads: configuration.heads,
                hidden: hidden,
                longest: L,
                sight: .all
            )
        }
        var layout: ParameterLayout = [
            "input": .xavier(inputs: features, outputs: d),
            "position": .normal(rows: L, columns: d, deviation: 0.1),
            "response": .normal(rows: 2, columns: d, deviation: 0.1),
            "swap.output": .xavier(inputs: hidden, outputs: 1),
            "stop": .xavier(inputs: d, outputs: 1),
        ]
        layout.addNorm("norm", width: d)
        layout.addDense("swap", inputs: 2 * d, outputs: hidden)
        layout.add(stepEmbedding.layout)
        for block in blocks { layout.add(block.layout) }
        parameters = ParameterSet(layout, seed: seed)
    }

    /// The mean cross-entropy of the edit to undo; each list has its own step and swaps.
    ///
    /// Unit: nats.
    ///
    /// - Parameters:
    ///   - lists: Lists of L items each.
    ///   - noise: A stream for each list, from which its step and swaps are drawn.
    ///   - tape: The tape that records the operations.
    /// - Returns: A scalar.
    public func loss(_ lists: [List], noise: NoiseSource, on tape: Tape) -> Variable {
        precondition(lists.count == noise.streams.count, "\(lists.count) lists, \(noise.streams.count) noise streams")
        let (length, steps) = (configuration.length, configuration.steps)
        let generator = CounterBasedGenerator(seed: noise.seed, purpose: .edits)
        let noised = noise.streams.map {
            SwapDiffusion.noised(length: length, steps: steps, generator: generator, stream: $0)
        }
        let logits = editLogits(
            zip(lists, noised).map { $0.rows.gatheringRows($1.order.map { Int32($0) }) },
            steps: noised.map(\.step),
            responses: lists.map(\.responses),
            on: tape
        )
        let edits = noised.map { [Int32($0.swaps.last ?? length - 1)] }
        return .multinomial(logits: logits, columns: RaggedRows(edits), weight: 1 / Float(lists.count))
    }

    /// Learns from lists by Adam.
    ///
    /// - Parameters:
    ///   - lists: Lists of L items each, in the order to restore; at least one list.
    ///   - steps: How many steps to take.
    ///   - batch: Lists per step, drawn at random.
    ///   - learningRate: Adam's learning rate.
    ///   - seed: The seed of all draws.
    /// - Returns: The loss of each step.
    public mutating func train(
        on lists: [List],
        steps: Int,
        batch: Int = 64,
        learningRate: Double = 0.003,
        seed: UInt64
    ) -> [Float] {
        precondition(!lists.isEmpty && batch >= 1, "\(lists.count) lists in batches of \(batch)")
        let generator = CounterBasedGenerator(seed: seed, purpose: .shuffle)
        var optimiser = Adam(learningRate: learningRate)
        return (0..<UInt64(steps)).map { step in
            let drawn = generator.integers(below: lists.count, stream: step, count: batch)
            let noise = NoiseSource(seed: seed, streams: (0..<UInt64(batch)).map { step * UInt64(batch) + $0 })
            let tape = Tape()
            let loss = loss(drawn.map { lists[Int($0)] }, noise: noise, on: tape)
            optimiser.update(&parameters, by: tape.backward(from: loss))
            return loss.scalar
        }
    }

    /// A better order of a ranked list.
    ///
    /// - Parameters:
    ///   - rows: A row of features for each candidate, best first, `[L, f]`.
    ///   - responses: Whether the item at each place of the result should get a positive response; nil asks for one
    ///     everywhere.
    /// - Returns: For each place of the new order, the place of its item in `rows`.
    /// - Complexity: At most T passes of the denoiser over `beam` lists.
    public func reranked(_ rows: Matrix, responses: [Bool]? = nil) -> [Int] {
        let (length, steps) = (configuration.length, configuration.steps)
        let wanted = responses ?? [Bool](repeating: true, count: length)
        return SwapDiffusion.mostProbable(length: length, steps: steps, beam: configuration.beam) { lists, step in
            editLogits(
                lists.map { rows.gatheringRows($0.map { Int32($0) }) },
                steps: [Int](repeating: step, count: lists.count),
                responses: [[Bool]](repeating: wanted, count: lists.count),
                on: Tape(recording: false)
            ).softmaxRows().value
        }
    }

    /// Logits of the edits of some lists: of each swap, named by the place of its first item, then of stopping,
    /// `[B, L]`.
    private func editLogits(_ lists: [Matrix], steps: [Int], responses: [[Bool]], on tape: Tape) -> Variable {
        let (B, L) = (lists.count, configuration.length)
        for (rows, responses) in zip(lists, responses) {
            precondition(
                rows.shape == [L, features] && responses.count == L,
                "rows \(rows.shape) and \(responses.count) responses for lists of \(L) items with \(features) features"
            )
        }
        func weights(_ name: String) -> Variable { tape.parameter(name, from: parameters) }
        func eachPlace(_ number: (_ list: Int, _ place: Int) -> Int) -> [Int32] {
            (0..<B * L).map { Int32(number($0 / L, $0 % L)) }
        }
        let rows = Matrix(rows: B * L, columns: features, elements: lists.flatMap(\.elements))
        var states = tape.constant(rows).product(weights("input"))
            .adding(weights("position").gatheringRows(eachPlace { _, place in place }))
            .adding(weights("response").gatheringRows(eachPlace { responses[$0][$1] ? 1 : 0 }))
            .adding(
                stepEmbedding.rows(steps.map(Double.init), on: tape, parameters)
                    .gatheringRows(eachPlace { list, _ in list })
            )
        for block in blocks {
            states = block.output(states, offsets: (0...B).map { $0 * L }, dropout: nil, parameters: parameters)
        }
        states = states.layerNormalised("norm", parameters)
        let firsts = (0..<B * (L - 1)).map { Int32($0 / (L - 1) * L + $0 % (L - 1)) }
        let swaps = Variable.joinedColumns([states.gatheringRows(firsts), states.gatheringRows(firsts.map { $0 + 1 })])
            .dense("swap", parameters, activation: .gelu)
            .product(weights("swap.output"))
            .reshaped(rows: B, columns: L - 1)
        let places = RaggedRows((0..<B).map { list in (0..<L).map { Int32(list * L + $0) } })
        let shares = [Float](repeating: 1 / Float(L), count: B * L)
        let stop = states.weightedSums(shares, histories: places, interests: 1).product(weights("stop"))
        return .joinedColumns([swaps, stop])
    }
}
