public import Autodiff
import Kernels

/// Caser without its users (Tang and Wang, WSDM 2018; method, section 11): convolutions over the newest items' rows.
///
/// The newest `L` rows form an image; the older places of a short history are zero. Horizontal filters of every
/// height find patterns of consecutive items, and the largest output of each filter is used. Vertical filters are
/// weighted sums over the places. Both outputs go through dropout and one layer with ReLU.
///
/// Differences to the published system: there is no user row beside the output, because histories come from users
/// that training did not see; the loss is not binary with three targets; vertical filters have no biases, because the
/// next layer has them. Item rows are not normalised; the last column of the item table is the bias.
public struct Caser: RankingRecommender {
    /// Hyper-parameters.
    public struct Configuration: RankingConfiguration {
        /// Length of item rows, without the bias of next items.
        public var dimension = 64
        /// How many of the newest items are used (L); also the largest height of a filter.
        public var historyLength = 5
        /// Horizontal filters of each height.
        public var horizontalFilters = 16
        /// Vertical filters.
        public var verticalFilters = 4
        /// Dropout probability of the filters' outputs.
        public var dropout = 0.5
        /// The training loss.
        public var loss = RankingLoss.softmax

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(2...1024, contains: dimension, key: prefix + "dimension")
            try ConfigurationError.require(1...100, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(1...1024, contains: horizontalFilters, key: prefix + "horizontalFilters")
            try ConfigurationError.require(1...1024, contains: verticalFilters, key: prefix + "verticalFilters")
            try ConfigurationError.require(0...0.95, contains: dropout, key: prefix + "dropout")
        }
    }

    private enum Name {
        static let previous = "items.previous"
        static let vertical = "vertical"
        static let output = "output"
        static func horizontal(_ height: Int) -> String { "horizontal\(height)" }
    }

    /// `caser`.
    public static let system = "caser"
    /// Hyper-parameters.
    public let configuration: Configuration
    /// All trained parameters.
    public var parameters: ParameterSet

    /// A model over given parameters.
    public init(_ configuration: Configuration, parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters
    }

    /// Rows of length about 1, weights Xavier-uniform, biases zero.
    public func layout(items: Int) -> ParameterLayout {
        let (d, places) = (configuration.dimension, configuration.historyLength)
        let (horizontal, vertical) = (configuration.horizontalFilters, configuration.verticalFilters)
        var layout: ParameterLayout = [
            ItemTable.name: .unitBiasedItems(items, dimension: d),
            Name.previous: .unitRows(items, dimension: d),
            Name.vertical: .xavier(inputs: vertical, outputs: places),
        ]
        layout.addDense(Name.output, inputs: vertical * d + places * horizontal, outputs: d)
        for height in 1...places {
            layout.addDense(Name.horizontal(height), inputs: height * d, outputs: horizontal)
        }
        return layout
    }

    var geometry: Geometry { .euclidean }

    func users(_ histories: RaggedRows, noise: NoiseSource?, on tape: Tape) -> Variable {
        let image = image(histories, on: tape)
        let rows = histories.count
        var answers = Variable.joinedColumns(
            (0..<configuration.verticalFilters).map { vertical($0, image: image, rows: rows) }
                + (1...configuration.historyLength).map { horizontal(height: $0, image: image, rows: rows) }
        )
        if let noise {
            let dropout = Dropout(probability: configuration.dropout, noise: noise, layers: 1)
            answers = answers.droppedOut(mask: dropout.mask(0, width: answers.value.columns))
        }
        return answers.dense(Name.output, parameters, activation: .relu).appendingOne()
    }

    /// The rows of the newest items, oldest first, after rows of zeros, `[B L, d]`.
    private func image(_ histories: RaggedRows, on tape: Tape) -> Variable {
        let places = configuration.historyLength
        let newest = (0..<histories.count).map { histories[$0].suffix(places) }
        // Each place is the sum of one row or of no row.
        let cells = RaggedRows(
            newest.flatMap { items in
                [[Int32]](repeating: [], count: places - items.count) + items.map { [$0] }
            }
        )
        return tape.gather(Name.previous, from: parameters, rows: cells.ids)
            .weightedSums([Float](repeating: 1, count: cells.ids.count), histories: cells.positions, interests: 1)
    }

    /// The weighted sum of the places by one vertical filter, `[B, d]`.
    private func vertical(_ filter: Int, image: Variable, rows: Int) -> Variable {
        let places = configuration.historyLength
        let weights = image.tape.parameter(Name.vertical, from: parameters).gatheringRows([Int32(filter)])
            .reshaped(rows: places, columns: 1)
        let terms = (0..<places).map { place in
            image.gatheringRows((0..<rows).map { Int32($0 * places + place) })
                .scaled(by: weights.gatheringRows([Int32(place)]))
        }
        return terms.dropFirst().reduce(terms[0]) { $0.adding($1) }
    }

    /// The largest outputs of the horizontal filters of one height, `[B, filters]`.
    private func horizontal(height: Int, image: Variable, rows: Int) -> Variable {
        let places = configuration.historyLength
        let windows = places - height + 1
        // Unfolded: the rows under each window side by side.
        let covered = (0..<rows).flatMap { row in
            (0..<windows).flatMap { start in (0..<height).map { Int32(row * places + start + $0) } }
        }
        return image.gatheringRows(covered)
            .reshaped(rows: rows * windows, columns: height * configuration.dimension)
            .dense(Name.horizontal(height), parameters, activation: .relu)
            .maximumOfRowGroups(of: windows)
    }
}
