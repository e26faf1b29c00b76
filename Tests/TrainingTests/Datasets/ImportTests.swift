import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

/// Runs a body in a temporary folder with some files.
private func withFiles<Result>(_ files: [String: [UInt8]], _ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, bytes) in files { try Data(bytes).write(to: folder.appending(path: name)) }
    return try body(folder)
}

extension URL {
    /// The path of a file in this folder.
    fileprivate func file(_ name: String) -> String { appending(path: name).path }

    /// The lines of a file in this folder's `out`.
    fileprivate func lines(_ name: String) throws -> [String] {
        try String(contentsOfFile: appending(path: "out/\(name)").path, encoding: .utf8)
            .split(separator: "\n").map(String.init)
    }

    /// The names in a folder.
    fileprivate var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }
}

/// Sequences of item ids by user id, as training reads them.
private func sequences(_ path: String) throws -> [String: [String]] {
    var vocabulary = ItemVocabulary()
    let dataset = try InteractionDataset.load(events: path, vocabulary: &vocabulary)
    let rows = dataset.userIDs.indices.map { user in
        (dataset.userIDs[user], dataset.sequences[user].map { vocabulary.ids[Int($0)] })
    }
    return Dictionary(uniqueKeysWithValues: rows)
}

@Suite("MovieLens import") struct MovieLensImportTests {
    /// Ratings: film `m` is rated once by each of the users `1...` up to its count.
    private func ratings(_ films: [(film: String, users: ClosedRange<Int>)], separator: String) -> String {
        films.flatMap { film in
            film.users.map { [String($0), film.film, "3.5", String(1000 - $0)].joined(separator: separator) + "\n" }
        }.joined()
    }

    @Test("reads .dat with titles in ISO 8859-1, quotes and colons", arguments: [false, true])
    func dat(isLatin: Bool) throws {
        let accent: [UInt8] = isLatin ? [0xE9] : Array("é".utf8)
        let movies =
            Array("1::\"Great\" Am".utf8) + accent
            + Array("lie: Part, One (1995)::Comedy|Film-Noir\n2::B (1996)::\n".utf8)
            + Array("9::Nobody rated it::Drama\n".utf8)
        let ratings = "5::1::5::20\n5::2::0.5::10\n6::1::3::7\n"
        try withFiles(["movies.dat": movies, "ratings.dat": Array(ratings.utf8)]) { folder in
            var job = MovieLensImport(ratings: folder.file("ratings.dat"), movies: folder.file("movies.dat"))
            job.minimumInteractions = 1
            let summary = try job.run(into: folder.file("out"))
            #expect((summary.rows, summary.users, summary.items, summary.events) == (3, 2, 2, 3))
            #expect(try folder.appending(path: "out").names == ["events.csv", "items.csv"])
            #expect(try folder.lines("events.csv") == ["user,item,timestamp", "5,1,20", "5,2,10", "6,1,7"])
            #expect(
                try folder.lines("items.csv") == [
                    "item,title,categories", "1,\"\"\"Great\"\" Amélie: Part, One (1995)\",Comedy|Film-Noir",
                    "2,B (1996),",
                ]
            )
            let metadata = try ItemMetadata.load(items: folder.file("out/items.csv"))
            let catalogue = metadata.catalogue(of: ItemVocabulary(ids: ["2", "1"]))
            #expect(catalogue.titles == ["B (1996)", "\"Great\" Amélie: Part, One (1995)"])
            #expect(metadata.categoryNames == ["Comedy", "Film-Noir"])
        }
    }

    @Test("reads .csv with quoted titles") func csv() throws {
        let ratings = "userId,movieId,rating,timestamp\r\n1,10,4.0,100\r\n1,11,2.5,99\r\n1,12,4,98\r\n"
        let movies =
            "movieId,title,genres\r\n10,\"American President, The (1995)\",Drama|Romance\r\n"
            + "12,\"\"\"Q\"\"\",(no genres listed)\r\n"
        try withFiles(["ratings.csv": Array(ratings.utf8), "movies.csv": Array(movies.utf8)]) { folder in
            var job = MovieLensImport(ratings: folder.file("ratings.csv"), movies: folder.file("movies.csv"))
            job.minimumInteractions = 1
            job.minimumRating = 3
            let summary = try job.run(into: folder.file("out"))
            #expect((summary.rows, summary.events) == (3, 2))
            #expect(try sequences(folder.file("out/events.csv")) == ["1": ["12", "10"]])
            #expect(
                try folder.lines("items.csv") == [
                    "item,title,categories", "10,\"American President, The (1995)\",Drama|Romance", "12,\"\"\"Q\"\"\",",
                ]
            )
        }
    }

    @Test("timestamps at the limits of 64 bits are kept") func extremeTimes() throws {
        let times = ["-9223372036854775808", "9223372036854775807", "-9007199254740991"]
        let ratings = "userId,movieId,rating,timestamp\n" + times.enumerated().map { "1,\($0),5,\($1)\n" }.joined()
        try withFiles(["ratings.csv": Array(ratings.utf8)]) { folder in
            var job = MovieLensImport(ratings: folder.file("ratings.csv"))
            job.minimumInteractions = 1
            _ = try job.run(into: folder.file("out"))
            let written = try folder.lines("events.csv").dropFirst().map { $0.split(separator: ",")[2] }
            #expect(Set(written.map { Double($0) }) == Set(times.map { Double($0) }))
        }
    }

    @Test("drops films first, then users, each once", arguments: [",", "::"])
    func rare(separator: String) throws {
        // Film z has two ratings and is dropped. Then user 4 has one rating left and is dropped. Film w stays,
        // although one of its three ratings was by user 4.
        let films: [(String, ClosedRange<Int>)] = [("x", 1...3), ("y", 1...3), ("w", 2...4), ("z", 3...4)]
        let header = separator == "," ? "userId,movieId,rating,timestamp\n" : ""
        let name = separator == "," ? "ratings.csv" : "ratings.dat"
        let text = header + ratings(films, separator: separator) + ["1", "w", "1", "5"].joined(separator: separator)
        try withFiles([name: Array(text.utf8)]) { folder in
            var job = MovieLensImport(ratings: folder.file(name))
            job.minimumInteractions = 3
            let summary = try job.run(into: folder.file("out"))
            #expect(
                try sequences(folder.file("out/events.csv")) == [
                    "1": ["w", "x", "y"], "2": ["x", "y", "w"], "3": ["x", "y", "w"],
                ]
            )
            #expect((summary.users, summary.items, summary.events) == (3, 3, 9))
            #expect(!FileManager.default.fileExists(atPath: folder.file("out/items.csv")))
        }
    }

    @Test("an item may end below the minimum, because each step runs once") func notIterated() throws {
        // Film b has 2 ratings, by users 1 and 9. User 9 has no other rating and is dropped, which leaves b with one.
        let text = "1::a::1::1\n2::a::1::1\n1::b::1::2\n9::b::1::1\n2::c::1::2\n3::a::1::1\n3::c::1::2\n"
        try withFiles(["ratings.dat": Array(text.utf8)]) { folder in
            var job = MovieLensImport(ratings: folder.file("ratings.dat"))
            job.minimumInteractions = 2
            _ = try job.run(into: folder.file("out"))
            #expect(
                try sequences(folder.file("out/events.csv")) == ["1": ["a", "b"], "2": ["a", "c"], "3": ["a", "c"]]
            )
        }
    }

    @Test(
        "errors have file, line and column, and nothing is left behind",
        arguments: [
            ("1::2::3::4\n1::2::three::4\n", "2:7: 'three' in column 'rating'"),
            ("1::2::3::4\n1::2::3\n", "2:1: the row has 3 fields instead of 4"),
            ("1::2::3::4\n\n::2::3::4\n", "3:1: the id in column 'userId' is empty"),
            ("1::2::3::\n", "1:10: '' in column 'timestamp'"),
            ("1::2:3::4\n", "1:1: the row has 3 fields instead of 4"),
            ("", "No interactions of"),
        ]
    )
    func errors(text: String, message: String) throws {
        try withFiles(["ratings.dat": Array(text.utf8)]) { folder in
            let job = MovieLensImport(ratings: folder.file("ratings.dat"))
            let error = try #require(throws: (any Error).self) { try job.run(into: folder.file("out")) }
            #expect("\(error)".contains(message), "\(error)")
            #expect("\(error)".contains(folder.file("ratings.dat")))
            #expect(try folder.names == ["ratings.dat"])
        }
    }

    @Test("a film listed twice is an error, even with valid ratings") func duplicateFilm() throws {
        let files = ["ratings.dat": "1::2::3::4\n", "movies.dat": "2::A::Drama\n3::B::Drama\n2::C::Drama\n"]
        try withFiles(files.mapValues { Array($0.utf8) }) { folder in
            let job = MovieLensImport(ratings: folder.file("ratings.dat"), movies: folder.file("movies.dat"))
            let place = CSVError.Location(file: folder.file("movies.dat"), line: 3, column: 1)
            #expect(throws: CSVError.duplicateID(at: place, column: "movieId", id: "2")) {
                try job.run(into: folder.file("out"))
            }
        }
    }

    @Test("fields of .dat may lie anywhere across the end of a chunk", arguments: 0..<16)
    func chunkBoundary(shift: Int) throws {
        let padding = String(repeating: "x", count: (1 << 20) - 12 - shift)
        let text = "\(padding)::1::1::1\nu::é:v::2::3\nu::w::2::4\n"
        try withFiles(["ratings.dat": Array(text.utf8)]) { folder in
            var job = MovieLensImport(ratings: folder.file("ratings.dat"))
            job.minimumInteractions = 1
            _ = try job.run(into: folder.file("out"))
            #expect(try sequences(folder.file("out/events.csv")) == [padding: ["1"], "u": ["é:v", "w"]])
        }
    }
}

@Suite("Import folder of data") struct DatasetFolderTests {
    private let ratings = ["ratings.dat": Array("1::2::3::4\n".utf8)]

    private func job(_ folder: URL) -> MovieLensImport {
        var job = MovieLensImport(ratings: folder.file("ratings.dat"))
        job.minimumInteractions = 1
        return job
    }

    @Test("an empty folder is filled, one with a file is rejected and kept") func existing() throws {
        try withFiles(ratings) { folder in
            try FileManager.default.createDirectory(atPath: folder.file("out"), withIntermediateDirectories: false)
            _ = try job(folder).run(into: folder.file("out") + "/")
            #expect(try folder.names == ["out", "ratings.dat"])
            let kept = try folder.lines("events.csv")
            #expect(throws: ImportError.folderInUse(folder.file("out"))) {
                try job(folder).run(into: folder.file("out"))
            }
            #expect(throws: ImportError.folderInUse(folder.file("ratings.dat"))) {
                try job(folder).run(into: folder.file("ratings.dat"))
            }
            #expect(try folder.lines("events.csv") == kept)
        }
    }

    @Test("files of a killed import are replaced") func leftover() throws {
        try withFiles(ratings) { folder in
            try FileManager.default.createDirectory(
                atPath: folder.file(".out.part"),
                withIntermediateDirectories: false
            )
            try Data("half".utf8).write(to: folder.appending(path: ".out.part/test.csv"))
            _ = try job(folder).run(into: folder.file("out"))
            #expect(try folder.names == ["out", "ratings.dat"])
            #expect(try folder.appending(path: "out").names == ["events.csv"])
        }
    }

    @Test("a folder that cannot be created is an error that names it") func unwritable() throws {
        try withFiles(ratings) { folder in
            let error = #expect(throws: ImportError.self) { try job(folder).run(into: folder.file("no/such/out")) }
            guard case .unwritable(let path, let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(path.hasPrefix(folder.file("no/such")) && !reason.isEmpty)
        }
    }

    @Test(
        "timestamps and unusual ids are kept exactly",
        arguments: [
            "0", "-7", "1593878903.438", "1e17", "0.1", "978300760", "1700000000000000001", "18446744073709551615",
            "1700000000.123456789", "123456789012345678901234567890.5",
        ]
    )
    func roundTrip(timestamp: String) throws {
        let rows = ["\"a,b\",\"say \"\"x\"\"\",1,\(timestamp)", "\"two\nlines\",é,1,1", "\" c \",\" d\",1,2"]
        let text = (["userId,movieId,rating,timestamp"] + rows).joined(separator: "\n") + "\n"
        try withFiles(["ratings.csv": Array(text.utf8)]) { folder in
            var job = MovieLensImport(ratings: folder.file("ratings.csv"))
            job.minimumInteractions = 1
            _ = try job.run(into: folder.file("out"))
            var vocabulary = ItemVocabulary()
            let dataset = try InteractionDataset.load(events: folder.file("out/events.csv"), vocabulary: &vocabulary)
            #expect(dataset.userIDs == ["a,b", "two\nlines", " c "])
            #expect(vocabulary.ids == ["say \"x\"", "é", " d"])
            var raw = ItemVocabulary()
            let direct = try InteractionDataset.load(events: folder.file("ratings.csv"), vocabulary: &raw)
            #expect(dataset.lastTimestamps == direct.lastTimestamps && dataset.digest == direct.digest)
        }
    }
}

@Suite("KuaiRec import") struct KuaiRecImportTests {
    private static let header = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n"

    /// A row of the matrix.
    private static func row(_ user: Int, _ video: Int, at time: String, ratio: String) -> String {
        "\(user),\(video),10,5,2020-07-05 00:08:23.438,20200705,\(time),\(ratio)\n"
    }

    private let matrix =
        header + row(1, 7, at: "1593878903.438", ratio: "2.0") + row(1, 7, at: "1593878904", ratio: "3.5")
        + row(1, 8, at: "1593878901.5", ratio: "2.5") + row(1, 9, at: "", ratio: "4")
        + row(1, 9, at: "5", ratio: "1.99")
        + row(2, 8, at: "3", ratio: "0") + row(2, 7, at: "2", ratio: "2")

    @Test("keeps videos watched for twice their length, with a time") func interactions() throws {
        try withFiles(["big_matrix.csv": Array(matrix.utf8)]) { folder in
            var job = KuaiRecImport(matrix: folder.file("big_matrix.csv"))
            job.minimumInteractions = 1
            let summary = try job.run(into: folder.file("out"))
            #expect((summary.rows, summary.users, summary.items, summary.events) == (7, 2, 2, 4))
            #expect(try sequences(folder.file("out/events.csv")) == ["1": ["8", "7", "7"], "2": ["7"]])
            #expect(try folder.lines("events.csv")[1] == "1,7,1593878903.438")
        }
    }

    @Test("a ratio of 0 keeps every showing with a time, except rare ones") func everyShowing() throws {
        try withFiles(["big_matrix.csv": Array(matrix.utf8)]) { folder in
            var job = KuaiRecImport(matrix: folder.file("big_matrix.csv"))
            job.minimumWatchRatio = 0
            job.minimumInteractions = 2
            _ = try job.run(into: folder.file("out"))
            #expect(try sequences(folder.file("out/events.csv")) == ["1": ["8", "7", "7"], "2": ["7", "8"]])
        }
    }

    @Test("reads categories, captions, or both") func texts() throws {
        let files = [
            "big_matrix.csv": matrix, "item_categories.csv": "video_id,feat\n7,[8]\n8,\"[27, 9]\"\n55,[1]\n",
            "captions.csv": "video_id,manual_cover_text,caption\n8,x,\"hello, #world\n你好\"\n",
        ]
        try withFiles(files.mapValues { Array($0.utf8) }) { folder in
            var job = KuaiRecImport(
                matrix: folder.file("big_matrix.csv"),
                categories: folder.file("item_categories.csv")
            )
            job.minimumInteractions = 1
            _ = try job.run(into: folder.file("out"))
            #expect(try folder.lines("items.csv") == ["item,title,categories", "7,,8", "8,,27|9"])
            job.captions = folder.file("captions.csv")
            _ = try job.run(into: folder.file("out2"))
            let metadata = try ItemMetadata.load(items: folder.file("out2/items.csv"))
            let catalogue = metadata.catalogue(of: ItemVocabulary(ids: ["7", "8"]))
            #expect(catalogue.titles == ["", "hello, #world\n你好"])
        }
    }

    @Test("an invalid list is an error with its place", arguments: ["8", "[8", "]", "\"8, 9\""])
    func badList(text: String) throws {
        let files = ["big_matrix.csv": matrix, "item_categories.csv": "feat,video_id\n[1],7\n\(text),8\n"]
        try withFiles(files.mapValues { Array($0.utf8) }) { folder in
            let job = KuaiRecImport(
                matrix: folder.file("big_matrix.csv"),
                categories: folder.file("item_categories.csv")
            )
            let error = #expect(throws: CSVError.self) { try job.run(into: folder.file("out")) }
            guard case .malformed(let place, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect((place.file, place.line) == (folder.file("item_categories.csv"), 3))
        }
    }

    @Test("a file with another header is rejected") func wrongFile() throws {
        try withFiles(["item_categories.csv": Array("video_id,feat\n7,[8]\n".utf8)]) { folder in
            let job = KuaiRecImport(matrix: folder.file("item_categories.csv"))
            let expected = CSVError.missingColumns(
                ["user_id", "timestamp", "watch_ratio"],
                file: folder.file("item_categories.csv"),
                found: ["video_id", "feat"]
            )
            #expect(throws: expected) { try job.run(into: folder.file("out")) }
        }
    }
}
