public import Autodiff
import Kernels

/// NARM (Li et al., CIKM 2017): gated recurrent units whose newest state reads the earlier ones by attention.
///
/// With the states `h_1 ... h_t` of a history, `a_j = v . sigmoid(h_t A_1 + h_j A_2)` weighs position `j`, and the user
/// vector is `[h_t, sum_j a_j h_j] B`. The weights are not normalised, as in the original. Two things differ from it:
/// user and item vectors are on the unit sphere, as in NISER (Gupta et al., 2019); and dropout applies to the states too,
/// not only to the items and to the joined states.
public struct NARM: SoftmaxRecommender {
    /// Hyper-parameters of the network: those of GRU4Rec.
    public typealias Configuration = GRU4Rec.Configuration

    /// `narm`.
    public static let system = "narm"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet
    private let encoder: RecurrentEncoder

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
        encoder = RecurrentEncoder(prefix: "gru", dimension: configuration.dimension, hidden: configuration.hidden)
    }

    /// One pass over a window gives the states of all its positions.
    public var learnsWholeWindows: Bool { true }

    var dimension: Int { configuration.dimension }
    var logitScale: Double { configuration.logitScale }
    var perUser: Int { 1 }

    /// A_1, A_2, v and B.
    private static let (newest, earlier, weights, output) = (
        "attention.newest", "attention.earlier", "attention.weights", "output"
    )

    var network: ParameterLayout {
        let (hidden, dimension) = (configuration.hidden, configuration.dimension)
        var layout = encoder.layout
        layout[Self.newest] = .xavier(inputs: hidden, outputs: hidden)
        layout[Self.earlier] = .xavier(inputs: hidden, outputs: hidden)
        layout[Self.weights] = .xavier(inputs: hidden, outputs: 1)
        layout[Self.output] = .xavier(inputs: 2 * hidden, outputs: dimension)
        return layout
    }

    /// - Complexity: O(hidden) for each pair of a history's newest position and another one.
    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable {
        func weights(_ name: String) -> Variable { tape.parameter(name, from: parameters) }
        func masks(_ noise: NoiseSource?) -> Dropout? {
            Dropout(probability: configuration.dropout, noise: noise, layers: RecurrentEncoder.dropoutLayers + 1)
        }
        let shared = SharedPrefixes(histories)
        let states = encoder.states(
            items: tape.gather(ItemTable.name, from: parameters, rows: shared.sequences.ids).normalisedRows(),
            offsets: shared.sequences.offsets,
            parameters: parameters,
            masks: masks(noise.map(shared.noise(of:)))
        )
        // A pair for each position of each history: the history that reads, and the position that is read.
        var (newest, readers, read): ([Int32], [Int32], [Int32]) = ([], [], [])
        for (row, first) in shared.firsts.enumerated() {
            let end = first + histories[row].count
            newest.append(Int32(end - 1))
            readers += [Int32](repeating: Int32(row), count: end - first)
            read += (first..<end).map(Int32.init)
        }
        let own = states.gatheringRows(newest)
        let sums = own.product(weights(Self.newest)).gatheringRows(readers)
            .adding(states.product(weights(Self.earlier)).gatheringRows(read))
        // sigmoid(x) = (1 + tanh(x / 2)) / 2.
        let vector = weights(Self.weights)
        let attention = sums.scaled(by: 0.5).activated(.tanh).product(vector).addingToEachRow(vector.sum())
            .scaled(by: 0.5)
        let attended = states.gatheringRows(read).scalingRows(by: attention)
            .addingRows(at: readers, of: histories.count)
        var joined = Variable.joinedColumns([own, attended])
        if let masks = masks(noise) {
            joined = joined.droppedOut(mask: masks.mask(RecurrentEncoder.dropoutLayers, width: joined.value.columns))
        }
        return joined.product(weights(Self.output)).normalisedRows()
    }
}
