import Autodiff
import Kernels

/// Users as rows over all items: the distinct items of a sequence, each with a weight.
///
/// Weights by age rise linearly from the oldest position to 1 at the newest; a repeated item has the weight of its newest
/// position (T-DiffRec, Wang et al., SIGIR 2023, section 3.5).
struct InteractionRows {
    /// The distinct items of each sequence, in order of their first occurrence.
    let items: RaggedRows
    /// Their weights, row after row.
    let weights: [Float]

    /// Rows of given weights, row after row.
    init(items: RaggedRows, weights: [Float]) {
        (self.items, self.weights) = (items, weights)
    }

    /// Rows of some sequences.
    ///
    /// - Parameters:
    ///   - sequences: Item numbers, oldest first, at least one each.
    ///   - oldestWeight: The weight of the oldest of several positions; 1 for rows of ones.
    init(_ sequences: RaggedRows, oldestWeight: Double) {
        var weights: [Float] = []
        items = RaggedRows(
            (0..<sequences.count).map { row in
                let sequence = sequences[row]
                let rise = (1 - oldestWeight) / Double(max(1, sequence.count - 1))
                var distinct: [Int32] = []
                var places: [Int32: Int] = [:]
                for (age, item) in sequence.reversed().enumerated() where places[item] == nil {
                    places[item] = age
                }
                for item in sequence {
                    guard let age = places.removeValue(forKey: item) else { continue }
                    distinct.append(item)
                    weights.append(Float(1 - rise * Double(age)))
                }
                return distinct
            }
        )
        self.weights = weights
    }

    /// The rows, `[B, items]`.
    func dense(items count: Int) -> Matrix {
        var matrix = Matrix(rows: items.count, columns: count)
        var next = 0
        for row in 0..<items.count {
            for item in items[row] {
                matrix[row, Int(item)] = weights[next]
                next += 1
            }
        }
        return matrix
    }

    /// The rows times a named table `[V, d]`, `[B, d]`.
    ///
    /// - Parameters:
    ///   - table: The name of the table.
    ///   - parameters: The set that holds the table.
    ///   - kept: The dropout factor of each item, row after row; nil for 1.
    ///   - tape: The tape that records the operations.
    /// - Returns: `[B, d]`.
    func product(_ table: String, _ parameters: ParameterSet, kept: [Float]? = nil, on tape: Tape) -> Variable {
        let distinct = DistinctItems(items)
        var weights = weights
        if let kept {
            precondition(kept.count == weights.count, "\(kept.count) dropout factors for \(weights.count) items")
            for index in weights.indices { weights[index] *= kept[index] }
        }
        return tape.gather(table, from: parameters, rows: distinct.ids)
            .weightedSums(weights, histories: distinct.histories, interests: 1)
    }
}
