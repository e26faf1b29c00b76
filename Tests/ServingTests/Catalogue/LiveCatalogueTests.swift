import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

@Suite("Live catalogue") struct LiveCatalogueTests {
    /// 40 items: `0`, `i1`, `i2`, `3` and so on.
    let built: ServingSnapshot
    let vectors: Matrix
    let workspace = RetrievalWorkspace()

    init() throws {
        let checkpoint = makeCheckpoint(version: 1)
        built = try testBuilder.build(checkpoint, generation: 1)
        vectors = try #require(checkpoint.parameters["items"])
    }

    private func put(_ item: String, _ content: ItemChange.Content?, version: Int = 1) -> ItemChange {
        ItemChange(model: "m", item: item, version: version, content: content)
    }

    private func vector(_ item: Int) -> ItemChange.Content { ItemChange.Content(vector: vectors.row(item)) }

    private func ask(
        _ snapshot: ServingSnapshot,
        _ history: [String],
        _ change: (inout RetrievalRequest) -> Void = { _ in }
    ) throws -> [(id: String, score: Float)] {
        var request = RetrievalRequest(history: history, k: 60)
        request.seed = 1
        change(&request)
        return named(try service(snapshot).retrieve(request, workspace: workspace).items, snapshot)
    }

    @Test("a new item is retrieved at once, by index and exactly, and by samples", arguments: [false, true], [1, 3])
    func retrievesNew(exact: Bool, samples: Int) throws {
        let (snapshot, skipped) = built.applying([put("new", vector(7))])
        #expect(skipped.isEmpty)
        let found = try ask(snapshot, ["i7"]) {
            $0.exact = exact
            $0.samples = samples
        }
        #expect(found.first?.id == "new" && Set(found.map(\.id)).count == 40 && found.count == 40)
        let expected = try ask(built, ["i7"]) {
            $0.excludeHistory = false
            $0.samples = samples
        }
        #expect(abs(try #require(found.first).score - #require(expected.first).score) < 1e-6)
        #expect(try service(snapshot).similar(to: "new", k: 1, workspace: workspace)?.items.map(\.id) == [7])
    }

    @Test("changes do not affect the snapshot that they are applied to")
    func keepsOld() throws {
        let before = try ask(built, ["i1", "3"])
        let first = built.applying([put("a", vector(1)), put("i7", nil), put("i2", vector(9))]).snapshot
        let between = try ask(first, ["i1", "3"])
        let second = first.applying([put("a", nil), put("b", vector(2)), put("i7", vector(3))]).snapshot
        #expect([built, first, second].map(\.revision) == [0, 1, 2])
        #expect([built, first, second].map(\.itemCount) == [40, 40, 41])
        #expect([built, first, second].map(\.tombstones) == [0, 1, 0])
        #expect([built, first, second].map(\.addedItems) == [0, 1, 1])
        #expect(try ask(built, ["i1", "3"]).elementsEqual(before, by: ==))
        #expect(try ask(first, ["i1", "3"]).elementsEqual(between, by: ==))
        #expect(built.number(of: "a") == nil && first.number(of: "b") == nil && second.number(of: "a") == nil)
    }

    @Test("an added item in a history is encoded as its most similar item, and is itself excluded")
    func historyOfAdded() throws {
        let likeness = ItemChange.Content(like: ["nope", "i4", "i5"])
        let snapshot = built.applying([put("near 7", vector(7)), put("like 4", likeness)]).snapshot
        for (history, encoded) in [(["near 7"], ["i7"]), (["i1", "like 4"], ["i1", "i4"])] {
            let found = try ask(snapshot, history)
            let expected = try ask(snapshot, encoded) { $0.exclude = IdentifierList([history.last ?? ""]) }
            #expect(found.contains { $0.id == encoded.last } && !found.contains { $0.id == history.last })
            #expect(found.filter { $0.id != encoded.last }.elementsEqual(expected, by: ==))
        }
        var request = RetrievalRequest(history: ["near 7", "like 4", "nope"])
        #expect(try service(snapshot).retrieve(request, workspace: workspace).unknownIDs == 1)
        request.excludeHistory = false
        #expect(try service(snapshot).retrieve(request, workspace: workspace).items.count == 42)
    }

    @Test("a replaced or removed item still counts in histories with its learned vector")
    func historyOfChanged() throws {
        let snapshot = built.applying([put("i7", vector(3)), put("i8", nil)]).snapshot
        let found = try ask(snapshot, ["i8", "i7"])
        let expected = try ask(built, ["i8", "i7"])
        #expect(found.elementsEqual(expected, by: ==) && found.count == 38)
        var request = RetrievalRequest(history: ["i8"])
        request.excludeHistory = false
        let response = try service(snapshot).retrieve(request, workspace: workspace)
        #expect(response.unknownIDs == 0 && response.fallback == nil && response.items.count == 39)
    }

    @Test("a removed added item is unknown, and comes back under its number")
    func takesOutAdded() throws {
        let added = built.applying([put("a", vector(1)), put("b", vector(2))]).snapshot
        let removed = added.applying([put("a", nil)]).snapshot
        let response = try service(removed).retrieve(RetrievalRequest(history: ["a"]), workspace: workspace)
        #expect(response.unknownIDs == 1 && response.fallback == .popular)
        #expect(removed.number(of: "a") == nil && removed.addedItems == 1 && removed.tombstones == 0)
        let back = removed.applying([put("a", vector(5))]).snapshot
        #expect(back.number(of: "a") == 40 && back.vector(of: 40) == unit(vectors.row(5)))
        #expect(try ask(back, ["i5"]).first?.id == "a")
    }

    @Test("popularity skips removed items, and ends with added ones")
    func popularity() throws {
        let snapshot = built.applying([put("39", nil), put("i37", vector(1)), put("a", vector(2))]).snapshot
        #expect(try ask(snapshot, []) { $0.k = 2 }.map(\.id) == ["i38", "i37"])
        let all = try ask(snapshot, []).map(\.id)
        #expect(all.count == 40 && all.last == "a")
        let categorised = ItemChange.Content(vector: vectors.row(7), categories: ["New"])
        let filtered = try ask(built.applying([put("b", categorised)]).snapshot, []) {
            $0.filter = CategoryFilter(anyOf: ["New"])
        }
        #expect(filtered.map(\.id) == ["b"])
    }

    @Test("new categories work in filters and diversity; nil keeps those of the catalogue")
    func categories() throws {
        let content = ItemChange.Content(vector: vectors.row(7), categories: ["New", "Even", "New"])
        let snapshot = built.applying([put("a", content), put("i1", content), put("i2", vector(3))]).snapshot
        func passing(_ anyOf: [String], _ noneOf: [String] = []) throws -> [String] {
            try ask(snapshot, ["3"]) { $0.filter = CategoryFilter(anyOf: anyOf, noneOf: noneOf) }.map(\.id)
        }
        #expect(try Set(passing(["New"])) == ["a", "i1"])
        #expect(try Set(passing(["Even", "New"], ["Third"])).isSuperset(of: ["a", "i1", "i2"]))
        #expect(try Set(passing([], ["Even"])).isDisjoint(with: ["a", "i1", "i2"]))
        #expect(snapshot.categories.names(of: 40) == ["New", "Even"])
        let older = snapshot.applying([put("a", vector(7)), put("i1", vector(7))]).snapshot
        #expect(older.categories.names(of: 40).isEmpty && older.categories.names(of: 1).isEmpty)
        #expect(try ask(older, ["3"]) { $0.filter = CategoryFilter(anyOf: ["New"]) }.isEmpty)
    }

    @Test("changes of vectors and removals keep the cached filters")
    func keepsFilters() {
        let snapshot = built.applying([put("i1", vector(7)), put("i2", nil)]).snapshot
        #expect(snapshot.categories === built.categories)
        #expect(built.applying([put("a", vector(7))]).snapshot.categories !== built.categories)
    }

    @Test("removing a missing item has no effect")
    func takesOutUnknown() throws {
        let (snapshot, skipped) = built.applying([put("nope", nil), put("i1", nil), put("i1", nil)])
        #expect(skipped.isEmpty && snapshot.itemCount == 39 && snapshot.tombstones == 1)
        #expect(built.applying([]).snapshot.revision == 1)
    }

    @Test("all built items may be removed")
    func replacesAll() throws {
        let removals = built.popularity.map { put(built.identifiers.id($0), nil) }
        let snapshot = built.applying(removals + [put("a", vector(1)), put("b", vector(2))]).snapshot
        #expect(snapshot.tombstones == 40 && snapshot.itemCount == 2)
        for diversity in [0, 0.5] {
            #expect(try ask(snapshot, ["i1"]) { $0.diversity = diversity }.map(\.id) == ["a", "b"])
        }
        #expect(try ask(snapshot, []).map(\.id) == ["a", "b"])
        let completed = try snapshot.completed(put("c", vector(3)))
        #expect(completed.content?.like == [])
        #expect(snapshot.applying([completed]).skipped.isEmpty)
    }
}

/// The vector's direction, as the service computes it.
func unit(_ vector: [Float]) -> [Float] { MergedCatalogue.mean([vector]) }
