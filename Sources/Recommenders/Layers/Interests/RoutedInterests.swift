import Autodiff
import Kernels

/// Dynamic routing (method, section 3.4): items vote for interests, and routing by agreement decides how much of each
/// item goes to which interest.
///
/// Positions count from the newest item, which has the last position. So a short history uses the parameters of the
/// last positions, which most other histories train too.
struct RoutedInterests: InterestModule {
    /// How items vote.
    enum Votes: Sendable {
        /// `u_pk = x_p W_pk`: every position has a matrix `[d, K d]` of its own (ComiRec-DR, Cen et al., KDD 2020).
        /// Logits start at 0.
        case byPosition
        /// `u_pk = x_p W`: all positions and interests share one matrix `[d, d]` (MIND, Li et al., CIKM 2019).
        ///
        /// With equal logits all interests would stay equal, so each logit `b_kp` starts at a standard normal number.
        /// The originals draw new numbers for each request. Here they depend only on interest and position, like a
        /// table of sinusoids. So training and serving route in the same way, a history gets the same interests in
        /// every batch, and the model can learn to use an interest's preference for certain positions.
        case shared
    }

    /// The prefix of the parameter's name.
    let prefix: String
    /// Width of item rows (d).
    let dimension: Int
    /// How items vote.
    let votes: Votes
    /// The initial routing logits, `[K, N]`.
    private let logits: Matrix

    /// A module of K interests for histories of at most N items.
    init(prefix: String, dimension: Int, historyLength: Int, interests: Int, votes: Votes) {
        self.prefix = prefix
        self.dimension = dimension
        self.votes = votes
        var logits = Matrix(rows: interests, columns: historyLength)
        if votes == .shared {
            let generator = CounterBasedGenerator(seed: 0, purpose: .routing)
            for age in 0..<historyLength {
                let normals = generator.normals(stream: UInt64(age), count: interests)
                for (interest, normal) in normals.enumerated() { logits[interest, historyLength - 1 - age] = normal }
            }
        }
        self.logits = logits
    }

    private var interests: Int { logits.rows }
    private var historyLength: Int { logits.columns }

    /// The name of the positions' matrices, one below the other, `[N d, K d]`, or of the shared matrix, `[d, d]`.
    private var votesName: String { prefix + ".votes" }

    var layout: ParameterLayout {
        let d = dimension
        let (rows, columns) = votes == .shared ? (d, d) : (historyLength * d, interests * d)
        let deviation = 1 / Double(d).squareRoot()
        return [votesName: .normal(rows: rows, columns: columns, deviation: deviation)]
    }

    func interests(
        items: Variable,
        histories: RaggedRows,
        parameters: ParameterSet,
        noise: NoiseSource?
    ) -> Variable {
        let (K, d) = (interests, dimension)
        let matrices = items.tape.parameter(votesName, from: parameters)
        let votesOfRows: Variable
        let rows: RaggedRows
        switch votes {
        case .byPosition:
            let positions = RowsByPosition(histories, count: historyLength)
            votesOfRows = items.gatheringRows(positions.ids).groupedProduct(matrices, offsets: positions.offsets)
            rows = positions.histories
        case .shared:
            votesOfRows = .joinedColumns([Variable](repeating: items.product(matrices), count: K))
            rows = histories
        }
        let weights = InterestRouting.weights(of: votesOfRows.value, histories: rows, logits: logits)
        return votesOfRows.weightedSums(weights, histories: rows, interests: K)
            .reshaped(rows: histories.count * K, columns: d)
            .squashedRows()
            .reshaped(rows: histories.count, columns: K * d)
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        let own = parameters[votesName]
        let weights =
            votes == .shared ? Matrix(joiningColumns: [Matrix](repeating: own, count: interests)) : own
        return HistoryRouting(items: items, weights: weights, logits: logits)
    }
}

/// The items of a batch of histories, grouped by position, so that each position needs one product.
private struct RowsByPosition {
    /// Row numbers of the items.
    private(set) var ids: [Int32]
    /// Where each position starts in `ids`, and the end of the last; the last position holds the newest items.
    private(set) var offsets: [Int]
    /// For each history, oldest first, the places of its items in `ids`.
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
