import CheckpointStore
import Kernels
import TestSupport
import Testing
import Training

@Suite("Interaction data set") struct InteractionDatasetTests {
    private func load(_ text: String) throws -> (InteractionDataset, ItemVocabulary) {
        var vocabulary = ItemVocabulary()
        let dataset = try withFile(text) { try InteractionDataset.load(events: $0, vocabulary: &vocabulary) }
        return (dataset, vocabulary)
    }

    private static let small = "user,item,timestamp\nu1,b,5\nu2,a,1\nu1,a,3\nu1,c,5\nu2,b,0.5\nu3,a,-2\n"

    @Test("ids that share a slot under a hash without a key are found in a few steps")
    func withstandsCraftedIdentifiers() {
        let ids = makeCraftedIdentifiers(count: 500) { (($0 >> 32 ^ $0) &* 0x9E37_79B9_7F4A_7C15 >> 20) & 1023 }
        #expect(ItemVocabulary(ids: ids).longestProbe < 200)
    }

    @Test("sorts each user by time and keeps the file's order on ties") func sequences() throws {
        let (dataset, vocabulary) = try load(Self.small)
        #expect(vocabulary.ids == ["b", "a", "c"])
        #expect(dataset.userIDs == ["u1", "u2", "u3"])
        #expect(dataset.sequences == RaggedRows([[1, 0, 2], [0, 1], [1]]))
        #expect(dataset.lastTimestamps == [5, 1, -2])
        #expect((dataset.userCount, dataset.eventCount, dataset.unknownEvents) == (3, 6, 0))
    }

    @Test("the newest histories are those of the users who were active last, without unknown items")
    func newestHistories() throws {
        var vocabulary = ItemVocabulary(ids: ["a", "b"])
        let text = "user,item,timestamp\nu1,x,9\nu2,a,1\nu3,b,7\nu4,b,3\nu3,y,6\nu3,a,5\nu5,a,3\nu4,a,3\n"
        let dataset = try withFile(text) {
            try InteractionDataset.load(events: $0, vocabulary: &vocabulary, unknownItems: .mark)
        }
        #expect(dataset.newestHistories(9) == [[0, 1], [1, 0], [0], [0]])
        #expect(dataset.newestHistories(2) == [[0, 1], [1, 0]])
        #expect(dataset.newestHistories(0) == [])
    }

    @Test("equals plain grouping and stable sorting", arguments: 0..<10 as Range<UInt64>)
    func matchesReference(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let events = (0..<2_000).map { _ in
            (
                user: "u\(Int.random(in: 0..<60, using: &generator))",
                item: "i\(Int.random(in: 0..<300, using: &generator))",
                time: Int.random(in: 0..<20, using: &generator)
            )
        }
        let text = "user,item,timestamp\n" + events.map { "\($0.user),\($0.item),\($0.time)\n" }.joined()
        let (dataset, vocabulary) = try load(text)
        for (user, id) in dataset.userIDs.enumerated() {
            let own = events.enumerated().filter { $0.element.user == id }
                .sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
            #expect(dataset.sequences[user].map { vocabulary.ids[Int($0)] } == own.map(\.element.item))
        }
        #expect(Set(dataset.userIDs).count == dataset.userCount)
        #expect(dataset.eventCount == events.count)
    }

    @Test(
        "the digest depends on the events alone",
        arguments: [
            "timestamp,extra,item,user\n5,x,b,u1\n1,,a,u2\n3,,a,u1\n5,,c,u1\n0.5,,b,u2\n-2,,a,u3\n",
            "\u{FEFF}user,item,timestamp\r\n\"u1\",\"b\",5.0\r\nu2,a,1\r\nu1,a,3e0\r\nu1,c,5\r\nu2,b,.5\r\nu3,a,-2",
        ]
    )
    func digestIgnoresForm(text: String) throws {
        let (plain, other) = (try load(Self.small), try load(text))
        #expect(plain.0.digest == other.0.digest)
        #expect(plain.0.sequences == other.0.sequences)
        #expect(plain.0.digest.count == 64)
    }

    @Test(
        "any change of an event changes the digest",
        arguments: [("u1,b,5", "u1,b,6"), ("u1,b,5", "u1,d,5"), ("u3,a", "u4,a"), ("u1,b,5\nu2,a,1", "u2,a,1\nu1,b,5")]
    )
    func digestSeesEvents(old: String, new: String) throws {
        let changed = Self.small.replacing(old, with: new)
        #expect(changed != Self.small)
        #expect(try load(Self.small).0.digest != load(changed).0.digest)
    }

    @Test("the digest is the SHA-256 of the documented bytes") func digestValue() throws {
        // printf '\1\0\0\0u\1\0\0\0i\0\0\0\0\0\0\360\77' | sha256sum
        let expected = "30ead7aab588c8f1840d22b29805dd72928b3ebe507e3553af4038098ab0b075"
        #expect(try load("user,item,timestamp\nu,i,1\n").0.digest == expected)
        #expect(try load("user,item,timestamp\nu,i,-0\n").0.digest == load("user,item,timestamp\nu,i,0\n").0.digest)
    }

    @Test("marks and counts items outside a shared vocabulary") func unknownItems() throws {
        var (_, vocabulary) = try load(Self.small)
        let before = vocabulary
        let marked = try withFile("user,item,timestamp\nv,x,1\nv,c,2\nv,y,3\nv,x,4\n") {
            try InteractionDataset.load(events: $0, vocabulary: &vocabulary, unknownItems: .mark)
        }
        #expect(vocabulary == before)
        #expect(marked.sequences == RaggedRows([[-1, 2, -1, -1]]))
        #expect((marked.unknownEvents, marked.unknownItems) == (3, 2))
        let extended = try withFile("user,item,timestamp\nv,x,1\nv,c,2\n") {
            try InteractionDataset.load(events: $0, vocabulary: &vocabulary)
        }
        #expect(extended.sequences == RaggedRows([[3, 2]]))
        #expect(vocabulary.ids == before.ids + ["x"])
    }

    @Test("a vocabulary of any size finds exactly its own ids") func vocabulary() {
        let ids = (0..<20_000).map { "item-\($0)" } + ["", "é", "中"]
        let vocabulary = ItemVocabulary(ids: ids)
        #expect(vocabulary.count == ids.count)
        #expect(ids.enumerated().allSatisfy { vocabulary.number(of: $0.element) == Int32($0.offset) })
        #expect((0..<1_000).allSatisfy { vocabulary.number(of: "other-\($0)") == nil })
    }

    @Test(
        "errors describe the problem of a row",
        arguments: [
            ("u,i,soon", "2:5: 'soon' in column 'timestamp'"), (",i,1", "2:1: the id in column 'user' is empty"),
            ("u,\"\",1", "2:4: the id in column 'item' is empty"), ("u,i", "2:1: the row has 2 fields instead of 3"),
        ]
    )
    func badRow(row: String, message: String) throws {
        try withFile("user,item,timestamp\n\(row)\n") { path in
            var vocabulary = ItemVocabulary()
            let error = #expect(throws: CSVError.self) {
                try InteractionDataset.load(events: path, vocabulary: &vocabulary)
            }
            #expect("\(error.map(String.init(describing:)) ?? "")".hasPrefix("\(path):\(message)"))
        }
    }

    @Test("a file needs a row, and each column once") func headerOnly() throws {
        var vocabulary = ItemVocabulary()
        try withFile("user,item,timestamp\n") { path in
            #expect(throws: CSVError.empty(file: path)) {
                try InteractionDataset.load(events: path, vocabulary: &vocabulary)
            }
        }
        try withFile("user,item,item,timestamp\nu,i,j,1\n") { path in
            #expect(throws: CSVError.duplicateColumn("item", file: path)) {
                try InteractionDataset.load(events: path, vocabulary: &vocabulary)
            }
        }
    }
}

@Suite("Item metadata") struct ItemMetadataTests {
    private static let films = """
        item,title,categories
        1,"Good, Bad, Ugly, The",Western
        2,Nothing,
        3,Twice,Drama|Western|Drama||
        9,Unseen,Musical
        """

    @Test("gives the catalogue of a vocabulary") func catalogue() throws {
        let metadata = try withFile(Self.films) { try ItemMetadata.load(items: $0) }
        let catalogue = metadata.catalogue(of: ItemVocabulary(ids: ["3", "7", "1", "2"]))
        #expect(catalogue.ids == ["3", "7", "1", "2"])
        #expect(catalogue.titles == ["Twice", "", "Good, Bad, Ugly, The", "Nothing"])
        #expect(catalogue.categoryNames == ["Western", "Drama", "Musical"])
        #expect(catalogue.categories == [[1, 0], [], [0], []])
    }

    @Test("rejects an item listed twice") func duplicate() throws {
        try withFile(Self.films + "\n2,Again,Drama\n") { path in
            let place = CSVError.Location(file: path, line: 6, column: 1)
            #expect(throws: CSVError.duplicateID(at: place, column: "item", id: "2")) {
                try ItemMetadata.load(items: path)
            }
        }
    }
}
