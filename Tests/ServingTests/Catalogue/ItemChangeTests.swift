import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

/// Which changes are accepted, how they are completed, and their effect in other versions.
@Suite("Item changes") struct ItemChangeTests {
    private let first: ServingSnapshot
    /// Knows one more item, `i41`.
    private let second: ServingSnapshot
    private let vectors: [Matrix]

    init() throws {
        let checkpoints = [makeCheckpoint(version: 1), makeCheckpoint(version: 2, items: 42)]
        first = try testBuilder.build(checkpoints[0], generation: 1)
        second = try testBuilder.build(checkpoints[1], generation: 2)
        vectors = checkpoints.compactMap { $0.parameters["items"] }
    }

    private func put(_ item: String, _ content: ItemChange.Content?, version: Int = 1) -> ItemChange {
        ItemChange(model: "m", item: item, version: version, content: content)
    }

    @Test(
        "an error names the wrong field",
        arguments: [
            ("vector", ItemChange.Content(), .noPlace),
            ("vector", ItemChange.Content(vector: [1, 0]), .wrongDimension(2, expected: 8, version: 1)),
            ("vector", ItemChange.Content(vector: []), .wrongDimension(0, expected: 8, version: 1)),
            ("vector", ItemChange.Content(vector: [0, 0, .nan, 0, 0, 0, 0, 0]), .notFinite(position: 2)),
            ("vector", ItemChange.Content(vector: [0, 0, 0, 0, 0, 0, 0, -.infinity]), .notFinite(position: 7)),
            ("vector", ItemChange.Content(vector: [0, -0, 0, 0, 0, 0, 0, 0]), .zeroVector),
            ("like/0", ItemChange.Content(like: ["nope"]), .unknownLike("nope", position: 0)),
            ("like/2", ItemChange.Content(like: ["i1", "i2", "i8"]), .unknownLike("i8", position: 2)),
            (
                "like/0", ItemChange.Content(vector: [1, 0, 0, 0, 0, 0, 0, 0], like: ["nope"]),
                .unknownLike("nope", position: 0)
            ),
            ("like", ItemChange.Content(like: ["a", "opposite"]), .noDirection),
            ("item", nil, .unknownItem("nope")),
        ] as [(String, ItemChange.Content?, ItemChangeError)]
    )
    func refuses(field: String, content: ItemChange.Content?, error: ItemChangeError) throws {
        let one = ItemChange.Content(vector: [3, 4, 0, 0, 0, 0, 0, 0])
        let opposite = ItemChange.Content(vector: [-3, -4, 0, 0, 0, 0, 0, 0])
        let snapshot = first.applying([put("a", one), put("opposite", opposite), put("i8", nil)]).snapshot
        #expect(throws: error) { try snapshot.completed(put("nope", content)) }
        #expect(error.field == field && !error.description.isEmpty)
    }

    @Test("any vector length works, from denormal to huge", arguments: [Float.leastNonzeroMagnitude, 1e-30, 1, 1e38])
    func normalises(length: Float) throws {
        let direction: [Float] = [1, -1, 0, 1, 0, 0, 1, 0]
        let completed = try first.completed(put("a", .init(vector: direction.map { $0 * length }), version: 9))
        #expect(completed.content?.vector == direction.map { $0 / 2 } && completed.version == 1)
    }

    @Test("a vector gets the ten nearest unchanged items")
    func completesVectors() throws {
        let near = first.index.search(vectors[0].row(5).span, k: 20).map { first.identifiers.id($0.id) }
        let changes = [
            put(near[1], .init(vector: vectors[0].row(30))), put(near[3], nil),
            put("a", .init(vector: vectors[0].row(5))),
        ]
        let snapshot = first.applying(changes).snapshot
        let completed = try snapshot.completed(
            put("b", .init(vector: vectors[0].row(5), title: "T", categories: ["C"]))
        )
        #expect(completed.content?.like == [near[0], near[2]] + near[4..<12])
        #expect(completed.content?.vector == unit(vectors[0].row(5)))
        #expect(completed.content?.title == "T" && completed.content?.categories == ["C"])
        // An item is not similar to itself.
        let replaced = try snapshot.completed(put(near[0], .init(vector: vectors[0].row(5))))
        #expect(replaced.content?.like == [near[2]] + near[4..<13])
    }

    @Test("similar items beside a vector are kept if other versions may know them")
    func keepsLikeness() throws {
        let snapshot = first.applying([put("a", .init(vector: vectors[0].row(5)))]).snapshot
        let both = ItemChange.Content(vector: vectors[0].row(5), like: ["a", "i7", "3"])
        #expect(try snapshot.completed(put("b", both)).content?.like == ["i7", "3"])
        let onlyNew = ItemChange.Content(vector: vectors[0].row(5), like: ["a"])
        #expect(try snapshot.completed(put("b", onlyNew)).content?.like.count == 10)
    }

    @Test("similar items stay, but changed ones become a vector")
    func completesLikeness() throws {
        let like = ItemChange.Content(like: ["i1", "3", "3"])
        #expect(try first.completed(put("a", like)) == put("a", like))
        let changed = first.applying([
            put("3", .init(vector: vectors[0].row(9))), put("n", .init(vector: vectors[0].row(8))),
        ])
        for (ids, rows) in [(["i1", "3"], [1, 9]), (["n", "i2"], [8, 2]), (["n"], [8])] {
            let completed = try changed.snapshot.completed(put("a", .init(like: ids)))
            let mean = MergedCatalogue.mean(
                rows.map { row in row > 2 ? unit(vectors[0].row(row)) : vectors[0].row(row) }
            )
            #expect(completed.content?.vector == mean && completed.content?.like.count == 10)
            // The change that it names may be gone when it is read again.
            let alone = first.applying([completed])
            #expect(alone.skipped.isEmpty && alone.snapshot.vector(of: 40) == unit(mean))
        }
    }

    @Test("completing a complete change has no effect")
    func isIdempotent() throws {
        for content in [ItemChange.Content(vector: [2, 0, 0, 0, 0, 0, 0, 0]), .init(like: ["i1", "i2"]), nil] {
            let once = try first.completed(put("i7", content))
            #expect(try first.completed(once) == once)
        }
    }

    @Test("in another version a vector becomes the mean of its similar items there")
    func otherVersion() throws {
        let change = try first.completed(put("a", .init(vector: vectors[0].row(5), like: ["i7", "i8"])))
        let (snapshot, skipped) = second.applying([change])
        #expect(skipped.isEmpty && snapshot.addedItems == 1)
        let expected = MergedCatalogue.mean([vectors[1].row(7), vectors[1].row(8)])
        #expect(snapshot.vector(of: 42) == expected)
        let nearest = try service(snapshot).similar(to: "a", k: 2, workspace: RetrievalWorkspace())
        #expect(nearest.map { Set($0.items.map(\.id)) } == Set(second.index.search(expected.span, k: 2).map(\.id)))
        // After a rollback, the older version also knows the newer one's items only by similar items.
        let newer = try second.completed(put("i41", .init(vector: vectors[1].row(5))))
        #expect(first.applying([newer]).snapshot.addedItems == 1)
    }

    @Test("a later version that knows the item skips a change, but not a removal")
    func learned() throws {
        let change = put("i41", .init(vector: vectors[0].row(5), like: ["i7"], title: "T"))
        #expect(first.applying([change]).skipped.isEmpty)
        let (snapshot, skipped) = second.applying([change, put("i40", nil)])
        #expect(skipped.map(\.change) == [change] && skipped.map(\.reason) == [.learned])
        #expect(snapshot.vector(of: 41) == vectors[1].row(41) && snapshot.title(of: 41) == nil)
        #expect(snapshot.tombstones == 1 && snapshot.number(of: "i40") == nil)
    }

    @Test("a skipped newest change leaves the item as the version has it")
    func undoesOlder() throws {
        let unusable = ItemChange.Content(vector: [1], like: ["i7"])
        let (added, none) = second.applying([
            put("i41", nil), put("i8", .init(like: ["i7"], title: "T", categories: ["New"]), version: 2),
            put("a", .init(like: ["i7"]), version: 2), put("b", .init(like: ["i7"]), version: 2),
        ])
        #expect(none.isEmpty && added.itemCount == 43 && added.title(of: 8) == "T")
        let changes = [
            put("i41", .init(like: ["i7"])), put("i8", .init(like: ["nope"]), version: 2),
            put("a", .init(like: ["b"]), version: 2), put("b", unusable, version: 2), put("c", .init(), version: 2),
        ]
        let (snapshot, skipped) = added.applying(changes)
        let dimension = ItemChangeError.wrongDimension(1, expected: 8, version: 2)
        let reasons: [SkippedChange.Reason] = [
            .learned, .nothingAlike, .nothingAlike, .unusableVector(dimension), .nothingAlike,
        ]
        #expect(skipped.map(\.change) == changes && skipped.map(\.reason) == reasons)
        #expect(snapshot.itemCount == 42 && snapshot.tombstones == 0 && snapshot.addedItems == 0)
        for item in 0..<Int32(42) { #expect(snapshot.vector(of: item) == vectors[1].row(Int(item))) }
        #expect(snapshot.title(of: 8) == nil && snapshot.categories.names(of: 8) == second.categories.names(of: 8))
        #expect(reasons.allSatisfy { !$0.description.isEmpty })
    }
}
