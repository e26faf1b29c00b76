public import Autodiff
public import Kernels

/// BERT4Rec (Sun et al., CIKM 2019; method, section 11): a Transformer that sees both sides of a hidden item.
///
/// It learns by a Cloze task over a history and its next item. One trained row, [MASK], replaces some items, and the
/// model predicts each hidden item among all items. In a share of the rows only the next item is hidden, as in
/// serving: serving puts [MASK] behind the history and reads the state there. Positions count from the newest, so
/// that this place is always the same. Only hidden places go through the last feed-forward layer, the head and the
/// softmax.
///
/// Differences to the published system: blocks normalise their inputs instead of their outputs; projections of
/// queries, keys and values have no bias; attention weights have no dropout; there is no weight decay. Item rows are
/// not normalised, and items have biases. The loss does not use the batch's negatives.
public struct BERT4Rec: TrainedRecommender {
    /// Hyper-parameters of the network and of the Cloze task.
    public struct Configuration: TransformerConfiguration {
        /// Length of item rows without their bias.
        public var dimension = 64
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// Blocks.
        public var blocks = 2
        /// Attention heads of each block; they divide the dimension.
        public var heads = 2
        /// Width of the feed-forward layers.
        public var hidden = 256
        /// Dropout on the input and on the residual branches during training.
        public var dropout = 0.1
        /// The probability that an item of a sequence is hidden; if none is, the newest item is hidden.
        public var maskProbability = 0.2
        /// The share of rows in which only the next item is hidden.
        public var nextShare = 0.5

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try validateSizes(prefix: prefix)
            try ConfigurationError.require(0...0.9, contains: dropout, key: prefix + "dropout")
            try ConfigurationError.require(0...0.95, contains: maskProbability, key: prefix + "maskProbability")
            try ConfigurationError.require(0...1, contains: nextShare, key: prefix + "nextShare")
        }
    }

    private enum Name {
        static let itemBias = "items.bias"
        static let mask = "mask"
        static let positions = "positions"
        static let inputNorm = "input.norm"
        static let outputNorm = "output.norm"
        static let head = "head"
        static let headNorm = "head.norm"
    }

    /// `bert4rec`.
    public static let system = "bert4rec"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let transformer: TransformerStack

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        transformer = TransformerStack(configuration, longest: configuration.historyLength + 1, sight: .unordered)
    }

    /// Rows of length about 1, weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let d = configuration.dimension
        var layout: ParameterLayout = [
            Name.itemBias: .constant(rows: items, columns: 1)
        ]
        layout.addDense(Name.head, inputs: d, outputs: d)
        for (name, rows) in [
            (ItemTable.name, items), (Name.mask, 1), (Name.positions, configuration.historyLength + 1),
        ] {
            layout[name] = .unitRows(rows, dimension: d)
        }
        for name in [Name.inputNorm, Name.outputNorm, Name.headNorm] {
            layout.addNorm(name, width: d)
        }
        layout.add(transformer.layout)
        return layout
    }

    /// The head's output at a [MASK] behind the history.
    public var readOuts: [ReadOut] { [.served] }

    /// The loss reads the whole item table.
    public var gathersItems: Bool { false }

    /// Rows and biases of items, `[V, d + 1]`.
    public var scoringItems: Matrix {
        Matrix(joiningColumns: [parameters[ItemTable.name], parameters[Name.itemBias]])
    }

    /// One loss covers a whole history, so single targets have no weights.
    public var weighsTargets: Bool { false }

    /// `-log softmax` of each hidden item at its place, summed over the places of a row.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        loss(batch, hidden: hiddenPlaces(batch), on: tape)
    }

    /// The loss for given places in the sequence of each history and its next item, ascending, at least one per row.
    package func loss(_ batch: TrainingBatch, hidden: RaggedRows, on tape: Tape) -> TrainingLoss {
        let sequences = ClozeSequences(batch.sequences, hidden: hidden)
        let dropout = Dropout(
            probability: configuration.dropout,
            noise: batch.noise,
            layers: 1 + 2 * configuration.blocks
        )
        let table = tape.parameter(ItemTable.name, from: parameters)
        let biases = tape.parameter(Name.itemBias, from: parameters).reshaped(rows: 1, columns: table.value.rows)
        let likelihood = Variable.multinomial(
            logits: answers(sequences, dropout: dropout, on: tape).product(table, transposed: true)
                .addingToEachRow(biases),
            columns: RaggedRows(sequences.hiddenItems.map { [$0] }),
            weight: 1 / Float(batch.stepRows)
        )
        return TrainingLoss(total: likelihood, terms: [("cloze", likelihood.scalar)])
    }

    /// The head's outputs behind the histories, each with a 1 at the end.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        let sequences = ClozeSequences(
            RaggedRows((0..<histories.count).map { histories[$0] + [0] } as [[Int32]]),
            hidden: RaggedRows((0..<histories.count).map { [Int32(histories[$0].count)] })
        )
        return UserVectors(rows: answers(sequences, dropout: nil, on: Tape(recording: false)).appendingOne().value)
    }

    // MARK: Cloze task

    /// Draws the hidden places of a batch, ascending, in the sequence of each history and its next item.
    package func hiddenPlaces(_ batch: TrainingBatch) -> RaggedRows {
        let generator = CounterBasedGenerator(seed: batch.noise.seed, purpose: .cloze)
        return RaggedRows(
            batch.noise.streams.enumerated().map { row, stream in
                let newest = Int32(batch.histories[row].count)
                let draws = generator.uniforms(stream: stream, count: Int(newest) + 2)
                let hidden = (0...newest).filter { draws[Int($0) + 1] < configuration.maskProbability }
                return draws[0] < configuration.nextShare || hidden.isEmpty ? [newest] : hidden
            }
        )
    }

    // MARK: Network

    /// The head's outputs at the hidden places, `[places, d]`.
    private func answers(_ sequences: ClozeSequences, dropout: Dropout?, on tape: Tape) -> Variable {
        let d = configuration.dimension
        let items = tape.parameter(ItemTable.name, from: parameters).gatheringRows(sequences.items)
            .scalingRows(by: sequences.isHidden.map { $0 ? 0 : 1 })
        let masks = tape.parameter(Name.mask, from: parameters)
            .gatheringRows([Int32](repeating: 0, count: sequences.items.count))
            .scalingRows(by: sequences.isHidden.map { $0 ? 1 : 0 })
        var x = items.adding(masks)
            .adding(tape.parameter(Name.positions, from: parameters).gatheringRows(sequences.ages))
            .layerNormalised(Name.inputNorm, parameters)
        if let dropout { x = x.droppedOut(mask: dropout.mask(0, width: d, counts: sequences.counts)) }
        return transformer.output(
            x,
            offsets: sequences.offsets,
            kept: sequences.hidden,
            masks: dropout.map {
                TransformerStack.Masks(
                    dropout: $0,
                    first: 1,
                    counts: sequences.counts,
                    keptCounts: sequences.hiddenCounts
                )
            },
            parameters: parameters
        )
        .layerNormalised(Name.outputNorm, parameters)
        .dense(Name.head, parameters, activation: .gelu)
        .layerNormalised(Name.headNorm, parameters)
    }
}

/// Sequences of items with some items hidden, stored one after another.
private struct ClozeSequences {
    /// Where each sequence starts, and the end of the last.
    var offsets = [0]
    /// The item of each position.
    var items: [Int32] = []
    /// The number of newer positions in its sequence.
    var ages: [Int32] = []
    /// Whether [MASK] replaces the item.
    var isHidden: [Bool] = []
    /// The hidden positions.
    var hidden: [Int32] = []
    /// The number of hidden positions of each sequence.
    var hiddenCounts: [Int] = []

    /// Positions of each sequence.
    var counts: [Int] { zip(offsets, offsets.dropFirst()).map { $1 - $0 } }
    /// The items at the hidden positions.
    var hiddenItems: [Int32] { hidden.map { items[Int($0)] } }

    init(_ sequences: RaggedRows, hidden places: RaggedRows) {
        precondition(places.count == sequences.count, "\(places.count) rows of places in \(sequences.count) sequences")
        for row in 0..<sequences.count {
            let (start, count) = (items.count, sequences[row].count)
            items += sequences[row]
            ages += (0..<Int32(count)).reversed()
            isHidden += [Bool](repeating: false, count: count)
            for place in places[row] {
                isHidden[start + Int(place)] = true
                hidden.append(Int32(start) + place)
            }
            hiddenCounts.append(places[row].count)
            offsets.append(items.count)
        }
    }
}
