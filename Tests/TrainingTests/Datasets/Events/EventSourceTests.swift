import Foundation
import Testing
import Training

/// A folder of files that disappears with its test.
private struct Folder {
    let path: String

    /// Writes the files, runs the body and removes the folder.
    static func with(_ files: [String: String], _ body: (Folder) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files {
            let file = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(text.utf8).write(to: file)
        }
        try body(Folder(path: folder.path))
    }

    func run(_ words: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(words)")
    }
}

@Suite("Log of several files") struct EventSourceTests {
    private func load(_ names: [String], rowLimit: Int = .max) throws -> InteractionDataset {
        var vocabulary = ItemVocabulary()
        return try InteractionDataset.load(
            EventSource(names),
            EventColumns(),
            TargetConfiguration(),
            &vocabulary,
            .extend,
            rowLimit: rowLimit
        )
    }

    private func refusal(_ names: [String], in folder: Folder) throws -> String {
        let error = #expect(throws: CSVError.self) { try load(names) }
        return "\(error.map(String.init(describing:)) ?? "")".replacing(folder.path, with: "D")
    }

    private static let days = [
        "logs/2026-01-01.csv": "user,item,timestamp\nu,a,5\nv,b,5\n",
        "logs/2026-01-02.csv": "item,when,user_id\nc,5,u\n".replacing("when", with: "time"),
        "logs/2026-01-10.jsonl": "{\"user\":\"u\",\"item\":\"d\",\"ts\":5}\n",
        "logs/notes.md": "no log", "logs/.hidden.csv": "no log",
        "whole.csv": "user,item,timestamp\nu,a,5\nv,b,5\nu,c,5\nu,d,5\n",
    ]

    @Test("a folder, a pattern and a list of files give the data of one file with all rows in this order")
    func sameAsOne() throws {
        try Folder.with(Self.days) { folder in
            let whole = try load(["\(folder.path)/whole.csv"])
            let files = ["2026-01-01.csv", "2026-01-02.csv", "2026-01-10.jsonl"].map { "\(folder.path)/logs/\($0)" }
            for names in [
                files, ["\(folder.path)/logs"], ["\(folder.path)/logs/"], ["\(folder.path)/logs/2026-*"],
                ["\(folder.path)/l?gs/2026-01-0[1-9].csv", files[2]], ["\(folder.path)/*/2026-01-[!x]*"],
            ] {
                let data = try load(names)
                #expect(data.digest == whole.digest && data.sequences == whole.sequences, "\(names)")
                #expect(data.userIDs == whole.userIDs && data.lastTimestamps == whole.lastTimestamps)
            }
            let other = try load([files[2], files[0], files[1]])
            #expect(other.digest != whole.digest, "the order of the names is the order of the events")
            #expect(try load([files[0]]).notes.isEmpty)
            #expect(try load(files).notes.contains { $0.contains("'user_id'") && $0.contains("2026-01-02.csv") })
        }
    }

    @Test("folders named column=value are parts of a log, and what Spark leaves beside the files is none")
    func partitioned() throws {
        let header = "user,item,timestamp\n"
        let files = [
            "out/_SUCCESS": "", "out/._SUCCESS.crc": "?", "out/_temporary/0/part-00000.csv": "no log",
            "out/user_hash=00/part-00000-c000.csv": header + "u,a,5\n",
            "out/user_hash=00/.part-00000-c000.csv.crc": "?",
            "out/user_hash=01/part-00001-c000.csv": header + "v,b,5\n", "out/user_hash=02/part-00002-c000.csv": header,
            "out/user_hash=10/day=1/part-00001-c000.csv": header + "w,c,5\n", "out/user_hash=10/_SUCCESS": "",
            "out/archive/part-00000.csv": "no log", "out/.user_hash=11/part-00000.csv": "no log",
            "out/old.csv/part-00000.csv": "no log", "pairs/a.csv": header + "u,a,5\nu,b,6\n",
            "whole.csv": header + "u,a,5\nv,b,5\nw,c,5\n",
        ]
        try Folder.with(files) { folder in
            try folder.run("gzip", "out/user_hash=01/part-00001-c000.csv")
            let whole = try load(["\(folder.path)/whole.csv"])
            for name in ["out", "out/"] {
                let data = try load(["\(folder.path)/\(name)"])
                #expect(data.digest == whole.digest && data.sequences == whole.sequences, "\(name)")
            }
            #expect(try load(["\(folder.path)/out/user_hash=0*/*.csv*"]).userIDs == ["u", "v"])
            let parts = try TrainingData(
                train: "\(folder.path)/pairs",
                validation: "\(folder.path)/pairs/a.csv",
                test: "\(folder.path)/out",
                items: nil
            )
            #expect(parts.split.test.userIDs == ["u", "v", "w"])
            try FileManager.default.removeItem(atPath: "\(folder.path)/whole.csv")
            #expect(try refusal(["\(folder.path)"], in: folder).contains("holds no file"))
        }
    }

    @Test("gzip and zstd are read for every form, one after another")
    func compressed() throws {
        try Folder.with(Self.days) { folder in
            let whole = try load(["\(folder.path)/logs"])
            try folder.run("gzip", "logs/2026-01-01.csv")
            try folder.run("zstd", "-q", "--rm", "logs/2026-01-02.csv", "logs/2026-01-10.jsonl")
            #expect(try load(["\(folder.path)/logs"]).digest == whole.digest)
            let packed = "\(folder.path)/logs/2026-01-10.jsonl.zst"
            let bytes = try Data(contentsOf: URL(fileURLWithPath: packed))
            try bytes.dropLast(3).write(to: URL(fileURLWithPath: packed))
            let text = try refusal([packed], in: folder)
            #expect(text.hasPrefix("Cannot decompress 'D/logs/2026-01-10.jsonl.zst'") && text.contains("zstd -t"))
            try FileManager.default.moveItem(atPath: packed, toPath: "\(folder.path)/plain.csv")
            #expect(try refusal(["\(folder.path)/plain.csv"], in: folder).contains("ends in .zst"))
        }
    }

    @Test("names that give no log, or give one twice, are refused")
    func wrongNames() throws {
        try Folder.with(Self.days.merging(["empty/x.md": ""]) { $1 }) { folder in
            let path = folder.path
            #expect(try refusal(["\(path)/2027-*.csv"], in: folder).contains("no file matches the pattern"))
            #expect(try refusal(["\(path)/empty"], in: folder).contains("the folder holds no file"))
            #expect(try refusal(["\(path)/absent.csv"], in: folder).hasPrefix("Cannot read 'D/absent.csv'"))
            let twice = try refusal(["\(path)/logs", "\(path)/logs/../logs/2026-01-02.csv"], in: folder)
            #expect(twice.contains("is given twice"))
            #expect(try refusal(["-", "-"], in: folder).contains("'standard input' is given twice"))
        }
    }

    @Test("what a folder holds beside its logs is named, hidden files and markers are not")
    func unread() throws {
        let row = "user,item,timestamp\nu,a,5\n"
        let files = [
            "in/a.csv": row, "in/b.csv.bz2": row, "in/c.dat": row, "in/old/d.csv": row, "in/_SUCCESS": "",
            "in/.e.csv": row,
            "in/day=1/f.log": row, "in/day=1/g.csv": row, "years/2024/h.csv": row, "clean/a.csv": row,
            "shop/events.csv": row, "shop/items.csv": "item,title\na,A\n",
        ]
        try Folder.with(files) { folder in
            let notes = try load(["\(folder.path)/in"]).notes.map { $0.replacing(folder.path, with: "D") }
            #expect(notes.count == 1)
            let list = "warning: not read: 'D/in/b.csv.bz2', 'D/in/c.dat', 'D/in/day=1/f.log', 'D/in/old/';"
            #expect(notes.first?.hasPrefix(list) == true, "\(notes)")
            #expect(try refusal(["\(folder.path)/years"], in: folder).contains("; it holds 'D/years/2024/'."))
            #expect(try load(["\(folder.path)/clean"]).notes.isEmpty)
            let items = try refusal(["\(folder.path)/shop"], in: folder)
            #expect(items.hasPrefix("No column of 'D/shop/items.csv' is known to hold users"))
            #expect(items.hasSuffix("If this file is no log, name the others by a pattern such as 'logs/*.csv'."))
            #expect(try load(["\(folder.path)/in/*.csv"]).notes.isEmpty, "a pattern says what it takes")
        }
    }

    @Test("the files of a log must agree in times: column, form and unit")
    func times() throws {
        let seconds = "user,item,ts\nu,a,1700000000\n"
        let files = [
            "a.csv": seconds, "none.csv": "user,item\nu,b\n", "date.csv": "user,item,ts\nu,b,2024-01-01\n",
            "ms.csv": "user,item,ts\nu,b,1700000000123\n", "b.csv": seconds.replacing("17", with: "18"),
        ]
        try Folder.with(files) { folder in
            func both(_ name: String) throws -> String {
                try refusal(["\(folder.path)/a.csv", "\(folder.path)/\(name).csv"], in: folder)
            }
            #expect(try both("none").contains("'D/a.csv' has a column of times and 'D/none.csv' has none"))
            #expect(try both("date").hasPrefix("D/date.csv:2:5: column 'ts' mixes forms of time"))
            let units = try both("ms")
            let start = "D/ms.csv:2:5: column 'ts' counts milliseconds here (1700000000123) and seconds in"
            #expect(units.hasPrefix(start))
            #expect(units.contains("'D/a.csv' (1700000000, line 2)"))
            #expect(try load(["\(folder.path)/a.csv", "\(folder.path)/b.csv"]).eventCount == 2)
        }
    }

    @Test("the limit of rows counts all files together")
    func rowLimit() throws {
        try Folder.with(Self.days) { folder in
            let names = ["\(folder.path)/logs"]
            let name = try EventSource(names).name
            #expect(throws: CSVError.tooManyRows(file: name, limit: 3)) {
                try load(names, rowLimit: 3)
            }
            #expect(try load(names, rowLimit: 4).eventCount == 4)
        }
    }

    @Test("patterns match as the shell's do")
    func patterns() throws {
        let names = ["a.csv", "ab.csv", "b.csv", "a[1].csv", "x-1.csv", "aXbXc.csv"]
        let files = Dictionary(uniqueKeysWithValues: names.map { ($0, "user,item\n\($0),i\n") })
        try Folder.with(files) { (folder) throws in
            func matches(_ pattern: String) throws -> [String] {
                let names = try load(["\(folder.path)/\(pattern)"]).userIDs
                return names
            }
            #expect(try matches("?.csv") == ["a.csv", "b.csv"])
            #expect(try matches("a*b*c.csv") == ["aXbXc.csv"])
            #expect(try matches("a*.csv") == ["a.csv", "aXbXc.csv", "a[1].csv", "ab.csv"])
            #expect(try matches("[ab].csv") == ["a.csv", "b.csv"])
            #expect(try matches("[!a].csv") == ["b.csv"])
            #expect(try matches("[a-c-]b.csv") == ["ab.csv"])
            #expect(try matches("a[1].csv") == ["a[1].csv"], "a file of this very name comes first")
        }
    }

    // MARK: Queries

    private static let schema = """
        create table clicks (who text, what integer, at real, note blob);
        insert into clicks values ('u "1"', 7, 3, null), ('v,2', 8, 1.5, x'41'), ('u "1"', 9, 2, null);
        create view broken as select absent from clicks;
        """

    @Test("a query of SQLite gives the data of the same rows in CSV, and changes nothing")
    func query() throws {
        let csv = "user,item,time\n\"u \"\"1\"\"\",7,3\n\"v,2\",8,1.5\n\"u \"\"1\"\"\",9,2\n"
        try Folder.with(["log.csv": csv]) { folder in
            let database = "\(folder.path)/lo?g%.db"
            try folder.run("sqlite3", "lo?g%.db", Self.schema)
            let before = try Data(contentsOf: URL(fileURLWithPath: database))
            let name = "sqlite:\(folder.path)/lo%3Fg%25.db"
            let data = try load([name + "?query=select who as user, what as item, at as time from clicks"])
            let plain = try load(["\(folder.path)/log.csv"])
            #expect(data.digest == plain.digest && data.sequences == plain.sequences)
            let like = try load([
                name + "?query=select who user, what item from clicks where who like 'v%25' -- 50%25?"
            ])
            #expect(like.userIDs == ["v,2"])
            #expect(try Data(contentsOf: URL(fileURLWithPath: database)) == before)
            func refused(_ query: String) throws -> String { try refusal([name + "?query=" + query], in: folder) }
            #expect(try refused("select who as user from clicks").contains("known to hold items"))
            #expect(try refused("select absent from clicks").contains("no such column: absent"))
            #expect(try refused("delete from clicks").contains("failed"))
            #expect(try refused("select 1; select 2").contains("failed"))
            #expect(try refused("select who user, what item from clicks where 0").contains("No rows in"))
            #expect(try refused("select null user, what item from clicks").contains("sqlite:"))
            #expect(try refused("  ").contains("the query is empty"))
            #expect(try refused("select 50 % 7").contains("a percent sign without"))
            #expect(try refusal(["sqlite:x.db"], in: folder).contains("'?query=' is missing"))
            #expect(try refusal(["sqlite:/nowhere/x.db?query=select 1"], in: folder).contains("failed"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: database)) == before)
        }
    }

    @Test("the name of a query on a server tells what is wrong, and no message repeats its password")
    func serverQueries() throws {
        try Folder.with([:]) { (folder) throws in
            func refused(_ rest: String) throws -> String {
                let message = try refusal(["postgres://shop:s3cret%25@" + rest], in: folder)
                #expect(!message.contains("s3cret"), "\(message)")
                return message
            }
            #expect(try refused("db/shop").contains("'?query=' is missing"))
            #expect(try refused("db/shop?query= ").contains("the query is empty"))
            #expect(try refused("db/shop?query=select 50 % 7").contains("a percent sign without"))
            #expect(try refused("db:x/shop?query=select 1").contains("its address is no URL"))
            #expect(try refused("127.0.0.1:1/a@b?query=select 1").contains("its address is no URL"))
            // Nothing listens on port 1.
            for mark in ["?", "?connect_timeout=2&", "?password=s3cret&"] {
                let message = try refused("127.0.0.1:1/shop\(mark)query=select 1")
                let hasLibrary = message.contains("The PostgreSQL server 127.0.0.1:1/shop cannot be reached")
                #expect(hasLibrary || message.contains("libpq5"), "\(message)")
            }
            let unknown = try refusal(["mysql://shop:s3cret@db/shop?query=select 1"], in: folder)
            #expect(unknown.contains("'mysql://...' is no source of events") && !unknown.contains("s3cret"))
            let twice = Array(repeating: "postgresql://shop:s3cret@db/shop?query=select 1", count: 2)
            #expect(try refusal(twice, in: folder).contains("'postgres://db:5432/shop' is given twice"))
        }
    }
}
