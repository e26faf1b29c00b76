import CheckpointStore
import Dispatch
import Kernels
import Recommenders
import VectorIndex

/// The reusable buffers of one thread; serves one request, or one batch of them, at a time.
///
/// It keeps no snapshot, because the loader of versions decides when an old one's memory is freed.
public final class RetrievalWorkspace {
    /// The state of one request between its preparation and its answer.
    struct User {
        /// Position of the user's items among those of the batch.
        var slot: Int
        /// How many ids of the history are not in the catalogue.
        var unknownIDs: Int
        /// Seed of the noise.
        var seed: UInt64 = 0
        /// How many reverse steps.
        var steps = 0
        /// The rows of the user's vectors; none when no item of the history is known.
        var vectors = 0..<0
        /// How long the stages took.
        var times = StageTimes()
    }

    private struct Slot {
        /// Known items of the history, oldest first, with added items replaced by built ones.
        var history: [Int32] = []
        /// Items that the answer must not contain.
        var exclusions: [Int32] = []
    }

    /// The index's buffers.
    let searching = SearchWorkspace()
    /// The re-rankings' buffers.
    let reranking = MaximalMarginalRelevance()
    let penalising = CategoryPenalty()
    /// Merges the lists of several sources.
    var fusing = SourceFusion()
    private var merging = SampleMerge()
    private var counted = CountedAnswers()
    private var lookup = IdentifierTable.Lookup()
    /// The buffers of the last encoders, newest first: requests of a split alternate between a few versions.
    private var inferences: [(generation: UInt64, workspace: any InferenceWorkspace)] = []
    private var slots = [Slot()]
    private var users = 0
    private var vectors = 0

    /// An empty workspace.
    public init() {}

    /// Starts a batch of requests to a snapshot.
    func begin(_ snapshot: ServingSnapshot) {
        users = 0
        vectors = 0
        if inference?.generation != snapshot.generation {
            if let known = inferences.firstIndex(where: { $0.generation == snapshot.generation }) {
                inferences.swapAt(0, known)
            } else {
                inferences.insert((snapshot.generation, snapshot.encoder.makeWorkspace()), at: 0)
                if inferences.count > Self.mostEncoders { inferences.removeLast() }
            }
        }
        inference?.workspace.removeAll()
    }

    private static let mostEncoders = SourceBlend.mostSources

    private var inference: (generation: UInt64, workspace: any InferenceWorkspace)? { inferences.first }

    /// Looks up the items of the batch's next request.
    func lookUp(_ request: borrowing RetrievalRequest, in snapshot: ServingSnapshot, maxHistory: Int) -> User {
        let slot = users
        users += 1
        if slots.count < users { slots.append(Slot()) }
        slots[slot].history.removeAll(keepingCapacity: true)
        slots[slot].exclusions.removeAll(keepingCapacity: true)
        let oldest = max(0, request.history.count - maxHistory)
        let identifiers = snapshot.identifiers
        identifiers.appendNumbers(of: request.history, from: oldest, to: &slots[slot].history, &lookup)
        snapshot.live?.dropTakenOut(of: &slots[slot].history)
        if request.excludeHistory { slots[slot].exclusions.append(contentsOf: slots[slot].history) }
        identifiers.appendNumbers(of: request.exclude, from: 0, to: &slots[slot].exclusions, &lookup)
        snapshot.live?.substituteBuilt(in: &slots[slot].history)
        return User(slot: slot, unknownIDs: request.history.count - oldest - slots[slot].history.count)
    }

    /// Items that a user's answer must not contain.
    func exclusions(of user: User) -> [Int32] { slots[user.slot].exclusions }

    /// Adds a user to the encoder's batch, unless no item of the history is known.
    ///
    /// - Parameters:
    ///   - user: The user; receives the places of its vectors.
    ///   - samples: How many vectors to generate.
    ///   - guidance: The rules for the slots of rule-based guidance; nil for those of the recipe.
    ///   - snapshot: The version.
    func addToBatch(_ user: inout User, samples: Int, guidance: GuidanceSlots?, of snapshot: ServingSnapshot) {
        let encoder = snapshot.encoder
        let history = slots[user.slot].history.suffix(encoder.historyLength)
        guard let inference, !history.isEmpty else { return }
        encoder.add(
            history: history,
            slots: snapshot.guidanceItems(guidance, after: history, seed: user.seed),
            seed: user.seed,
            steps: user.steps,
            samples: samples,
            to: inference.workspace
        )
        let count = samples * encoder.vectorsPerSample
        user.vectors = vectors..<vectors + count
        vectors += count
    }

    /// Computes the vectors of the batch and returns how long it took, in nanoseconds.
    func generate(with encoder: any UserEncoder) -> UInt64 {
        guard let inference, vectors > 0 else { return 0 }
        let start = DispatchTime.now().uptimeNanoseconds
        encoder.generate(in: inference.workspace)
        return DispatchTime.now().uptimeNanoseconds - start
    }

    /// A user's vectors of the batch, one a row.
    func vectors(of user: User, dimension d: Int) -> Matrix {
        let elements = inference?.workspace.userVectors[user.vectors.lowerBound * d..<user.vectors.upperBound * d] ?? []
        return Matrix(rows: user.vectors.count, columns: d, elements: Array(elements))
    }

    /// The interests of the batch's first user.
    ///
    /// - Precondition: The batch has a user with vectors.
    func interests(from encoder: any UserEncoder) -> Matrix {
        guard let inference else { preconditionFailure("interests before a batch") }
        return encoder.interests(in: inference.workspace)
    }

    /// The squared vector lengths that Float32 can score with; beyond them, products overflow or vanish.
    private static let usableLengths = 1e-20...1e30

    /// Whether vectors of the batch can rank a snapshot's items: scores must be finite, and vectors zero or of a
    /// usable length.
    func areUsable(_ rows: Range<Int>, of snapshot: ServingSnapshot) -> Bool {
        guard let vectors = inference?.workspace.userVectors else { return false }
        let d = snapshot.encoder.dimension
        guard snapshot.hasItemVectors else {
            return isFinite(vectors.span.extracting(rows.lowerBound * d..<rows.upperBound * d))
        }
        return rows.allSatisfy { row in
            let length = vectors[row * d..<(row + 1) * d].reduce(0.0) { $0 + Double($1) * Double($1) }
            return length == 0 || Self.usableLengths.contains(length)
        }
    }

    /// How many items the searches for the current answer looked at.
    private(set) var candidates = SearchedCandidates()
    /// Whether one of them scored every eligible item although the index could have searched.
    private(set) var fellBack = false

    /// Starts an answer, for which rules may search several times.
    func beginAnswer() {
        searching.beginAnswer()
        candidates = SearchedCandidates()
        fellBack = false
    }

    /// When the caller stops waiting for an index outside of the process, in nanoseconds of the system's uptime.
    package var deadline: UInt64 {
        get { searching.deadline }
        set { searching.deadline = newValue }
    }

    /// Whether the searches for the current answer lack a part of the catalogue.
    ///
    /// - Throws: ``RetrievalError/searchUnavailable`` or ``RetrievalError/deadlineExceeded`` if they lack too much.
    func requireReached() throws(RetrievalError) -> Bool {
        guard searching.completeness < .whole else { return false }
        guard DispatchTime.now().uptimeNanoseconds < deadline else { throw .deadlineExceeded }
        guard searching.completeness > .none else { throw .searchUnavailable }
        return true
    }

    /// The best `k` items over vectors of the batch, best first; an item's score is the largest over the vectors.
    ///
    /// Item numbers are below `bound`.
    func search(
        _ index: any VectorIndex,
        bound: Int,
        for rows: Range<Int>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility
    ) -> [Scored] {
        guard let vectors = inference?.workspace.userVectors else { preconditionFailure("a search before a batch") }
        func find(_ row: Int) {
            let d = index.dimension
            let vector = vectors.span.extracting(row * d..<(row + 1) * d)
            index.search(vector, k: k, effort: effort, among: eligible, in: searching)
            candidates.scanned += searching.scanned
            candidates.rescored += searching.rescored
            if searching.fellBack { fellBack = true }
        }
        if rows.count == 1 {
            find(rows.lowerBound)
            return searching.results
        }
        merging.removeAll()
        for row in rows {
            find(row)
            merging.append(searching.results)
        }
        return merging.best(k, bound: bound)
    }
}

extension RetrievalWorkspace {
    /// The best `k` items for a user by the sum of the vectors' scores and the count scores, best first.
    ///
    /// Each linked item that loses by its counts may make room for an item that the index has not returned. There may
    /// be hundreds of them, but few are among the best. So the first search asks for half as many items again, and a
    /// further search for twice as many, only while an item that was not returned may be among the best.
    ///
    /// - Complexity: The searches', and O(links of the history + linked items that can be among the best * d).
    func search(
        _ index: any VectorIndex,
        with counts: CountScores,
        for user: User,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in snapshot: ServingSnapshot
    ) -> [Scored] {
        let lowered = counted.collect(slots[user.slot].history[...], counts, among: eligible, snapshot.live?.index)
        let vectors = inference?.workspace.userVectors ?? []
        let most = min(k + lowered, snapshot.itemCount)
        var wanted = min(most, k + (k + 1) / 2)
        while true {
            let found = search(
                index,
                bound: snapshot.identifiers.count,
                for: user.vectors,
                k: wanted,
                effort: effort,
                among: eligible
            )
            candidates.rescored += counted.merge(found, k: k, vectors: vectors, users: user.vectors, in: snapshot)
            if wanted == most || found.count < wanted || counted.isFinal { return counted.results }
            wanted = min(most, 2 * wanted)
        }
    }
}

/// Whether every number is finite; the loop has no branch, so that it runs over whole registers.
private func isFinite(_ numbers: Span<Float>) -> Bool {
    var largest: UInt32 = 0
    for index in numbers.indices { largest = max(largest, numbers[index].magnitude.bitPattern) }
    return largest < Float.infinity.bitPattern
}

/// Merges several sorted lists of items into one, each item once with its best score.
struct SampleMerge {
    private var entries: [Scored] = []
    /// List `i` is `entries[ends[i - 1] ..< ends[i]]`; `next` is each list's first entry that was not taken yet.
    private var ends: [Int] = []
    private var next: [Int] = []
    private var taken = ItemSet(bound: 0)
    private var results: [Scored] = []

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
    }

    /// Adds a list, best first, ties by the lower number.
    mutating func append(_ list: [Scored]) {
        next.append(entries.count)
        entries.append(contentsOf: list)
        ends.append(entries.count)
    }

    /// The best `k` items of all lists, in the lists' order; items are numbered below `bound`.
    ///
    /// - Complexity: O(lists * (k + repeated entries)).
    mutating func best(_ k: Int, bound: Int) -> [Scored] {
        if taken.bound < bound { taken = ItemSet(bound: bound) }
        results.removeAll(keepingCapacity: true)
        while results.count < k {
            var best: Int?
            for list in next.indices {
                while next[list] < ends[list], taken.contains(entries[next[list]].id) { next[list] += 1 }
                guard next[list] < ends[list] else { continue }
                if let other = best, !Self.isBefore(entries[next[list]], entries[next[other]]) { continue }
                best = list
            }
            guard let best else { break }
            let entry = entries[next[best]]
            taken.insert(entry.id)
            results.append(entry)
        }
        for entry in results { taken.remove(entry.id) }
        return results
    }

    private static func isBefore(_ a: Scored, _ b: Scored) -> Bool {
        a.score > b.score || a.score == b.score && a.id < b.id
    }
}
