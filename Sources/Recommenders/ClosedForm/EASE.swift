public import Autodiff
public import Kernels

/// Embarrassingly shallow autoencoder (Steck, WWW 2019): the item-to-item weights that best reconstruct each user's
/// items from the user's other items, in closed form.
///
/// `P = (X^T X + lambda I)^-1`, `B_ij = -P_ij / P_jj` and `B_ii = 0`; an item's score is the sum of its weights from
/// the items of the history. The order of a history has no effect.
public struct EASE: ScoringRecommender {
    /// Settings.
    public struct Configuration: ModelConfiguration {
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// How many of the largest weights of each item are kept.
        public var neighbours = 500
        /// Regularisation (lambda).
        public var regularisation = 500.0

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(1...10_000, contains: neighbours, key: prefix + "neighbours")
            try ConfigurationError.require(1e-3...1e9, contains: regularisation, key: prefix + "regularisation")
        }
    }

    /// `ease`.
    public static let system = "ease"
    private static let neighbours = "neighbours"
    private static let weights = "neighbours.weights"
    /// Settings.
    public let configuration: Configuration
    /// Neighbours, their weights, and the shares of events.
    public let parameters: ParameterSet
    private let table: NeighbourTable

    /// Solves for the weights.
    ///
    /// - Complexity: O(items cubed) time, 4 bytes times items squared of memory.
    /// - Throws: ``ConfigurationError`` if the regularisation is too small for single precision.
    public init(
        _ configuration: Configuration,
        fitting sequences: RaggedRows,
        items: Int
    ) throws(ConfigurationError) {
        let users = Incidence(sequences, items: items)
        let gram = Self.gram(users, items: items, regularisation: Float(configuration.regularisation))
        guard let inverse = gram.inverseOfPositiveDefinite() else {
            let most = users.having.longest
            throw .invalidValue(
                key: "model.regularisation",
                reason: "\(configuration.regularisation) is too small for an item with \(most) users: the equations "
                    + "have no solution in single precision. Raise it, for example to \(max(1, most / 1000))."
            )
        }
        let table = NeighbourTable(items: items, keeping: configuration.neighbours) { item in
            (0..<items).map { $0 == item ? 0 : -inverse[item, $0] / inverse[$0, $0] }
        }
        self.init(
            configuration,
            table,
            ParameterSet([
                Self.neighbours: table.items, Self.weights: table.weights,
                Popularity.shares: Popularity.shares(sequences, items: items),
            ])
        )
    }

    /// `X^T X + lambda I`, `[V, V]`.
    private static func gram(_ users: Incidence, items: Int, regularisation: Float) -> Matrix {
        var elements: [Float] = []
        elements.reserveCapacity(items * items)
        var both = [Int32](repeating: 0, count: items)
        for item in 0..<items {
            users.countShared(with: item, into: &both)
            elements.append(contentsOf: both.lazy.map { Float($0) })
            elements[item * items + item] += regularisation
        }
        return Matrix(rows: items, columns: items, elements: elements)
    }

    /// A model over stored weights.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        let parameters = ParameterSet(matrices)
        let table = try NeighbourTable(
            items: Self.neighbours,
            weights: Self.weights,
            in: parameters.matrices,
            count: Self.items(in: parameters)
        )
        self.init(configuration, table, parameters)
    }

    private init(_ configuration: Configuration, _ table: NeighbourTable, _ parameters: ParameterSet) {
        (self.configuration, self.table, self.parameters) = (configuration, table, parameters)
    }

    package func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    ) {
        scratch.collectDistinct(history, items: table.count)
        for item in scratch.distinct { table.add(item, times: 1, to: &scores, from: start) }
        scratch.clearDistinct()
    }
}
