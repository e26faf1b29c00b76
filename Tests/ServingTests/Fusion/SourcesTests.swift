import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing

@Suite("Several sources") struct SourcesTests {
    let catalogues: BlendedCatalogues

    init() throws { catalogues = try BlendedCatalogues(seed: 5) }

    private func ask(
        _ blend: SourceBlend,
        _ change: (inout RetrievalRequest) -> Void = { _ in }
    ) throws -> RetrievalResponse {
        let known = catalogues.orders[0].first { catalogues.orders[1].contains($0) } ?? 0
        var request = RetrievalRequest(history: [BlendedCatalogues.id(known)], k: 10)
        request.sources = blend
        request.seed = 3
        change(&request)
        return try catalogues.service.retrieve(request, workspace: RetrievalWorkspace())
    }

    private func blend(_ names: String...) -> SourceBlend { SourceBlend(names.map { SourceBlend.Source(model: $0) }) }

    private func refusal(_ blend: SourceBlend, _ change: (inout RetrievalRequest) -> Void = { _ in }) -> RetrievalError?
    {
        do { _ = try ask(blend, change) } catch { return error as? RetrievalError }
        return nil
    }

    private func field(_ blend: SourceBlend, _ change: (inout RetrievalRequest) -> Void = { _ in }) -> String? {
        guard case .invalidArgument(let field, _) = refusal(blend, change) else { return nil }
        return field
    }

    @Test("every source reports its version")
    func reportsVersions() throws {
        var mixed = blend("b", "a")
        mixed.sources.append(SourceBlend.Source(model: nil, quota: 2))
        let response = try ask(mixed)
        let fused = try #require(response.fused)
        #expect(fused.sources.map(\.name) == ["b", "a", "popular"])
        #expect(fused.sources.map(\.version) == [VersionID("b", 2), VersionID("a", 1), VersionID("b", 2)])
        #expect(fused.sources.allSatisfy { $0.status == .ok })
        #expect(response.snapshot.model == "b" && response.fallback == nil)
    }

    @Test("a model without a version is left out; one that is not served is refused; without any, nothing is ready")
    func missing() throws {
        let response = try ask(blend("late", "a"))
        #expect(response.snapshot.model == "a")
        #expect(response.fused?.sources.map(\.status) == [.notReady, .ok])
        #expect(response.fused?.sources[0].version == nil)
        #expect(response.items == (try ask(blend("a"))).items)
        #expect(refusal(blend("a", "x")) == .sourceNotServed("x", position: 1, served: ["a", "b", "c"]))
        #expect(refusal(blend("late")) == .notReady)
    }

    @Test("a source that knows no item of the history only fills places")
    func fallbackFills() throws {
        let foreign = try #require(catalogues.orders[0].first { !catalogues.orders[1].contains($0) })
        let response = try ask(blend("a", "b")) { $0.history = IdentifierList([BlendedCatalogues.id(foreign)]) }
        let alone = try ask(blend("a")) { $0.history = IdentifierList([BlendedCatalogues.id(foreign)]) }
        #expect(response.fused?.sources.map(\.status) == [.ok, .fallback])
        #expect(response.items == alone.items && response.fallback == nil)
    }

    @Test("a source whose vectors are not finite is left out; if all fail, so does the request")
    func failing() throws {
        let broken = BlendedCatalogues.checkpoint("broken", version: 7, catalogues.orders[0])
        let items = try #require(broken.parameters["items"])
        let builder = SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: FailingEncoder(items: items), itemVectors: items) },
            makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        let arm = TrafficArm(try builder.build(broken, generation: 9))
        var routes = catalogues.holder.current.routes
        routes["broken"] = TrafficRoute(name: "broken", arms: [arm])
        catalogues.holder.publish(RoutingTable(routes: routes, standard: nil, expected: []))
        let response = try ask(blend("a", "broken")) { $0.seed = FailingEncoder.seed }
        #expect(response.fused?.sources.map(\.status) == [.ok, .failed])
        #expect(response.items == (try ask(blend("a")) { $0.seed = FailingEncoder.seed }).items)
        #expect(arm.statistics.counts.failed == 1)
        #expect(
            refusal(blend("broken")) { $0.seed = FailingEncoder.seed }
                == .nonFiniteUserVector(model: "broken", version: 7)
        )
    }

    @Test("an alias with sources answers a request that names it")
    func alias() throws {
        var routes = catalogues.holder.current.routes
        let arms = try #require(routes["a"]).arms
        let named = SourceBlend([.init(model: "a"), .init(model: "gone"), .init(model: nil, quota: 3)])
        routes["home"] = TrafficRoute(name: "home", arms: arms, blend: named)
        catalogues.holder.publish(RoutingTable(routes: routes, standard: "home", expected: []))
        let standard = try ask(named) { $0.sources = nil }
        let response = try ask(named) { ($0.sources, $0.model) = (nil, "home") }
        #expect(response.items == standard.items)
        #expect(response.fused?.sources.map(\.status) == [.ok, .notReady, .ok])
        #expect(field(blend("b", "home")) == "sources/1/model")
        #expect(field(named) { ($0.sources, $0.model, $0.k) = (nil, "home", 2) } == "k")
    }

    @Test("re-rankings apply to the fused list")
    func reranks() throws {
        let fused = try ask(blend("a", "b")) { $0.k = 24 }
        let diverse = try ask(blend("a", "b")) { ($0.k, $0.diversity) = (6, 0.5) }
        #expect(Set(diverse.items.map(\.id)).isSubset(of: fused.items.map(\.id)))
        #expect(diverse.items.first == fused.items.first && diverse.items.count == 6)
        let scores = Dictionary(uniqueKeysWithValues: fused.items.map { ($0.id, $0.score) })
        #expect(diverse.items.allSatisfy { scores[$0.id] == $0.score })
    }

    @Test("rules apply to the fused list, a quota keeps its places, and pages are one long answer")
    func rules() throws {
        var quota = blend("a", "b")
        quota.sources.append(SourceBlend.Source(model: nil, quota: 3))
        for blend in [blend("a", "b"), quota] {
            let plain = try ask(blend).items.map(\.id)
            // Rules that change nothing.
            #expect(try ask(blend) { $0.rules.scoreThreshold = -1 }.items.map(\.id) == plain)
            let last = plain[9]
            let pinned = try ask(blend) { request in
                request.rules.pins = [.init(BlendedCatalogues.id(catalogues.orders[0][Int(last)]), at: 2)]
                request.explain = true
            }
            #expect(pinned.items.map(\.id) == [plain[0], last] + plain[1..<9])
            #expect(pinned.reasons.map(\.position) == [.score, .pin] + Array(repeating: .score, count: 8))
            let limited = try ask(blend) { $0.rules.groupLimit = .init("categories", limit: 2) }
            let categories = limited.items.flatMap { limited.snapshot.categories.names(of: $0.id) }
            #expect(Dictionary(grouping: categories) { $0 }.allSatisfy { $1.count <= 2 })
            #expect(limited.items.first?.id == plain[0] && limited.items.count == 10)
            let pages = try [0, 10, 20].flatMap { offset in try ask(blend) { $0.rules.offset = offset }.items }
            #expect(Set(pages.map(\.id)).count == 30)
        }
        let dear = ItemFilter.Test.range(lower: ItemFilter.Bound(.number(10), isInclusive: true), upper: nil)
        let boost = RetrievalRules.Boost(ItemFilter(.init(must: [.attribute("price", dear)])), .add(2))
        let boosted = try ask(blend("a", "b")) { $0.rules.boosts = [boost] }
        #expect(boosted.items.allSatisfy { $0.score >= 2 && $0.score <= 3 })
        #expect(field(blend("a", "b")) { ($0.rules.scoreThreshold, $0.diversity) = (0, 0.5) } == "diversity")
    }

    @Test("each source takes at most its own number of steps, and sources of one name are refused")
    func bounds() {
        #expect(field(blend("a", "b")) { $0.steps = 21 } == "steps")
        #expect(field(blend("a", "a")) == "sources/1")
        #expect(field(SourceBlend([])) == "sources")
        #expect(field(SourceBlend([.init(model: nil)])) == "sources")
        #expect(field(blend("a")) { $0.model = "b" } == "model")
        for weight in [0, -1, .nan, .infinity, 1_000_001] as [Double] {
            #expect(field(SourceBlend([.init(model: "a"), .init(model: "b", weight: weight)])) == "sources/1/weight")
        }
        #expect(field(SourceBlend([.init(model: "a", quota: 0)])) == "sources/0/quota")
        #expect(field(SourceBlend([.init(model: "a", quota: 11)])) == "sources")
        for constant in [-0.1, 10_001, .nan] as [Double] {
            #expect(field(SourceBlend([.init(model: "a")], constant: constant)) == "fusion/constant")
        }
        #expect(field(SourceBlend([.init(model: "a")], window: 0)) == "fusion/window")
        #expect(field(SourceBlend([.init(model: "a")], window: 201)) == "fusion/window")
        #expect(refusal(SourceBlend([.init(model: "a", weight: .leastNonzeroMagnitude)])) == nil)
    }

    @Test("an explained answer of several sources shows the leading model")
    func traces() throws {
        var request = RetrievalRequest(history: [BlendedCatalogues.id(catalogues.orders[0][0])], k: 5)
        request.sources = blend("a", "b")
        let trace = try catalogues.service.trace(request)
        #expect(trace.closest.count == 5 && trace.response.fused != nil)
        let foreign = try #require(catalogues.orders[1].first { !catalogues.orders[0].contains($0) })
        request.history = IdentifierList([BlendedCatalogues.id(foreign)])
        let led = try catalogues.service.trace(request)
        #expect(led.closest.isEmpty && led.response.fused?.sources.map(\.status) == [.fallback, .ok])
    }

    @Test("an explained answer takes the steps of the leading model, not those of a source with more")
    func tracesFewerSteps() throws {
        let short = BlendedCatalogues.checkpoint("short", version: 8, catalogues.orders[0])
        let items = try #require(short.parameters["items"])
        let builder = SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: MeanEncoder(items: items, maxSteps: 5), itemVectors: items) },
            makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        var routes = catalogues.holder.current.routes
        let arm = TrafficArm(try builder.build(short, generation: 9))
        routes["short"] = TrafficRoute(name: "short", arms: [arm])
        catalogues.holder.publish(RoutingTable(routes: routes, standard: nil, expected: []))
        var request = RetrievalRequest(history: [BlendedCatalogues.id(catalogues.orders[0][0])], k: 5)
        request.sources = blend("short", "a")
        for (asked, expected) in [(nil, 5), (12, 5), (3, 3)] as [(Int?, Int)] {
            request.steps = asked
            #expect(try catalogues.service.trace(request).user?.path.rows == expected + 1)
        }
    }

    @Test("vectors out are those that the search uses")
    func embeds() throws {
        var request = RetrievalRequest(history: [BlendedCatalogues.id(catalogues.orders[0][4])])
        (request.model, request.seed, request.steps, request.samples) = ("a", 8, 3, 2)
        let found = try catalogues.service.embed(request, workspace: RetrievalWorkspace())
        let encoder = try #require(found.snapshot.encoder as? MeanEncoder)
        for sample in 0..<2 {
            #expect(found.vectors.row(sample) == encoder.userVector([4], seed: 8, steps: 3, sample: sample))
        }
        #expect(found.interests.row(0) == found.vectors.row(0) && found.interests.rows == 1)
        request.history = IdentifierList(["unknown"])
        let none = try catalogues.service.embed(request, workspace: RetrievalWorkspace())
        #expect(none.vectors.rows == 0 && none.interests.rows == 0 && none.unknownIDs == 1)
    }
}

/// Gives vectors that are not finite for one seed.
private struct FailingEncoder: UserEncoder {
    static let seed: UInt64 = 404

    let mean: MeanEncoder

    init(items: Matrix) { mean = MeanEncoder(items: items) }

    var dimension: Int { mean.dimension }
    var maxSteps: Int { mean.maxSteps }
    var historyLength: Int { mean.historyLength }

    private final class Workspace: InferenceWorkspace {
        var userVectors: [Float] = []

        func removeAll() { userVectors = [] }
    }

    func makeWorkspace() -> any InferenceWorkspace { Workspace() }

    func add(history: ArraySlice<Int32>, seed: UInt64, steps: Int, samples: Int, to workspace: any InferenceWorkspace) {
        guard let workspace = workspace as? Workspace else { preconditionFailure("a foreign workspace") }
        for sample in 0..<samples {
            let vector = mean.userVector(Array(history), seed: seed, steps: steps, sample: sample)
            workspace.userVectors += seed == Self.seed ? vector.map { _ in .nan } : vector
        }
    }

    func generate(in workspace: any InferenceWorkspace) {}

    func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        mean.trace(history: history, seed: seed, steps: steps)
    }
}
