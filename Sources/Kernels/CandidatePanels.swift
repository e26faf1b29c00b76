import CKernels

/// The candidates of one greedy re-ranking: how relevant each is, and how similar to what was chosen.
///
/// Vectors lie in panels of 64 candidates, element by element, so that a chosen item is compared with a whole panel in
/// registers and nothing is summed across lanes. Refilling reuses the storage.
public struct CandidatePanels: Sendable {
    private static let width = CK_PANEL

    /// How many candidates there are.
    public private(set) var count = 0
    private var ids: [Int32] = []
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
    public mutating func fill(_ candidates: [Scored], from vectors: Matrix) {
        count = candidates.count
        let padded = (count + Self.width - 1) / Self.width * Self.width
        ids.removeAll(keepingCapacity: true)
        relevance.removeAll(keepingCapacity: true)
        nearest.removeAll(keepingCapacity: true)
        for candidate in candidates {
            precondition(
                candidate.id >= 0 && candidate.id < vectors.rows,
                "row \(candidate.id) is outside 0..<\(vectors.rows)"
            )
            ids.append(candidate.id)
            relevance.append(candidate.score)
            nearest.append(-.infinity)
        }
        while nearest.count < padded {
            relevance.append(0)
            nearest.append(.infinity)
        }
        let room = padded * vectors.columns
        if panels.count < room { panels = [Float](repeating: 0, count: room) }
        vectors.withPointer { rows in
            unsafe ck_gather_panels(rows, ids, count, vectors.columns, &panels)
        }
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
        return vectors.withPointer { rows in
            unsafe ck_marginal_choice(
                panels,
                paddedCount,
                vectors.columns,
                rows + Int(ids[position]) * vectors.columns,
                relevance,
                diversity,
                categories,
                shared,
                categories[position],
                &nearest
            )
        }
    }
}
