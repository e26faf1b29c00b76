import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

/// Compares a snapshot with random changes with one built from the merged catalogue.
@Suite("Live catalogue, against a rebuild") struct LiveCatalogueOracleTests {
    private static let newIDs = ["new", "1000", "-7", "a\"b", "é🎬", "x\n", "n6", "n7", "n8", "n9", "n10", "n11"]
    private static let names = ["Even", "Third", "Rare", "New", "Other \"one\""]

    /// The kind of built catalogue and index.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var items = 40
        var isDescribed = true
        var kind = IndexConfiguration.Kind.flat
        let seed: UInt64
    }

    private struct Pair {
        let live: RetrievalService
        let rebuilt: RetrievalService

        init(_ live: ServingSnapshot, _ rebuilt: ServingSnapshot) {
            self.live = service(live)
            self.rebuilt = service(rebuilt)
        }
    }

    private func makeSnapshot(_ checkpoint: Checkpoint, _ kind: IndexConfiguration.Kind) throws -> ServingSnapshot {
        let vectors = try #require(checkpoint.parameters["items"])
        return try SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: MeanEncoder(items: vectors), itemVectors: vectors) },
            makeIndex: { _, vectors in
                try IndexFormat.build(
                    vectors: vectors,
                    configuration: IndexConfiguration(kind: kind, partitions: 9)
                )
            },
            makeExactIndex: { ScanIndex(vectors: $0) }
        ).build(checkpoint, generation: 1)
    }

    @Test(
        "answers match a rebuild",
        arguments: [
            Case(testDescription: "40 items", seed: 1),
            Case(testDescription: "5 items", items: 5, seed: 2),
            Case(testDescription: "ids and vectors only", isDescribed: false, seed: 3),
            Case(testDescription: "700 items, partitioned", items: 700, kind: .partitioned, seed: 4),
        ]
    )
    func randomChanges(_ item: Case) throws {
        var checkpoint = makeCheckpoint(version: 1, items: item.items)
        if item.isDescribed {
            checkpoint.catalogue.titles = (0..<item.items).map { "Title \($0)" }
        } else {
            checkpoint.catalogue = Catalogue(ids: checkpoint.catalogue.ids)
        }
        var random = SequentialGenerator(CounterBasedGenerator(seed: item.seed, purpose: .simulation))
        var snapshot = try makeSnapshot(checkpoint, item.kind)
        var model = MergedCatalogue(checkpoint)
        let workspace = RetrievalWorkspace()
        var (made, kept) = (0, [(Pair, [RetrievalRequest])]())
        for step in 0..<300 {
            let raw = change(of: model, step, &random)
            guard let change = try? snapshot.completed(raw) else { continue }
            // A catalogue without items cannot be built.
            if change.content == nil, model.items.count <= 2 { continue }
            made += 1
            let (next, skipped) = snapshot.applying([change])
            #expect(skipped.isEmpty && next.revision == made && next.generation == snapshot.generation)
            snapshot = next
            model.apply(change)
            guard step % 10 == 0 else { continue }
            let pair = Pair(snapshot, try model.snapshot())
            expectSameItems(snapshot, model)
            let requests = (0..<12).map { _ in request(model, item.kind, &random) }
            for request in requests { try expectSameAnswer(pair, request, workspace) }
            if item.kind == .flat { try expectSameNeighbours(pair, model, workspace) }
            // Later changes do not affect older values.
            for (pair, requests) in kept { try expectSameAnswer(pair, requests[step % 12], workspace) }
            if step % 50 == 0 { kept.append((pair, requests)) }
        }
        #expect(made > 200)
    }

    private func change(of model: MergedCatalogue, _ step: Int, _ random: inout SequentialGenerator) -> ItemChange {
        func some(_ ids: [String]) -> String { ids.randomElement(using: &random) ?? "" }
        let known = model.ids.filter { model.items[$0] != nil }
        let isNew = Int.random(in: 0..<3, using: &random) == 0
        var change = ItemChange(
            model: "m",
            item: isNew ? some(Self.newIDs) : some(model.ids),
            version: 1,
            content: nil
        )
        let kind = Int.random(in: 0..<5, using: &random)
        guard kind > 0 else { return change }
        var content = ItemChange.Content()
        if kind < 3 {
            content.vector = UnitVectors.uniform(1, dimension: 8, seed: UInt64(step) + 100).row(0).map { $0 * 3 }
        } else {
            content.like = (0..<Int.random(in: 1...3, using: &random)).map { _ in some(known) }
        }
        if Bool.random(using: &random) { content.title = "Title \(step)" }
        if Bool.random(using: &random) {
            content.categories = Self.names.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
        }
        change.content = content
        return change
    }

    private func request(
        _ model: MergedCatalogue,
        _ kind: IndexConfiguration.Kind,
        _ random: inout SequentialGenerator
    ) -> RetrievalRequest {
        let known = model.ids.filter { model.items[$0] != nil }
        func some(_ count: ClosedRange<Int>) -> [String] {
            (0..<Int.random(in: count, using: &random)).map { _ in known.randomElement(using: &random) ?? "" }
        }
        var request = RetrievalRequest(history: some(0...8) + ["nope"], k: Int.random(in: 1...60, using: &random))
        request.exclude = IdentifierList(some(0...6))
        request.excludeHistory = Bool.random(using: &random)
        request.exact = Bool.random(using: &random)
        request.diversity = [0, 0, 0.3, 1][Int.random(in: 0..<4, using: &random)]
        if request.diversity == 0 { request.categoryPenalty = [0, 0.1][Int.random(in: 0..<2, using: &random)] }
        request.samples = [1, 1, 3][Int.random(in: 0..<3, using: &random)]
        request.effort = kind == .partitioned ? .max : nil
        if Bool.random(using: &random) {
            request.filter = CategoryFilter(
                anyOf: Self.names.filter { _ in Int.random(in: 0..<3, using: &random) == 0 },
                noneOf: Self.names.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
            )
        }
        return request
    }

    private func expectSameAnswer(
        _ pair: Pair,
        _ request: RetrievalRequest,
        _ workspace: RetrievalWorkspace
    ) throws {
        let found = try pair.live.retrieve(request, workspace: workspace)
        let expected = try pair.rebuilt.retrieve(request, workspace: RetrievalWorkspace())
        expectEqual(named(found.items, found.snapshot), named(expected.items, expected.snapshot))
        #expect(found.fallback == expected.fallback && found.truncated == expected.truncated)
        #expect(found.unknownIDs == expected.unknownIDs)
    }

    private func expectSameNeighbours(_ pair: Pair, _ model: MergedCatalogue, _ workspace: RetrievalWorkspace) throws {
        for id in model.ids {
            let found = try pair.live.similar(to: id, k: 60, workspace: workspace)
            let expected = try pair.rebuilt.similar(to: id, k: 60, workspace: RetrievalWorkspace())
            #expect((found == nil) == (model.items[id] == nil))
            guard let found, let expected else { continue }
            expectEqual(named(found.items, found.snapshot), named(expected.items, expected.snapshot))
            #expect(found.truncated == expected.truncated)
        }
    }

    private func expectEqual(_ found: [(id: String, score: Float)], _ expected: [(id: String, score: Float)]) {
        #expect(found.map(\.id) == expected.map(\.id))
        #expect(zip(found, expected).allSatisfy { abs($0.score - $1.score) < 1e-6 })
    }

    private func expectSameItems(_ snapshot: ServingSnapshot, _ model: MergedCatalogue) {
        for id in model.ids + ["nope"] {
            let number = snapshot.number(of: id)
            let item = model.items[id]
            #expect((number == nil) == (item == nil))
            guard let number, let item else { continue }
            #expect(snapshot.identifiers.id(number) == id && snapshot.identifiers.number(of: id) == number)
            #expect(snapshot.vector(of: number) == item.vector)
            #expect((snapshot.title(of: number) ?? "") == item.title)
            #expect(Set(snapshot.categories.names(of: number)) == Set(item.categories))
        }
        let built = Set(model.built.catalogue.ids)
        #expect(snapshot.itemCount == model.items.count)
        #expect(snapshot.tombstones == built.count { model.items[$0] == nil })
        #expect(snapshot.addedItems == model.items.keys.count { !built.contains($0) })
    }

    @Test("changes before an item's newest change do not matter", arguments: [1, 2, 3] as [UInt64])
    func newestChangesSuffice(seed: UInt64) throws {
        let checkpoint = makeCheckpoint(version: 1)
        let built = try makeSnapshot(checkpoint, .flat)
        var random = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        var snapshot = built
        var model = MergedCatalogue(checkpoint)
        var changes: [ItemChange] = []
        for step in 0..<150 {
            guard let change = try? snapshot.completed(change(of: model, step, &random)) else { continue }
            snapshot = snapshot.applying([change]).snapshot
            model.apply(change)
            changes.append(change)
        }
        var newest: [ItemChange] = []
        for change in changes.reversed() where !newest.contains(where: { $0.item == change.item }) {
            newest.insert(change, at: 0)
        }
        let (replayed, skipped) = built.applying(newest)
        #expect(skipped.isEmpty && replayed.revision == 1)
        expectSameItems(replayed, model)
        let pair = Pair(replayed, snapshot)
        for _ in 0..<60 {
            try expectSameAnswer(pair, request(model, .flat, &random), RetrievalWorkspace())
        }
    }
}

/// A service that answers from one snapshot.
func service(_ snapshot: ServingSnapshot) -> RetrievalService {
    let holder = RoutingHolder()
    holder.publish(snapshot)
    return RetrievalService(holder: holder)
}

/// Items by their ids.
func named(_ items: [Scored], _ snapshot: ServingSnapshot) -> [(id: String, score: Float)] {
    items.map { (snapshot.identifiers.id($0.id), $0.score) }
}
