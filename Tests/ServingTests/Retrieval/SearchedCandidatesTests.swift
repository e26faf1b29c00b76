import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing
import VectorIndex

/// What an answer reports about its searches.
@Suite("SearchedCandidates") struct SearchedCandidatesTests {
    /// A service over 2,500 items in partitions.
    private func partitionedService() throws -> (service: RetrievalService, index: PartitionedIndex, vectors: Matrix) {
        let checkpoint = makeCheckpoint(version: 1, items: 2500)
        let vectors = try #require(checkpoint.parameters["items"])
        let index = try PartitionedIndex(vectors: vectors, configuration: IndexConfiguration())
        let builder = SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: MeanEncoder(items: vectors), itemVectors: vectors) },
            makeIndex: { _, _ in index },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        let holder = RoutingHolder()
        holder.publish(try builder.build(checkpoint, generation: 1))
        return (RetrievalService(holder: holder), index, vectors)
    }

    @Test("an answer gives the reason if every eligible item was scored")
    func tellsExactReason() throws {
        let (service, index, _) = try partitionedService()
        let changes: [(ExactSearchReason?, (inout RetrievalRequest) -> Void)] = [
            (nil, { _ in }), (.request, { $0.exact = true }), (.effort, { $0.effort = index.partitions }),
            (nil, { $0.effort = index.partitions - 1 }), (.filter, { $0.filter = CategoryFilter(anyOf: ["Rare"]) }),
            (.filter, { $0.filter = CategoryFilter(anyOf: ["no such"]) }),
            (nil, { $0.filter = CategoryFilter(noneOf: ["Rare"]) }), (nil, { $0.k = 1000 }),
            (nil, { $0.history = IdentifierList(["unknown"]) }),
        ]
        let workspace = RetrievalWorkspace()
        for (number, (reason, change)) in changes.enumerated() {
            var request = RetrievalRequest(history: ["i1", "i2"], k: 10)
            change(&request)
            #expect(try service.retrieve(request, workspace: workspace).exactReason == reason, "change \(number)")
        }
        // An index that always scores every item has no reason to report.
        let holder = RoutingHolder()
        holder.publish(try testBuilder.build(makeCheckpoint(version: 1), generation: 1))
        let request = RetrievalRequest(history: ["i1"], k: 10)
        #expect(try RetrievalService(holder: holder).retrieve(request, workspace: workspace).exactReason == nil)
    }

    @Test("an exact answer after another one reports no candidates of the index")
    func forgetsCandidates() throws {
        let (service, _, vectors) = try partitionedService()
        let workspace = SearchWorkspace()
        let user = MeanEncoder(items: vectors).userVector([1], seed: 5, steps: 20)
        try PartitionedIndex(vectors: vectors).search(
            user.span,
            k: 10,
            effort: nil,
            among: Eligibility(),
            in: workspace
        )
        #expect(workspace.scanned > 0)
        try FlatIndex(vectors: vectors).search(user.span, k: 10, effort: nil, among: Eligibility(), in: workspace)
        #expect(workspace.scanned == 0 && workspace.rescored == 0)
        let shared = RetrievalWorkspace()
        var request = RetrievalRequest(history: ["i1"], k: 10)
        #expect(try service.retrieve(request, workspace: shared).candidates.scanned > 0)
        request.exact = true
        #expect(try service.retrieve(request, workspace: shared).candidates == SearchedCandidates())
    }

    @Test("an answer reports the candidates of all searches that its rules need, and whether one scored everything")
    func countsAllSearches() throws {
        let (_, partitioned, vectors) = try partitionedService()
        let index = RecordingIndex(partitioned)
        let builder = SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: MeanEncoder(items: vectors), itemVectors: vectors) },
            makeIndex: { _, _ in index },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        let holder = RoutingHolder()
        holder.publish(try builder.build(makeCheckpoint(version: 1, items: 2500), generation: 1))
        let service = RetrievalService(holder: holder)
        let workspace = RetrievalWorkspace()
        func answer(_ request: RetrievalRequest) throws -> (RetrievalResponse, [RecordingIndex.Search]) {
            index.searches.withLock { $0 = [] }
            return (try service.retrieve(request, workspace: workspace), index.searches.withLock(\.self))
        }
        var request = RetrievalRequest(history: ["i1", "i2"], k: 10)
        let (plain, single) = try answer(request)
        #expect(single.map(\.candidates) == [plain.candidates] && plain.exactReason == nil)
        // One search for each combination of boosts that items have: one item has the first alone.
        let one = ItemFilter(.init(must: [.ids(["i7"])]))
        let third = ItemFilter(.init(must: [.attribute("categories", .match(.text("Third")))]))
        request.rules.boosts = [.init(one, .add(0.5)), .init(third, .add(0.25))]
        let (boosted, searches) = try answer(request)
        #expect(searches.count == 3 && Set(searches.map(\.candidates.scanned)).count > 1)
        #expect(boosted.candidates.scanned == searches.reduce(0) { $0 + $1.candidates.scanned })
        #expect(boosted.candidates.rescored == searches.reduce(0) { $0 + $1.candidates.rescored })
        #expect(searches.contains(where: \.fellBack) && boosted.exactReason == .filter)
        // The next answer starts from zero.
        request.rules = RetrievalRules()
        #expect(try answer(request).0.candidates == plain.candidates)
    }

    @Test("an answer reports the candidates of the index, over all samples")
    func countsCandidates() throws {
        let (service, index, vectors) = try partitionedService()
        var request = RetrievalRequest(history: ["i1", "i2"], k: 10)
        request.seed = 5
        request.samples = 3
        let workspace = SearchWorkspace()
        var expected = SearchedCandidates()
        for sample in 0..<3 {
            let user = MeanEncoder(items: vectors).userVector([1, 2], seed: 5, steps: 20, sample: sample)
            index.search(user.span, k: 10, effort: nil, among: Eligibility(excluded: [1, 2]), in: workspace)
            expected.scanned += workspace.scanned
            expected.rescored += workspace.rescored
        }
        let response = try service.retrieve(request, workspace: RetrievalWorkspace())
        #expect(response.candidates == expected && expected.scanned > expected.rescored && expected.rescored >= 30)
        request.history = IdentifierList([])
        #expect(try service.retrieve(request, workspace: RetrievalWorkspace()).candidates == SearchedCandidates())
    }
}

/// Records what the searches of an index looked at.
private final class RecordingIndex: VectorIndex {
    struct Search {
        var candidates = SearchedCandidates()
        let fellBack: Bool
    }

    let searches = Mutex<[Search]>([])
    private let base: any VectorIndex

    init(_ base: any VectorIndex) { self.base = base }

    var count: Int { base.count }
    var dimension: Int { base.dimension }

    func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        base.search(query, k: k, effort: effort, among: eligible, in: workspace)
        var search = Search(fellBack: workspace.fellBack)
        (search.candidates.scanned, search.candidates.rescored) = (workspace.scanned, workspace.rescored)
        searches.withLock { [search] in $0.append(search) }
    }

    func serialised() -> [UInt8] { [] }
}
