import CKernels

/// The candidates of one greedy re-ranking: each one's relevance, and its similarity to the chosen items.
///
/// Vectors lie in panels of 64 candidates, element by element. So a chosen item is compared with a whole panel in
/// registers, without sums across lanes. Refilling reuses the storage.
public struct CandidatePanels: Sendable {
    private static let width = CK_PANEL

    /// The number of candidates.
    public private(set) var count = 0
    /// The row of each candidate's vector; `unnumbered` for a vector of another matrix.
    private var ids: [Int32] = []
    private let unnumbered: Int32 = -1
    private var panels: [Float] = []
    private var relevance: [Float] = []
    /// Each candidate's largest similarity to a chosen item; infinite for chosen candidates and padding.
    private var nearest: [Float] = []

    /// No candidates.
    public init() {}

    /// `count` rounded up to whole panels.
    public var paddedCount: Int { nearest.count }

    /// Replaces the candidates; none of them is chosen yet.
    ///
    /// - Parameters:
    ///   - candidates: Rows of `vectors` with their relevance, which is finite.
    ///   - vectors: One vector per row.
    ///   - others: Candidates whose vectors are not in `vectors`.
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

    /// The position of a candidate's first element; the following elements are `width` apart.
    private func firstElement(_ position: Int, _ columns: Int) -> Int {
        position / Self.width * Self.width * columns + position % Self.width
    }

    /// Chooses a candidate and finds the best of the others.
    ///
    /// The best has the largest `(1 - diversity) * relevance - diversity * s`, where `s` is its largest similarity to a
    /// chosen candidate; ties go to the earlier candidate. Similarity is the cosine. If both have categories, it is the
    /// mean of the cosine and of Jaccard's index of the categories.
    ///
    /// - Parameters:
    ///   - position: The candidate to choose.
    ///   - vectors: The `vectors` that ``fill(_:from:except:)`` got.
    ///   - diversity: More than 0, up to 1.
    ///   - categories: The number of categories of each candidate, then zeros up to ``paddedCount``.
    ///   - shared: The number of categories that each candidate shares with the chosen one, up to ``paddedCount``.
    /// - Returns: The position of the best candidate; meaningless if all are chosen.
    /// - Complexity: O(`count` * columns).
    public mutating func choose(
        _ position: Int,
        from vectors: Matrix,
        diversity: Float,
        categories: [Float],
        shared: [Float]
    ) -> Int {
        precondition(position >= 0 && position < count, "candidate \(position) is outside 0..<\(count)")
        precondition(diversity > 0 && diversity <= 1, "diversity must be above 0 and at most 1; got \(diversity)")
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

/// The vector of a candidate that is not a row of the common matrix.
public struct CandidateVector: Sendable {
    /// The candidate's position.
    public var position: Int
    /// The matrix that holds its vector.
    public var vectors: Matrix
    /// The row of `vectors`.
    public var row: Int

    /// Refers to a row.
    public init(position: Int, vectors: Matrix, row: Int) {
        self.position = position
        self.vectors = vectors
        self.row = row
    }
}
