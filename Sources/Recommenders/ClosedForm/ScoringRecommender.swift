import Autodiff
import Kernels

/// A system fitted by counting or solving, whose user vectors are the scores of all items.
protocol ScoringRecommender: FittedRecommender {
    /// Adds to the scores of the items that a history speaks for.
    ///
    /// - Parameters:
    ///   - history: Item numbers, oldest first, at least one.
    ///   - scores: One for each item; at the start the item's share of the training events, from 0 to below 1, times
    ///     ``popularityWeight``.
    func add(_ history: ArraySlice<Int32>, to scores: inout [Float])

    /// What popularity counts beside the rest: so little that it only orders items that are equal otherwise.
    var popularityWeight: Float { get }
}

extension ScoringRecommender {
    /// The scores.
    public var readOuts: [ReadOut] { [.served] }

    /// All items have scores.
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

    /// The stored number of items: the rows of the popularity shares, which are one column.
    static func items(in parameters: ParameterSet) throws(ParameterError) -> Int {
        guard let shares = parameters.matrices[Popularity.shares] else { throw .missing(Popularity.shares) }
        guard shares.columns == 1 else {
            throw .shape(Popularity.shares, expected: [shares.rows, 1], found: shares.shape)
        }
        return shares.rows
    }
}

/// The settings of a system that has none but how much of a history it looks at.
public struct HistoryConfiguration: ModelConfiguration {
    /// Items of a history that count, the newest ones.
    public var historyLength = 50

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
    }
}

/// For each item some others with weights, in two matrices as a checkpoint stores them.
struct NeighbourTable: Sendable {
    /// Item numbers, `[V, n]`; -1 where an item has fewer.
    let items: Matrix
    /// Their weights, `[V, n]`.
    let weights: Matrix

    private init(items: Matrix, weights: Matrix) {
        (self.items, self.weights) = (items, weights)
    }

    /// A stored table; its shapes and item numbers are checked here, so that reading it needs no checks.
    ///
    /// - Parameters:
    ///   - names: The parameters with the item numbers and with their weights.
    ///   - parameters: All stored parameters.
    ///   - items: How many items there are.
    /// - Throws: ``ParameterError``.
    init(
        _ names: (items: String, weights: String),
        in parameters: ParameterSet,
        items: Int
    ) throws(ParameterError) {
        guard let numbers = parameters.matrices[names.items] else { throw .missing(names.items) }
        guard let weights = parameters.matrices[names.weights] else { throw .missing(names.weights) }
        for (name, found) in [(names.items, numbers), (names.weights, weights)] {
            let expected = [items, numbers.columns]
            guard found.shape == expected else { throw .shape(name, expected: expected, found: found.shape) }
        }
        if let place = numbers.elements.firstIndex(where: { !($0 >= -1 && Double($0) < Double(items)) }) {
            throw .value(
                names.items,
                row: place / numbers.columns,
                column: place % numbers.columns,
                found: "\(numbers.elements[place])",
                allowed: "an item number from 0 to \(items - 1), or -1 for none"
            )
        }
        self.init(items: numbers, weights: weights)
    }

    /// Keeps for each item the `count` neighbours of the largest magnitude, ties to the lower number.
    ///
    /// - Parameters:
    ///   - items: How many items there are.
    ///   - count: Neighbours of each.
    ///   - row: The weights of all items beside one item; zeros are no neighbours.
    init(items: Int, keeping count: Int, row: (Int) -> [Float]) {
        var numbers = Matrix(rows: items, columns: count, repeating: -1)
        var weights = Matrix(rows: items, columns: count)
        var best = TopK(k: count)
        var kept: [Scored] = []
        for item in 0..<items {
            let row = row(item)
            best.reset(k: count)
            for (other, weight) in row.enumerated() where weight != 0 {
                best.offer(Scored(id: Int32(other), score: abs(weight)))
            }
            best.drainSorted(into: &kept)
            for (place, neighbour) in kept.enumerated() {
                numbers[item, place] = Float(neighbour.id)
                weights[item, place] = row[Int(neighbour.id)]
            }
        }
        self.init(items: numbers, weights: weights)
    }

    /// Adds `factor` times an item's weights to the scores of its neighbours.
    func add(_ item: Int32, times factor: Float, to scores: inout [Float]) {
        let start = Int(item) * items.columns
        for place in start..<start + items.columns {
            let neighbour = Int(items.elements[place])
            guard neighbour >= 0 else { return }
            scores[neighbour] += factor * weights.elements[place]
        }
    }
}
