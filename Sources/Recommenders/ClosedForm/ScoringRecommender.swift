import Autodiff
import Kernels

/// A closed-form system whose user vectors are the scores of all items.
protocol ScoringRecommender: FittedRecommender {
    /// Adds a history's contributions to the scores.
    ///
    /// - Parameters:
    ///   - history: Item numbers, oldest first, at least one.
    ///   - scores: One score for each item. It starts as the item's share of the training events, from 0 to below 1,
    ///     times ``popularityWeight``.
    func add(_ history: ArraySlice<Int32>, to scores: inout [Float])

    /// The weight of popularity, so small that popularity only breaks ties.
    var popularityWeight: Float { get }
}

extension ScoringRecommender {
    /// The scores.
    public var readOuts: [ReadOut] { [.served] }

    /// The scores of all items.
    public var itemSpace: ItemSpace { .scores(items: parameters[Popularity.shares].rows) }

    /// Scores of all items for each history, `[B, V]`.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        let start = parameters[Popularity.shares].elements.map { $0 * popularityWeight }
        var elements: [Float] = []
        elements.reserveCapacity(histories.count * start.count)
        for row in 0..<histories.count {
            var scores = start
            add(histories[row], to: &scores)
            elements.append(contentsOf: scores)
        }
        return UserVectors(rows: Matrix(rows: histories.count, columns: start.count, elements: elements))
    }

    var popularityWeight: Float { 1e-6 }

    /// The stored number of items: the rows of the popularity shares, a matrix of one column.
    static func items(in parameters: ParameterSet) throws(ParameterError) -> Int {
        guard let shares = parameters.matrices[Popularity.shares] else { throw .missing(Popularity.shares) }
        guard shares.columns == 1 else {
            throw .shape(Popularity.shares, expected: [shares.rows, 1], found: shares.shape)
        }
        return shares.rows
    }
}

/// The settings of a system whose only setting is the history length.
public struct HistoryConfiguration: ModelConfiguration {
    /// How many of a history's newest items are used.
    public var historyLength = 50

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
    }
}
