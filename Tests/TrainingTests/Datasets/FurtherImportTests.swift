import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

/// The rows of a written CSV file, without quotes.
private func rows(_ path: String) throws -> [String] {
    try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8).split(separator: "\n").map(String.init)
}

/// Runs an import of a file into a folder next to it.
private func imported(
    _ text: String,
    metadata: String? = nil,
    by run: (_ file: String, _ metadata: String?, _ out: String) throws -> ImportSummary,
    body: (_ out: String, _ summary: ImportSummary) throws -> Void
) throws {
    try withFile(text, name: "raw.txt") { file in
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        let other = metadata == nil ? nil : folder.appending(path: "meta.json").path
        if let other, let metadata { try Data(metadata.utf8).write(to: URL(fileURLWithPath: other)) }
        let out = folder.appending(path: "out").path
        try body(out, try run(file, other, out))
    }
}

@Suite("Import of Amazon reviews") struct AmazonReviewsImportTests {
    private func run(
        _ text: String,
        metadata: String? = nil,
        core: Int = 0,
        change: (inout AmazonReviewsImport) -> Void = { _ in },
        body: (String, ImportSummary) throws -> Void
    ) throws {
        try imported(text, metadata: metadata) { file, metadata, out in
            var job = AmazonReviewsImport(reviews: file, metadata: metadata)
            job.core = core
            change(&job)
            return try job.run(into: out)
        } body: {
            try body($0, $1)
        }
    }

    private static let expected = [
        "user,item,timestamp", "A2SUAM1J3GNN3B,B000H00VBQ,1382659200", "A1KLRMWW2FWPL4,B000H00VBQ,1252800000",
    ]
    private static let forms = [
        // 2014 and 2018: JSON Lines.
        """
        {"reviewerID": "A2SUAM1J3GNN3B", "asin": "B000H00VBQ", "reviewerName": "J. \\"M\\"", "helpful": [0, 0], \
        "reviewText": "Plays well, {really}.", "overall": 5.0, "unixReviewTime": 1382659200, "reviewTime": "10 25, 2013"}
        {"overall": 2.0, "verified": true, "reviewTime": "09 13, 2009", "reviewerID": "A1KLRMWW2FWPL4", \
        "asin": "B000H00VBQ", "style": {"Color:": " Red"}, "unixReviewTime": 1252800000}
        """,
        // Ratings without a header, 2014.
        "A2SUAM1J3GNN3B,B000H00VBQ,5.0,1382659200\nA1KLRMWW2FWPL4,B000H00VBQ,2.0,1252800000\n",
        // Ratings with a header, as of 2023.
        "user_id,parent_asin,rating,timestamp\nA2SUAM1J3GNN3B,B000H00VBQ,5.0,1382659200\n"
            + "A1KLRMWW2FWPL4,B000H00VBQ,2.0,1252800000\n",
    ]

    @Test("the published forms give the same events", arguments: forms)
    func sameEvents(text: String) throws {
        try run(text) { (out, summary) throws in
            #expect(try rows("\(out)/events.csv") == Self.expected)
            #expect(summary.rows == 2 && summary.users == 2 && summary.items == 1)
        }
        try run(text) {
            $0.minimumRating = 4
        } body: { (out, summary) throws in
            #expect(try rows("\(out)/events.csv") == Array(Self.expected.prefix(2)))
            #expect(summary.rows == 2)
        }
    }

    @Test("ratings of 2018 have the item first, and reviews of 2023 have milliseconds")
    func otherForms() throws {
        try run("B000H00VBQ,A2SUAM1J3GNN3B,5.0,1382659200\n") {
            $0.itemFirst = true
        } body: { (out, _) throws in
            #expect(try rows("\(out)/events.csv") == Array(Self.expected.prefix(2)))
        }
        let text = """
            {"rating": 5.0, "title": "t", "images": [], "asin": "B07J3GH1W1", "parent_asin": "B08BBQ29N5", \
            "user_id": "AFKZENTNBQ7A7V7UXW5JJI6UGRYQ", "timestamp": 1588687728923, "verified_purchase": true}
            """
        try run(text) { (out, _) throws in
            let event = "AFKZENTNBQ7A7V7UXW5JJI6UGRYQ,B08BBQ29N5,1588687728923"
            #expect(try rows("\(out)/events.csv") == ["user,item,timestamp", event])
        }
    }

    @Test("metadata of every year give titles, categories, brands and prices; the first record of a product counts")
    func metadata() throws {
        let metadata = """
            {"asin": "B000H00VBQ", "title": "A, \\"b\\"", "categories": [["Toys", "Games", "Card|s"], ["Toys", "New"]], \
            "price": 12.5, "brand": "X"}
            {"asin": "absent", "title": "no"}
            {"asin": "B000H00VBQ", "title": "again"}
            """
        try run(Self.forms[0], metadata: metadata) { (out, _) throws in
            #expect(
                try rows("\(out)/items.csv") == [
                    "item,title,categories,brand:keyword,price:number",
                    "B000H00VBQ,\"A, \"\"b\"\"\",Games|Card/s|New|Toys,X,12.5",
                ]
            )
        }
        let newest = """
            {"parent_asin":"B000H00VBQ","title":"T","categories":["Toys","Games"],"store":"S","price":"$1,299.00"}
            """
        try run(Self.forms[0], metadata: newest) { (out, _) throws in
            #expect(try rows("\(out)/items.csv").last == "B000H00VBQ,T,Games|Toys,S,1299.00")
        }
        let range = #"{"asin":"B000H00VBQ","title":"T","category":["Toys"],"price":"$5.99 - $9.99"}"#
        try run(Self.forms[0], metadata: range) { (out, _) throws in
            #expect(try rows("\(out)/items.csv").last == "B000H00VBQ,T,Toys,")
        }
    }

    @Test("errors name the place and the next step, and leave nothing behind")
    func errors() throws {
        func refusal(_ text: String, metadata: String? = nil) throws -> String {
            try withFile(text, name: "raw.txt") { file in
                let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
                let other = folder.appending(path: "meta.json").path
                if let metadata { try Data(metadata.utf8).write(to: URL(fileURLWithPath: other)) }
                let out = folder.appending(path: "out").path
                let job = AmazonReviewsImport(reviews: file, metadata: metadata == nil ? nil : other)
                let error = #expect(throws: (any Error).self) { try job.run(into: out) }
                #expect(!FileManager.default.fileExists(atPath: out))
                return "\(error.map(String.init(describing:)) ?? "")".replacing(folder.path, with: "D")
            }
        }
        let columns = try refusal("user,item\nu,i\n")
        #expect(columns.contains("no columns 'reviewerID', 'asin', 'overall', 'unixReviewTime'"))
        #expect(try refusal("A,B,five,12\n").hasPrefix("D/raw.txt:1:5: 'five' in column 'rating'"))
        let python = try refusal(Self.forms[0], metadata: "{'asin': 'B000H00VBQ'}\n")
        #expect(python.hasPrefix("D/meta.json:1:2: single quotes are Python's") && python.contains("python3"))
        #expect(try refusal(Self.forms[0]).contains("lower the minimums"), "a core of 5 leaves nothing of two reviews")
    }

    @Test("the core is the largest set in which everybody has enough", arguments: 0..<5 as Range<UInt64>)
    func core(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let pairs = (0..<400).map { _ in
            [Int.random(in: 0..<70, using: &generator), Int.random(in: 0..<90, using: &generator)]
        }
        // The oracle drops one row at a time.
        var kept = pairs
        while let row = kept.firstIndex(where: { row in
            (0..<2).contains { side in kept.count { $0[side] == row[side] } < 4 }
        }) {
            kept.remove(at: row)
        }
        let text = pairs.enumerated().map { "u\($1[0]),i\($1[1]),1,\($0)" }.joined(separator: "\n")
        guard !kept.isEmpty else { return }
        try run(text, core: 4) { (out, summary) throws in
            let events = try rows("\(out)/events.csv").dropFirst().map { $0.split(separator: ",").prefix(2) }
            #expect(events.map { $0.joined(separator: ",") } == kept.map { "u\($0[0]),i\($0[1])" })
            #expect(summary.rows == 400)
        }
    }
}

@Suite("Import of check-ins") struct GowallaImportTests {
    private static let checkIns = """
        0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847
        0\t2010-10-18T22:17:43Z\t30.2691029532\t-97.7493953705\t420315
        1\t2010-10-17T23:42:03Z\t30.2557309927\t-97.7633857727\t22847
        1\t2008-12-03T21:09:14Z\t0.0\t0.0\t00000000000000000000000000000000
        2\t\t\t\t
        """

    private func run(_ text: String, core: Int, _ body: (String, ImportSummary) throws -> Void) throws {
        try imported(text) { file, _, out in
            var job = GowallaImport(checkIns: file)
            job.core = core
            return try job.run(into: out)
        } body: {
            try body($0, $1)
        }
    }

    @Test("check-ins become events in seconds, and places have a position; rows without a place are dropped")
    func events() throws {
        try run(Self.checkIns, core: 0) { (out, summary) throws in
            #expect(
                try rows("\(out)/events.csv") == [
                    "user,item,timestamp", "0,22847,1287532527", "0,420315,1287440263", "1,22847,1287358923",
                ]
            )
            #expect(
                try rows("\(out)/items.csv") == [
                    "item,title,categories,latitude:number,longitude:number", "22847,,,30.2359091167,-97.7951395833",
                    "420315,,,30.2691029532,-97.7493953705",
                ]
            )
            #expect(summary.rows == 5 && summary.events == 3)
            let metadata = try ItemMetadata.load(items: "\(out)/items.csv")
            let catalogue = metadata.catalogue(of: ItemVocabulary(ids: ["22847"]))
            #expect(catalogue.attributes.map(\.name) == ["latitude", "longitude"])
        }
    }

    @Test("a core counts repeated check-ins, and drops places of nobody from the items")
    func core() throws {
        try run(Self.checkIns + "\n1\t2010-10-17T20:00:00Z\t1\t2\t22847\n", core: 2) { (out, summary) throws in
            #expect(try rows("\(out)/events.csv").dropFirst().allSatisfy { $0.hasPrefix("1,22847,") })
            #expect(try rows("\(out)/items.csv").count == 2 && summary.items == 1 && summary.users == 1)
        }
    }

    @Test("a wrong time or position is an error with its place")
    func errors() throws {
        for (text, start) in [
            ("0\t19.10.2010\t1\t2\t3\n", ":1:3: '19.10.2010'"),
            ("0\t2010-10-19T23:55:27Z\tnorth\t2\t3\n", ":1:24: 'north'"),
            ("0\t2010-10-19T23:55:27Z\t1\t2\n", ":1:1: the row has 4 fields instead of 5"),
        ] {
            try withFile(text) { path in
                let out = URL(fileURLWithPath: path).deletingLastPathComponent().appending(path: "out").path
                let error = #expect(throws: CSVError.self) { try GowallaImport(checkIns: path).run(into: out) }
                #expect("\(error.map(String.init(describing:)) ?? "")".contains(start))
            }
        }
    }
}
