import Kernels

/// The neighbours of each item and their weights, in the two matrices that a checkpoint stores.
struct NeighbourTable: Sendable {
    /// Item numbers; -1 fills the row of an item with fewer neighbours.
    private let numbers: StoredIntegers
    /// Their weights, `[V, n]`.
    let weights: Matrix

    /// The stored item numbers, `[V, n]`, or `[V, 2 n]` for more than 2^24 items.
    var items: Matrix { numbers.matrix }

    /// A stored table.
    ///
    /// - Parameters:
    ///   - items: The name of the parameter with the item numbers.
    ///   - weights: The name of the parameter with the weights.
    ///   - matrices: The stored parameters by name.
    ///   - count: The number of items; both parameters have this number of rows.
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

    /// Keeps the `count` neighbours of each item with the largest absolute weights; ties go to the lower number.
    ///
    /// - Parameters:
    ///   - items: The number of items.
    ///   - count: Neighbours of each item.
    ///   - row: Returns the weights of all items for one item; a weight of zero means no neighbour.
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

    /// The number of items.
    var count: Int { weights.rows }

    /// Adds `factor` times an item's weights to the scores of its neighbours; item 0 has the score at `start`.
    func add(_ item: Int32, times factor: Float, to scores: inout [Float], from start: Int) {
        let first = Int(item) * weights.columns
        for place in first..<first + weights.columns {
            let neighbour = numbers[place]
            guard neighbour >= 0 else { return }
            scores[start + neighbour] += factor * weights.elements[place]
        }
    }
}
