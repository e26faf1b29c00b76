import Kernels

/// For each item some others with weights, in two matrices as a checkpoint stores them.
struct NeighbourTable: Sendable {
    /// Item numbers, -1 where an item has fewer.
    private let numbers: StoredIntegers
    /// Their weights, `[V, n]`.
    let weights: Matrix

    /// Item numbers as they are stored, `[V, n]`, or `[V, 2 n]` where there are more than 2^24 items.
    var items: Matrix { numbers.matrix }

    /// A stored table.
    ///
    /// - Parameters:
    ///   - items: The parameter of item numbers.
    ///   - weights: The parameter of weights.
    ///   - matrices: Both of them.
    ///   - count: How many items there are, which is the number of rows of both.
    /// - Throws: `ParameterError`.
    init(items: String, weights: String, in matrices: [String: Matrix], count: Int) throws(ParameterError) {
        guard let numbers = matrices[items] else { throw .missing(items) }
        guard let found = matrices[weights] else { throw .missing(weights) }
        for (name, matrix) in [(items, numbers), (weights, found)] where matrix.rows != count {
            throw .shape(name, expected: [count, matrix.columns], found: matrix.shape)
        }
        self.weights = found
        self.numbers = try StoredIntegers(stored: numbers, name: items, columns: found.columns, in: -1..<count)
    }

    /// Keeps for each item the `count` neighbours of the largest magnitude, ties to the lower number.
    ///
    /// - Parameters:
    ///   - items: How many items there are.
    ///   - count: Neighbours of each.
    ///   - row: The weights of all items beside one item; zeros are no neighbours.
    init(items: Int, keeping count: Int, row: (Int) -> [Float]) {
        var numbers = [Int32](repeating: -1, count: items * count)
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
                numbers[item * count + place] = neighbour.id
                weights[item, place] = row[Int(neighbour.id)]
            }
        }
        self.numbers = StoredIntegers(numbers, columns: count, below: items)
        self.weights = weights
    }

    /// Adds `factor` times an item's weights to the scores of its neighbours.
    func add(_ item: Int32, times factor: Float, to scores: inout [Float]) {
        let start = Int(item) * weights.columns
        for place in start..<start + weights.columns {
            let neighbour = numbers[place]
            guard neighbour >= 0 else { return }
            scores[neighbour] += factor * weights.elements[place]
        }
    }
}
