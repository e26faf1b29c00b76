import Autodiff
public import Kernels

/// Where the item rows of a fresh model are.
public enum ItemStart: String, Codable, Sendable, CaseIterable {
    /// Close to the rows of items that occur near them, so that training does not begin by finding these.
    case neighbours
    /// Anywhere.
    case random

    /// The neighbours of an item that count, and the times that rows take the sum of their neighbours.
    private static let (links, rounds) = (50, 3)

    /// The item rows of a fresh model.
    ///
    /// With ``neighbours``, each row becomes the sum of its neighbours' rows by the strength of the links, without the
    /// part that all rows share, several times over. The result is the sum of these rounds and of the random row, which
    /// tells items apart that have the same neighbours. Random rows that are smoothed over a graph keep its distances
    /// (Chen et al., "Fast and Accurate Network Embeddings via Very Sparse Random Projection", CIKM 2019). An item without
    /// neighbours keeps its random row.
    ///
    /// - Parameters:
    ///   - random: Random rows of length about 1, `[V, d]`.
    ///   - sequences: The training part: item numbers below V.
    /// - Returns: `[V, d]`.
    /// - Complexity: O(100 events + 150 V d), and memory for four tables.
    public func rows(from random: Matrix, sequences: RaggedRows) -> Matrix {
        guard self == .neighbours else { return random }
        let links = ItemLinks(neighboursIn: sequences, items: random.rows, keeping: Self.links)
        var round = random
        var sum = random
        sum.normaliseRows()
        for _ in 0..<Self.rounds {
            round = links.sums(of: round)
            round.normaliseRows()
            var mean = round.summedRows()
            mean.scale(by: -1 / Float(max(1, round.rows)))
            round.addToEachRow(mean)
            round.normaliseRows()
            sum.add(round)
        }
        sum.normaliseRows()
        for item in 0..<random.rows where links.places(of: Int32(item)).isEmpty {
            sum.setRow(item, to: random.row(item))
        }
        return sum
    }
}

extension TrainedRecommender {
    /// Moves the item rows of a fresh model to their start, if they are of length about 1; others stay.
    ///
    /// - Parameters:
    ///   - start: Where the rows begin.
    ///   - sequences: The training part: item numbers of the whole table.
    public mutating func start(_ start: ItemStart, sequences: RaggedRows) {
        let table = parameters[ItemTable.name]
        guard layout(items: table.rows)[ItemTable.name]?.hasUnitRows == true else { return }
        parameters[ItemTable.name] = start.rows(from: table, sequences: sequences)
    }
}
