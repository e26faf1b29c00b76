import Kernels
import VectorIndex

/// The requests that a snapshot must answer before it may serve.
///
/// They touch the memory that live requests will need, and detect a checkpoint that loads but gives wrong answers.
struct WarmUp {
    /// How many items a probe asks for.
    private static let answers = 50
    /// Estimating the recall may compare this many vector elements exactly, but runs at least `fewestExact`
    /// searches.
    private static let exactElements = 1 << 28
    private static let fewestExact = 8
    private static let mostExact = 64
    /// How long a search outside of the process may take, in nanoseconds: the first ones read from disks.
    private static let patience: UInt64 = 10_000_000_000

    private let snapshot: ServingSnapshot
    private let workspace: any InferenceWorkspace
    private let searching = SearchWorkspace()

    /// A warm-up of a snapshot.
    init(of snapshot: ServingSnapshot) {
        self.snapshot = snapshot
        workspace = snapshot.encoder.makeWorkspace()
        searching.timeout = Self.patience
    }

    /// Answers recorded histories and made-up ones, and compares some of the answers with the exact ones.
    ///
    /// - Parameters:
    ///   - requests: How many made-up histories; they walk through the catalogue.
    ///   - histories: Recorded histories, ids oldest first; those without a known id are skipped.
    ///   - minRecall: The least recall over all compared answers.
    /// - Throws: ``SnapshotError/failedProbe(_:)``.
    func run(requests: Int, histories: [[String]], minRecall: Double) throws(SnapshotError) {
        let elements = max(1, snapshot.itemCount * snapshot.encoder.dimension)
        var exactLeft = min(Self.mostExact, max(Self.fewestExact, Self.exactElements / elements))
        var (found, wanted) = (0, 0)
        func answer(_ history: [Int32], seed: UInt64) throws(SnapshotError) {
            let user = try userVector(of: history, seed: seed)
            let answered = try search(snapshot.index, user)
            guard exactLeft > 0 else { return }
            exactLeft -= 1
            let exact = Set(try search(snapshot.exactIndex, user).map(\.id))
            found += answered.count { exact.contains($0.id) }
            wanted += exact.count
        }
        for (number, ids) in histories.enumerated() {
            let known = ids.compactMap(snapshot.identifiers.number).suffix(snapshot.encoder.historyLength)
            if !known.isEmpty { try answer(Array(known), seed: UInt64(number)) }
        }
        for request in 0..<requests {
            let length = 1 + request % snapshot.encoder.historyLength
            let history = (0..<length).map { Int32((request * 7919 + $0 * 31) % snapshot.itemCount) }
            try answer(history, seed: UInt64(request))
        }
        let recall = Double(found) / Double(max(1, wanted))
        guard wanted == 0 || recall >= minRecall else {
            throw .failedProbe("its index has a recall of \(recall), but MIN_RECALL is \(minRecall)")
        }
    }

    private func userVector(of history: [Int32], seed: UInt64) throws(SnapshotError) -> [Float] {
        let encoder = snapshot.encoder
        workspace.removeAll()
        encoder.add(history: history[...], seed: seed, steps: encoder.maxSteps, samples: 1, to: workspace)
        encoder.generate(in: workspace)
        let user = Array(workspace.userVectors.prefix(encoder.dimension))
        guard user.count == encoder.dimension, user.allSatisfy(\.isFinite) else {
            throw .failedProbe("the user vector of items \(history) is not finite")
        }
        return user
    }

    private func search(_ index: any VectorIndex, _ user: [Float]) throws(SnapshotError) -> [Scored] {
        let k = min(Self.answers, snapshot.itemCount)
        searching.beginAnswer()
        index.search(user.span, k: k, effort: nil, among: Eligibility(), in: searching)
        let found = searching.results
        guard searching.completeness == .whole else {
            throw .searchUnavailable("The servers of SEARCH did not all answer while the version warmed up.")
        }
        guard found.count == k, found.allSatisfy({ $0.score.isFinite && 0..<snapshot.itemCount ~= Int($0.id) }) else {
            throw .failedProbe("a search for \(k) items found \(found.count), or one with a score that is not finite")
        }
        return found
    }
}
