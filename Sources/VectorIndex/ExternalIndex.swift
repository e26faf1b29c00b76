import Dispatch
public import Kernels

/// Finds candidates outside of the process, such as in the shards of a database.
public protocol CandidateSource: Sendable {
    /// The most candidates that one question can return from a part.
    var most: Int { get }

    /// How long the searches for one answer may take together, in nanoseconds.
    var timeout: UInt64 { get }

    /// Asks all parts at once for the items whose vectors have the largest inner product with a query.
    ///
    /// The calling thread waits for the answers.
    ///
    /// - Parameters:
    ///   - query: A vector of finite elements.
    ///   - count: How many items to return from each part, at most ``most``.
    ///   - effort: The source's own trade-off of recall and time; nil is its default.
    ///   - deadline: When parts that have not answered count as missing. Unit: nanoseconds of the system's uptime.
    /// - Returns: The candidates of all parts.
    func candidates(near query: Span<Float>, count: Int, effort: Int?, until deadline: UInt64) -> Candidates
}

/// The candidates of the parts of a source.
public struct Candidates: Sendable {
    /// Item numbers in any order, each once.
    public var items: [Int32]
    /// Whether all parts answered.
    public var completeness: Completeness

    /// Groups the parts.
    public init(items: [Int32], completeness: Completeness) {
        self.items = items
        self.completeness = completeness
    }
}

/// How much of a catalogue outside of the process the searches for an answer have reached.
public enum Completeness: Int, Sendable, Comparable {
    /// Too little for an answer.
    case none
    /// Some parts did not answer, and the answer may lack their items.
    case partial
    /// Everything; an index in the process always reaches everything.
    case whole

    /// More reached items are greater.
    public static func < (left: Completeness, right: Completeness) -> Bool { left.rawValue < right.rawValue }
}

/// An index whose candidates come from outside of the process and are scored exactly here.
///
/// Scores, ties and restrictions are those of an index in the process; only the choice of the candidates is the
/// source's. A restriction applies to the candidates, so a search fetches as many more as the restriction is likely to
/// remove. It scores all eligible items here, as an exact index does, if that costs less, if the source cannot return
/// enough, or if too few of its candidates are eligible.
///
/// Complexity: one question to the source, and O(candidates * dimension).
public struct ExternalIndex: VectorIndex {
    /// Scoring this many eligible items here takes as long as fetching one candidate.
    private static let itemsPerCandidate = 128
    /// A restricted search fetches this many times the candidates that are expected to suffice.
    private static let reserve = 1.25

    private let vectors: Matrix
    private let exact: FlatIndex
    private let source: any CandidateSource

    /// An index over unit vectors, one a row, that the source holds too.
    ///
    /// - Throws: ``IndexError`` for a vector that is not of length one.
    public init(vectors: Matrix, source: any CandidateSource) throws(IndexError) {
        exact = try FlatIndex(vectors: vectors)
        self.vectors = vectors
        self.source = source
    }

    /// The number of items.
    public var count: Int { vectors.rows }

    /// The length of every vector and query.
    public var dimension: Int { vectors.columns }

    /// True.
    public var isExternal: Bool { true }

    /// Finds the best `k` eligible items among the source's candidates.
    ///
    /// The workspace's ``SearchWorkspace/completeness`` says whether all parts of the source answered.
    ///
    /// - Parameters:
    ///   - query: A vector of `dimension` finite elements.
    ///   - k: The number of items to return; fewer are returned only if fewer are eligible or parts are missing.
    ///   - effort: The source's own trade-off of recall and time.
    ///   - eligible: The items that may be returned.
    ///   - workspace: The calling thread's own.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        precondition(query.count == dimension, "a query of \(query.count) elements against \(dimension)")
        guard workspace.completeness > .none else { return workspace.removeResults() }
        let k = min(k, count)
        guard let fetched = fetchedCandidates(k, among: eligible) else {
            return searchHere(query, k, effort, among: eligible, in: workspace)
        }
        let deadline = min(workspace.deadline, workspace.startOfSearches() &+ (workspace.timeout ?? source.timeout))
        let found = source.candidates(near: query, count: fetched, effort: effort, until: deadline)
        workspace.completeness = min(workspace.completeness, found.completeness)
        workspace.rescore(found.items, of: vectors, query, k: k, among: eligible)
        guard workspace.results.count < k, found.completeness == .whole else { return }
        // Fewer answers only if fewer items are eligible.
        searchHere(query, k, effort, among: eligible, in: workspace)
    }

    /// How many candidates to fetch from each part; nil to score all eligible items here.
    private func fetchedCandidates(_ k: Int, among eligible: borrowing Eligibility) -> Int? {
        let allowed = eligible.allowed.map { min($0.count, count) } ?? count
        let left = Double(allowed) * (1 - Double(eligible.removed?.count ?? 0) / Double(max(1, count)))
        let wanted = k + eligible.excluded.count
        let isRestricted = left < Double(count)
        let fetched = isRestricted ? Double(wanted) * Double(count) / left * Self.reserve : Double(wanted)
        guard k > 0, left >= 1, fetched <= Double(min(source.most, count - 1)) else { return nil }
        guard !isRestricted || left > fetched * Double(Self.itemsPerCandidate) else { return nil }
        return Int(fetched.rounded(.up))
    }

    private func searchHere(
        _ query: Span<Float>,
        _ k: Int,
        _ effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        exact.search(query, k: k, effort: effort, among: eligible, in: workspace)
        workspace.fellBack = true
    }

    /// The saved form of the vectors' exact index: the source keeps its own.
    public func serialised() -> [UInt8] { exact.serialised() }
}

extension SearchWorkspace {
    /// When the searches for the current answer began, in nanoseconds of uptime; the first of them sets it.
    fileprivate func startOfSearches() -> UInt64 {
        if let start { return start }
        let now = DispatchTime.now().uptimeNanoseconds
        start = now
        return now
    }

    /// Leaves no results.
    fileprivate func removeResults() {
        (scanned, rescored, fellBack) = (0, 0, false)
        results.removeAll(keepingCapacity: true)
    }

    /// Scores candidates exactly and leaves the best `k` eligible ones in `results`.
    fileprivate func rescore(
        _ found: [Int32],
        of vectors: Matrix,
        _ query: Span<Float>,
        k: Int,
        among eligible: borrowing Eligibility
    ) {
        let (allowed, removed) = (eligible.allowed, eligible.removed)
        withExclusions(eligible.excluded, items: vectors.rows) {
            listEligible(found, allowed, removed)
            (scanned, rescored, fellBack) = (found.count, rows.count, false)
            vectors.scores(of: query, atRows: rows, into: &scores)
            ranked.best(k, of: &scores, &rows, count: rows.count, into: &results)
        }
    }
}
