import CKernels

/// The candidates of one greedy re-ranking: how relevant each is, and how similar to what was chosen.
///
/// Vectors lie in panels of 64 candidates, element by element, so that a chosen item is compared with a whole panel in
/// registers and nothing is summed across lanes. Refilling reuses the storage.
public struct CandidatePanels: Sendable {
    private static let width = CK_PANEL

    /// How many candidates there are.
    public private(set) var count = 0
    /// The row of each candidate's vector; `unnumbered` for a vector from elsewhere.
    private var ids: [Int32] = []
    private let unnumbered: Int32 = -1
    private var panels: [Float] = []
    private var relevance: [Float] = []
    /// Each candidate's largest similarity to a chosen item, infinite for the chosen ones and for padding.
    private var nearest: [Float] = []

    /// No candidates.
    public init() {}

    /// `count` rounded up to whole panels.
    public var paddedCount: Int { nearest.count }

    /// Takes the vectors and scores of candidates, of which none is chosen yet.
    ///
    /// - Parameters:
    ///   - candidates: Rows of `vectors` with their relevance, which is finite.
    ///   - vectors: Vectors, one a row.
    ///   - others: Candidates whose vector is another one.
    public mutating func fill(_ candidates: [Scored], from vectors: Matrix, except others: [CandidateVector] = []) {
        count = candidates.count
        let padded = (count + Self.width - 1) / Self.width * Self.width
        ids.removeAll(keepingCapacity: true)
        relevance.removeAll(keepingCapacity: true)
        nearest.removeAll(keepingCapacity: true)
        for candidate in candidates {
            ids.append(candidate.id)
            relevance.append(candidate.score)
            nearest.append(-.infinity)
        }
        for other in others { ids[other.position] = 0 }
        for id in ids { precondition(id >= 0 && id < vectors.rows, "row \(id) is outside 0..<\(vectors.rows)") }
        while nearest.count < padded {
            relevance.append(0)
            nearest.append(.infinity)
        }
        let room = padded * vectors.columns
        if panels.count < room { panels = [Float](repeating: 0, count: room) }
        vectors.withPointer { rows in
            unsafe ck_gather_panels(rows, ids, count, vectors.columns, &panels)
        }
        for other in others {
            precondition(
                other.vectors.columns == vectors.columns && 0..<other.vectors.rows ~= other.row,
                "row \(other.row) of \(other.vectors.shape) beside rows of \(vectors.columns) columns"
            )
            ids[other.position] = unnumbered
            let (column, row) = (firstElement(other.position, vectors.columns), other.row * vectors.columns)
            for j in 0..<vectors.columns { panels[column + j * Self.width] = other.vectors.elements[row + j] }
        }
    }

    /// Where a candidate's first element is; the following ones are `width` apart.
    private func firstElement(_ position: Int, _ columns: Int) -> Int {
        position / Self.width * Self.width * columns + position % Self.width
    }

    /// Chooses a candidate and finds the best one after it.
    ///
    /// The best has the largest `(1 - diversity) * relevance - diversity * s`, `s` being its largest similarity to a
    /// chosen candidate; ties go to the earlier one. Similarity is the cosine; where both have categories it is the mean
    /// of the cosine and of Jaccard's index of the categories.
    ///
    /// - Parameters:
    ///   - position: Which candidate joins the chosen ones.
    ///   - vectors: The vectors that the candidates were taken from.
    ///   - diversity: More than 0, up to 1.
    ///   - categories: How many categories each candidate has, then zeros up to ``paddedCount``.
    ///   - shared: How many of them the chosen candidate has too, up to ``paddedCount``.
    /// - Returns: The position of the best candidate; of no meaning when all are chosen.
    /// - Complexity: O(`count` * columns).
    public mutating func choose(
        _ position: Int,
        from vectors: Matrix,
        diversity: Float,
        categories: [Float],
        shared: [Float]
    ) -> Int {
        precondition(position >= 0 && position < count, "candidate \(position) is outside 0..<\(count)")
        precondition(diversity > 0 && diversity <= 1, "a diversity of \(diversity) is outside 0...1")
        precondition(
            categories.count == paddedCount && shared.count == paddedCount,
            "\(categories.count) and \(shared.count) counts for \(paddedCount) places"
        )
        precondition(panels.count >= paddedCount * vectors.columns, "vectors of \(vectors.columns) columns")
        nearest[position] = .infinity
        let isNumbered = ids[position] != unnumbered
        let source =
            isNumbered
            ? vectors : Matrix(rows: 1, columns: vectors.columns, elements: panelVector(position, vectors.columns))
        let row = isNumbered ? Int(ids[position]) : 0
        return source.withPointer { rows in
            unsafe ck_marginal_choice(
                panels,
                paddedCount,
                vectors.columns,
                rows + row * vectors.columns,
                relevance,
                diversity,
                categories,
                shared,
                categories[position],
                &nearest
            )
        }
    }

    /// A candidate's vector, read back from the panels.
    private func panelVector(_ position: Int, _ columns: Int) -> [Float] {
        let first = firstElement(position, columns)
        return (0..<columns).map { panels[first + $0 * Self.width] }
    }
}

/// A vector of a candidate that is not among the rows that the other candidates are.
public struct CandidateVector: Sendable {
    /// The candidate's position.
    public var position: Int
    /// What holds its vector.
    public var vectors: Matrix
    /// Which row of `vectors` it is.
    public var row: Int

    /// Names a row.
    public init(position: Int, vectors: Matrix, row: Int) {
        self.position = position
        self.vectors = vectors
        self.row = row
    }
}
