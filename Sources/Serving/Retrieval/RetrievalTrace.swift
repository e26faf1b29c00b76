public import Kernels
import Recommenders
import VectorIndex

/// An explanation of one answer, for inspection.
public struct RetrievalTrace: Sendable {
    /// The interest that an answered item is nearest to.
    public struct Closest: Sendable, Equatable {
        /// Row of the interest in ``UserTrace/interests``.
        public let interest: Int
        /// Cosine of that interest and the item.
        public let cosine: Float
    }

    /// The answer, the same as in serving.
    public let response: RetrievalResponse
    /// The items of the history that the model read, oldest first: the newest known ones.
    public let history: [Int32]
    /// Interests and path; nil in a fallback, and for a system without item vectors.
    public let user: UserTrace?
    /// The nearest interest of every answered item, in order; empty in a fallback.
    public let closest: [Closest]
    /// The part of every answered item's score that comes from counts, in order; empty without counts, and for a fused
    /// answer, whose scores are no sums.
    public let countScores: [Float]
    /// The items nearest to every interest, best first; they show its topic.
    public let nearest: [[Scored]]
    /// The slot of rule-based guidance behind every interest; empty for other guidance.
    public let slots: [FilledSlot]
}

extension RetrievalService {
    /// Answers a request and explains the answer.
    ///
    /// It is slower than serving, so do not call it on an event loop. With several samples, the path is that of the
    /// first.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - labels: How many of the nearest items to find for each interest.
    /// - Returns: The answer of ``retrieve(_:workspace:)`` and its explanation.
    /// - Throws: ``RetrievalError``.
    public func trace(_ request: RetrievalRequest, labels: Int = 3) throws(RetrievalError) -> RetrievalTrace {
        var request = request
        request.explain = true
        let response = try retrieve(request, workspace: RetrievalWorkspace())
        let snapshot = response.snapshot
        let isPredicted = response.fallback == nil && response.fused?.isLedByPrediction != false
        guard isPredicted, snapshot.hasItemVectors else {
            return RetrievalTrace(
                response: response,
                history: [],
                user: nil,
                closest: [],
                countScores: [],
                nearest: [],
                slots: []
            )
        }
        var history: [Int32] = []
        var lookup = IdentifierTable.Lookup()
        let oldest = max(0, request.history.count - limits.maxHistory)
        snapshot.identifiers.appendNumbers(of: request.history, from: oldest, to: &history, &lookup)
        snapshot.live?.dropTakenOut(of: &history)
        var read = history
        snapshot.live?.substituteBuilt(in: &read)
        let counted = snapshot.countScores(of: response.systemScores, after: read)
        history = history.suffix(snapshot.encoder.historyLength)
        read = read.suffix(snapshot.encoder.historyLength)
        let slots = snapshot.guidanceItems(request.guidance, after: read[...], seed: response.seed)
        let user = snapshot.encoder.trace(
            history: read[...],
            slots: slots,
            seed: response.seed,
            // A fused answer has the most steps of its sources; this encoder may have fewer.
            steps: min(request.steps ?? snapshot.encoder.defaultSteps, snapshot.encoder.maxSteps)
        )
        let interests = user.interests.normalisedRows().unit
        return RetrievalTrace(
            response: response,
            history: history,
            user: user,
            closest: response.items.map { Self.closest(to: snapshot.vector(of: $0.id), among: interests) },
            countScores: counted,
            nearest: (0..<interests.rows).map { row in
                snapshot.localIndex.search(interests.row(row).span, k: min(labels, snapshot.itemCount))
            },
            slots: snapshot.filledSlots(request.guidance, after: read[...], seed: response.seed)
        )
    }

    private static func closest(to item: [Float], among interests: Matrix) -> RetrievalTrace.Closest {
        let cosines = interests.scores(of: item)
        let best = cosines.indices.max { cosines[$0] < cosines[$1] } ?? 0
        return RetrievalTrace.Closest(interest: best, cosine: cosines[best])
    }
}

extension RetrievalResponse {
    /// The items with their scores before boosts; none of a fused answer, whose scores are not those of one system.
    fileprivate var systemScores: [Scored] {
        guard fused == nil else { return [] }
        return reasons.isEmpty ? items : zip(items, reasons).map { Scored(id: $0.id, score: $1.base) }
    }
}

extension ServingSnapshot {
    /// The part of each answered score that comes from counts, after a history of built items; empty without counts.
    ///
    /// With a slope other than 1 it is the difference between the answered score and the system's own score. With a slope
    /// near 0 the own score cannot be computed back from the answered one, and counts as 0.
    fileprivate func countScores(of items: [Scored], after history: [Int32]) -> [Float] {
        guard let counts else { return [] }
        var linked = LinkedItems()
        linked.collect(history[...], counts)
        return items.map { item in
            guard let place = linked.place(ifLinked: item.id) else { return 0 }
            let terms = linked.terms(at: place)
            let slope = counts.slope(terms)
            guard slope != 1 else { return counts.score(terms) }
            return abs(slope) > 0.01 ? item.score - (item.score - counts.score(terms)) / slope : item.score
        }
    }
}
