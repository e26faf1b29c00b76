import Kernels
import Synchronization

/// Checks some answers again, on a thread that gives way to the event loops.
///
/// It answers one in `recallSample` retrievals again by scoring every item, which estimates the index's recall on live
/// requests. It also sends shadow traffic to another version, which shows that version's
/// answers before it serves. It computes both versions of a shadowed request one after the other, so that their
/// times are comparable. It also keeps some histories to warm up the next version.
public final class AnswerSampler: Sendable {
    /// The most waiting samples; further ones are dropped.
    private static let capacity = 256
    /// One history of this many is kept, and the most histories that are kept.
    private static let historyInterval: UInt64 = 16
    private static let historyCapacity = 128
    /// The weight of each checked answer relative to the next one.
    private static let decay = 0.995

    private struct Sample {
        let request: RetrievalRequest
        let arm: TrafficArm
        let shadow: TrafficArm?
        /// The answered items, if their recall is to be checked.
        let answered: [Int32]?
    }

    private struct State {
        var waiting: [Sample] = []
        var histories: [[String]] = []
        var nextHistory = 0
        var report = Report()
        var found = 0.0
        var wanted = 0.0
    }

    /// The results of the samples so far.
    public struct Report: Sendable, Equatable {
        /// Upper bounds of ``overlap``'s buckets.
        public static let overlapBounds = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
        /// Upper bounds of ``timeRatio``'s buckets; one more bucket counts larger values.
        public static let ratioBounds = [0.25, 0.5, 0.8, 1, 1.25, 1.5, 2, 4]

        /// The index's recall, weighted towards new samples; nil before the first sample.
        public var recall: Double?
        /// Shadowed requests that both versions answered, by the share of items that the two answers have in common.
        public var overlap = [UInt64](repeating: 0, count: Report.overlapBounds.count)
        /// Sum of those shares.
        public var overlapSum = 0.0
        /// The same requests by the shadow's time divided by the time of the version that answered.
        public var timeRatio = [UInt64](repeating: 0, count: Report.ratioBounds.count + 1)
        /// Sum of those ratios.
        public var timeRatioSum = 0.0
        /// Samples that were dropped because too many waited.
        public var dropped: UInt64 = 0
        /// Shadowed requests that the shadow did not answer.
        public var failed: UInt64 = 0

        /// How many shadowed requests were compared.
        public var compared: UInt64 { overlap.reduce(0, +) }
    }

    private let recallSample: UInt64
    private let limits: RetrievalLimits
    private let requests = Atomic<UInt64>(0)
    private let state = Mutex(State())
    private let thread = BackgroundThread(name: "samples")

    /// A sampler.
    ///
    /// - Parameters:
    ///   - recallSample: One retrieval of this many is checked exactly; 0 checks none.
    ///   - limits: The bounds that the requests were checked against.
    public init(recallSample: Int, limits: RetrievalLimits = RetrievalLimits()) {
        self.recallSample = UInt64(recallSample)
        self.limits = limits
    }

    /// The results of the samples so far.
    public var report: Report { state.withLock(\.report) }

    /// Histories of recent requests, for warming up.
    public var recentHistories: [[String]] { state.withLock(\.histories) }

    /// Registers an answer; takes a few nanoseconds unless the answer becomes a sample.
    func note(
        _ request: borrowing RetrievalRequest,
        _ response: borrowing RetrievalResponse,
        answeredBy arm: TrafficArm,
        shadow: TrafficArm?
    ) {
        let number = requests.add(1, ordering: .relaxed).newValue
        if number % Self.historyInterval == 1 { keep(request.history) }
        let isChecked =
            recallSample > 0 && number % recallSample == 0 && response.fallback == nil && !request.exact
            && !request.isReranked && request.rules.isEmpty && !response.isPartial
        guard isChecked || shadow != nil else { return }
        let answered = isChecked ? response.items.map(\.id) : nil
        var copy = copy request
        copy.seed = response.seed
        enqueue(Sample(request: copy, arm: arm, shadow: shadow, answered: answered))
    }

    /// Waits until all samples so far were checked.
    package func waitUntilIdle() async {
        await withCheckedContinuation { continuation in thread.async { continuation.resume() } }
    }

    private func keep(_ history: borrowing IdentifierList) {
        let ids = history.strings
        guard !ids.isEmpty else { return }
        state.withLock { state in
            if state.histories.count < Self.historyCapacity {
                state.histories.append(ids)
            } else {
                state.histories[state.nextHistory] = ids
                state.nextHistory = (state.nextHistory + 1) % Self.historyCapacity
            }
        }
    }

    private func enqueue(_ sample: Sample) {
        let isFirst = state.withLock { state in
            guard state.waiting.count < Self.capacity else {
                state.report.dropped += 1
                return false
            }
            state.waiting.append(sample)
            return state.waiting.count == 1
        }
        if isFirst { thread.async { [self] in lookAtSamples() } }
    }

    private func lookAtSamples() {
        let samples = state.withLock { state in
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        let service = RetrievalService(holder: RoutingHolder(), limits: limits)
        let workspace = RetrievalWorkspace()
        for sample in samples {
            if let answered = sample.answered { checkRecall(sample, answered, service, workspace) }
            if let shadow = sample.shadow { compare(sample, with: shadow, service, workspace) }
        }
    }

    private func checkRecall(
        _ sample: Sample,
        _ answered: [Int32],
        _ service: RetrievalService,
        _ workspace: RetrievalWorkspace
    ) {
        var request = sample.request
        request.exact = true
        let uncounted = TrafficArm(sample.arm.snapshot)
        guard let exact = try? service.retrieve(request, from: uncounted, workspace: workspace), !exact.items.isEmpty
        else { return }
        let found = Set(answered).intersection(exact.items.map(\.id)).count
        state.withLock { state in
            state.found = state.found * Self.decay + Double(found)
            state.wanted = state.wanted * Self.decay + Double(exact.items.count)
            state.report.recall = state.found / state.wanted
        }
    }

    private func compare(
        _ sample: Sample,
        with shadow: TrafficArm,
        _ service: RetrievalService,
        _ workspace: RetrievalWorkspace
    ) {
        let uncounted = TrafficArm(sample.arm.snapshot)
        var request = sample.request
        guard let answer = try? service.retrieve(request, from: uncounted, workspace: workspace) else { return }
        // The other version may take fewer steps.
        request.steps = request.steps.map { min($0, shadow.snapshot.encoder.maxSteps) }
        guard let other = try? service.retrieve(request, from: shadow, workspace: workspace) else {
            state.withLock { $0.report.failed += 1 }
            return
        }
        let most = max(answer.items.count, other.items.count)
        let overlap = most == 0 ? 1 : Double(answer.identifiers.intersection(other.identifiers).count) / Double(most)
        let ratio = Double(other.times.work) / Double(max(1, answer.times.work))
        state.withLock { state in
            state.report.overlap[Report.overlapBounds.firstIndex { overlap <= $0 } ?? 0] += 1
            state.report.overlapSum += overlap
            state.report.timeRatio[Report.ratioBounds.firstIndex { ratio <= $0 } ?? Report.ratioBounds.count] += 1
            state.report.timeRatioSum += ratio
        }
    }
}

extension RetrievalResponse {
    /// The ids of the answered items.
    fileprivate var identifiers: Set<String> { Set(items.map { snapshot.identifiers.id($0.id) }) }
}
