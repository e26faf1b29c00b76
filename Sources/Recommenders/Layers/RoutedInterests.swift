import Autodiff
import Kernels

/// The dynamic-routing module (ComiRec-DR, Cen et al., KDD 2020; method, section 3.4): items vote for interests, and
/// routing decides how much of each item goes to which interest.
///
/// Every position has a matrix of its own, `u_p = x_p W_p` with `W_p [d, K d]`. A position is counted from the newest item,
/// whose matrix is the last one: so that a short history, which most are at times, is read by the matrices that most
/// others train, and its newest item by the one that all do.
struct RoutedInterests: InterestModule {
    /// Leads the name of the parameter.
    let prefix: String
    /// Width of item rows (d).
    let dimension: Int
    /// The most items of a history (N).
    let historyLength: Int
    /// Interests (K).
    let interests: Int

    /// The name of the positions' matrices, one below the other, `[N d, K d]`.
    private var votesName: String { prefix + ".votes" }

    func initialParameters(_ initialiser: Initialiser) -> [String: Matrix] {
        let (N, K, d) = (historyLength, interests, dimension)
        let deviation = 1 / Double(d).squareRoot()
        return [votesName: initialiser.normal(votesName, rows: N * d, columns: K * d, deviation: deviation)]
    }

    func interests(items: Variable, histories: RaggedRows, parameters: ParameterSet) -> Variable {
        let (K, d) = (interests, dimension)
        let positions = RowsByPosition(histories, count: historyLength)
        let votes = items.gatheringRows(positions.ids)
            .groupedProduct(items.tape.parameter(votesName, from: parameters), offsets: positions.offsets)
        let weights = InterestRouting.weights(of: votes.value, histories: positions.histories, interests: K)
        return votes.weightedSums(weights, histories: positions.histories, interests: K)
            .reshaped(rows: histories.count * K, columns: d)
            .squashedRows()
            .reshaped(rows: histories.count, columns: K * d)
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        HistoryRouting(items: items, weights: parameters[votesName])
    }
}

/// The items of a batch of histories, position by position, so that what belongs to a position is one product.
private struct RowsByPosition {
    /// Row numbers of the items.
    private(set) var ids: [Int32]
    /// Where each position starts among `ids`, and the end of the last; the last position is the newest items'.
    private(set) var offsets: [Int]
    /// For each history, oldest first, where its items stand among `ids`.
    private(set) var histories = RaggedRows()

    init(_ batch: RaggedRows, count: Int) {
        precondition(batch.longest <= count, "a history of \(batch.longest) items for \(count) positions")
        var sizes = [Int](repeating: 0, count: count)
        for row in 0..<batch.count {
            for place in 0..<batch[row].count { sizes[count - 1 - place] += 1 }
        }
        offsets = sizes.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        ids = [Int32](repeating: 0, count: batch.ids.count)
        var next = offsets
        for row in 0..<batch.count {
            let history = batch[row]
            let first = count - history.count
            for (place, id) in history.enumerated() { ids[next[first + place]] = id }
            histories.append(next[first..<count].map { Int32($0) })
            for position in first..<count { next[position] += 1 }
        }
    }
}
