import Autodiff
package import Kernels

/// A closed-form system whose user vectors are the scores of all items.
package protocol ScoringRecommender: FittedRecommender {
    /// Adds a history's contributions to the scores.
    ///
    /// - Parameters:
    ///   - history: Item numbers, oldest first, at least one.
    ///   - scores: Scores, one for each item from `start` on. A score starts as in ``initialScores``.
    ///   - start: The place of item 0 in `scores`.
    ///   - scratch: The calling thread's buffers.
    func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    )

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
        let initial = initialScores
        var elements: [Float] = []
        elements.reserveCapacity(histories.count * initial.count)
        var scratch = ScoringScratch()
        for row in 0..<histories.count {
            elements.append(contentsOf: initial)
            add(histories[row], to: &elements, from: row * initial.count, &scratch)
        }
        return UserVectors(rows: Matrix(rows: histories.count, columns: initial.count, elements: elements))
    }

    /// The scores before a history adds to them: each item's share of the training events, from 0 to below 1, times
    /// ``popularityWeight``.
    package var initialScores: [Float] { parameters[Popularity.shares].elements.map { $0 * popularityWeight } }

    package var popularityWeight: Float { 1e-6 }

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
