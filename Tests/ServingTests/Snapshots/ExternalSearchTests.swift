import CheckpointStore
import Kernels
import Logging
import Serving
import Synchronization
import TestSupport
import Testing
import VectorIndex

/// Two servers that hold some versions; one of them has the odd items, and may be missing.
private final class Servers: ExternalSearch {
    struct State {
        var versions: Set<Int> = []
        var isDown = false
        var isOneMissing = false
    }

    private struct Source: CandidateSource {
        let servers: Servers
        let index: FlatIndex
        let most = 1000
        let timeout: UInt64 = 1_000_000_000

        func candidates(near query: Span<Float>, count: Int, effort: Int?, until deadline: UInt64) -> Candidates {
            let items = index.search(query, k: count).map(\.id)
            guard servers.state.withLock(\.isOneMissing) else {
                return Candidates(items: items, completeness: .whole)
            }
            let isAnswer = servers.allowsPartial
            return Candidates(
                items: isAnswer ? items.filter { $0 % 2 == 0 } : [],
                completeness: isAnswer ? .partial : .none
            )
        }
    }

    let state: Mutex<State>
    let allowsPartial: Bool

    init(_ versions: Set<Int>, allowsPartial: Bool = false) {
        state = Mutex(State(versions: versions))
        self.allowsPartial = allowsPartial
    }

    var outcomes: [SearchOutcomes] {
        var missing = SearchOutcomes()
        missing.missing = state.withLock { $0.isOneMissing } ? 3 : 0
        return [SearchOutcomes(), missing]
    }

    func require(_ version: VersionSummary) throws(SnapshotError) {
        let state = state.withLock { $0 }
        guard !state.isDown else { throw .searchUnavailable("The servers are down.") }
        guard state.versions.contains(version.manifest.version) else { throw .notSearchable("It is not published.") }
    }

    func index(of version: CheckpointManifest, vectors: Matrix) throws -> any VectorIndex {
        try ExternalIndex(vectors: vectors, source: Source(servers: self, index: FlatIndex(vectors: vectors)))
    }
}

@Suite("a search outside of the process") struct ExternalSearchTests {
    private let holder = RoutingHolder()

    private func controller(_ servers: Servers, _ source: MemorySource) -> ServingController {
        let builder = SnapshotBuilder(
            warmUpRequests: 3,
            search: servers,
            makeModel: { checkpoint in
                guard let items = checkpoint.parameters["items"] else { throw StoreDoubleError.noItems }
                return ServedModel(encoder: MeanEncoder(items: items), itemVectors: items)
            },
            makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        return ServingController(source: source, holder: holder, builder: builder, logger: Logger(label: "test"))
    }

    @Test("the controller reports the searches of each server")
    func reportsOutcomes() {
        let (servers, source) = (Servers([1]), MemorySource([1], active: 1))
        servers.state.withLock { $0.isOneMissing = true }
        #expect(controller(servers, source).searchOutcomes == servers.outcomes && servers.outcomes[1].missing == 3)
        let logger = Logger(label: "test")
        let inside = ServingController(source: source, holder: holder, builder: testBuilder, logger: logger)
        #expect(inside.searchOutcomes.isEmpty)
    }

    private var active: Int? { holder.current.standard?.arms[0].snapshot.version }

    @Test("a version that the servers do not have stays out, and comes in once they have it")
    func waitsForPublication() async throws {
        let servers = Servers([1])
        let source = MemorySource([1, 2], active: 1)
        let controller = controller(servers, source)
        await controller.poll()
        #expect(active == 1)
        await #expect(throws: ServingError.rejected(VersionID("m", 2), reason: "It is not published.")) {
            _ = try await controller.activate(model: "m", version: 2, wait: true)
        }
        try source.activate(model: "m", version: 2)
        await controller.poll()
        #expect(active == 1)
        #expect(source.state.withLock(\.loads) == 1, "the version is not read before the servers have it")
        servers.state.withLock { _ = $0.versions.insert(2) }
        await controller.poll()
        #expect(active == 2)
    }

    @Test("a version is not rejected while the servers do not answer")
    func waitsForServers() async throws {
        let servers = Servers([1, 2])
        let controller = controller(servers, MemorySource([1, 2], active: 1))
        servers.state.withLock { $0.isDown = true }
        await controller.poll()
        #expect(active == nil)
        servers.state.withLock { $0.isDown = false }
        await controller.poll()
        #expect(active == 1)
        servers.state.withLock { $0.isDown = true }
        await #expect(throws: ServingError.searchUnavailable("The servers are down.")) {
            _ = try await controller.activate(model: "m", version: 2, wait: true)
        }
        #expect(active == 1)
    }

    @Test("a missing server makes an answer partial, or refuses it", arguments: [true, false])
    func isPartial(allowsPartial: Bool) async throws {
        let servers = Servers([1], allowsPartial: allowsPartial)
        await controller(servers, MemorySource([1], active: 1)).poll()
        let service = RetrievalService(holder: holder)
        let workspace = RetrievalWorkspace()
        let request = RetrievalRequest(history: ["i1", "i2"], k: 10)
        #expect(service.searchesOutside && service.isHeavy(request))
        let whole = try service.retrieve(request, workspace: workspace)
        #expect(!whole.isPartial && whole.items.count == 10)
        servers.state.withLock { $0.isOneMissing = true }
        guard allowsPartial else {
            #expect(throws: RetrievalError.searchUnavailable) {
                _ = try service.retrieve(request, workspace: workspace)
            }
            #expect(throws: RetrievalError.searchUnavailable) {
                _ = try service.similar(to: "i1", k: 5, workspace: workspace)
            }
            workspace.deadline = 1
            #expect(throws: RetrievalError.deadlineExceeded) {
                _ = try service.retrieve(request, workspace: workspace)
            }
            return
        }
        let part = try service.retrieve(request, workspace: workspace)
        #expect(part.isPartial && part.items.allSatisfy { $0.id % 2 == 0 })
        let batch = service.retrieve([request, RetrievalRequest(history: [], k: 10)], workspace: workspace)
        #expect(try batch.map { try $0.get().isPartial } == [true, false], "a fallback needs no search")
        #expect(try service.similar(to: "i1", k: 5, workspace: workspace)?.isPartial == true)
        servers.state.withLock { $0.isOneMissing = false }
        #expect(try service.retrieve(request, workspace: workspace).items == whole.items)
    }
}
