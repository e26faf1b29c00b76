import Serving
import TestSupport
import Testing

@Suite("Identifiers") struct IdentifierTableTests {
    @Test("every id is found, by string and by bytes, and no other id is", arguments: [1, 2, 3, 1000])
    func findsAll(count: Int) throws {
        let ids = (0..<count).map { ["", "é\u{0}", "a\"b", "🎬"][min($0, 4) % 4] + ($0 < 4 ? "" : "x\($0 * 7919)") }
        let table = try IdentifierTable(ids)
        let list = IdentifierList(ids + ["missing", "x", "🎬🎬"])
        for (number, id) in ids.enumerated() {
            #expect(table.number(of: id) == Int32(number))
            #expect(table.id(Int32(number)) == id)
        }
        #expect(table.number(of: "missing") == nil && table.number(of: "🎬🎬") == nil)
        var lookup = IdentifierTable.Lookup()
        for start in [0, 1, count, list.count] {
            var numbers: [Int32] = [-7]
            table.appendNumbers(of: list, from: start, to: &numbers, &lookup)
            #expect(numbers == [-7] + (Int32(min(start, count))..<Int32(count)))
        }
    }

    @Test("ids that share a slot under a hash without a key are found in a few steps")
    func withstandsCraftedIdentifiers() throws {
        let ids = makeCraftedIdentifiers(count: 500) { mix($0) & 1023 }
        #expect(try IdentifierTable(ids).longestProbe < 200)
    }

    @Test("an error names a duplicate id")
    func refusesDuplicates() {
        #expect(throws: SnapshotError.duplicateIdentifier("b")) { try IdentifierTable(["a", "b", "c", "b"]) }
    }

    // A program in another language computed the value.
    @Test("the content hash never changes, and depends on boundaries, order and the limit")
    func contentHash() {
        #expect(IdentifierList(["i42", "i7"]).contentHash(newest: 1000) == 0xc539_f850_939b_7c68)
        let hashes = [["ab"], ["a", "b"], ["b", "a"], [], [""], ["a", "b", ""]].map {
            IdentifierList($0).contentHash(newest: 1000)
        }
        #expect(Set(hashes).count == hashes.count)
        #expect(
            IdentifierList(["x", "a", "b"]).contentHash(newest: 2) == IdentifierList(["a", "b"]).contentHash(newest: 9)
        )
    }
}
