import Foundation
import Kernels
import Testing
import Training

@Suite("CSV reader") struct CSVReaderTests {
    /// All rows below the header, as text.
    private func rows(_ path: String) throws -> [[String]] {
        var reader = try CSVReader(file: path)
        var rows: [[String]] = []
        while try reader.next() { rows.append(reader.header.indices.map { reader.text($0) }) }
        return rows
    }

    @Test(
        "reads what RFC 4180 allows",
        arguments: [
            ("a,b\n1,2\n", [["1", "2"]]),
            ("a,b\r\n1,2\r\n", [["1", "2"]]),
            ("a,b\n1,2", [["1", "2"]]),
            ("\u{FEFF}a,b\n1,2\n", [["1", "2"]]),
            ("a,b\n\n1,2\n\r\n3,4\n\n", [["1", "2"], ["3", "4"]]),
            ("a,b\n,\n", [["", ""]]),
            ("a,b\n1,", [["1", ""]]),
            ("a,b\n\"1\",\"\"\n", [["1", ""]]),
            ("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", [["x,y", "say \"hi\""]]),
            ("a,b\n\"two\nlines\",\"two\r\nmore\"\r\n", [["two\nlines", "two\r\nmore"]]),
            ("a,b\n\"\"\"\",\"\"\"\"\"\"", [["\"", "\"\""]]),
            ("a,b\né, 中 \n", [["é", " 中 "]]),
            ("a\n\"\"\nx\n", [[""], ["x"]]),
            ("\"a\",\"b\"\n1,2\n", [["1", "2"]]),
            ("a,b\n", []),
        ]
    )
    func accepts(text: String, expected: [[String]]) throws {
        #expect(try withFile(text) { try rows($0) } == expected)
    }

    @Test(
        "between tabs, quotes that do not enclose a whole field of one line are ordinary characters",
        arguments: [
            ("\"Heroes\"", "Heroes"), ("say \"hi\"", "say \"hi\""), ("\"Heroes\" (live)", "\"Heroes\" (live)"),
            ("\"7 inch", "\"7 inch"), ("12\"", "12\""), ("\"say \"\"hi\"\"\"", "say \"hi\""), ("\"", "\""),
            ("\"\"", ""), ("\"\"\"", "\"\"\""), ("a,b", "a,b"),
        ]
    )
    func looseQuotes(written: String, read: String) throws {
        for end in ["\n", "\r\n"] {
            let text = "\(written)\tx" + end + "y\t\(written)" + end + "z\t\(written)"
            let found = try withFile(text) { path in
                let tabs = CSVDialect.separated(by: UInt8(ascii: "\t"))
                var reader = try CSVReader(file: path, dialect: tabs, header: ["a", "b"])
                var rows: [[String]] = []
                while try reader.next() { rows.append(reader.header.indices.map { reader.text($0) }) }
                return rows
            }
            #expect(found == [[read, "x"], ["y", read], ["z", read]])
        }
    }

    @Test("between tabs, quotes enclose tabs and line breaks where the row has the right number of fields only then")
    func strictQuotes() throws {
        let tabs = CSVDialect.separated(by: UInt8(ascii: "\t"))
        func rows(_ text: String) throws -> [[String]] {
            try withFile(text) { path in
                var reader = try CSVReader(file: path, dialect: tabs, header: ["a", "b"])
                var rows: [[String]] = []
                while try reader.next() { rows.append(reader.header.indices.map { reader.text($0) }) }
                return rows
            }
        }
        #expect(
            try rows("\"x\ty\"\t1\n\"two\nlines\"\t2\n3\t4\n") == [["x\ty", "1"], ["two\nlines", "2"], ["3", "4"]]
        )
        // In the last column, where a line alone has all fields.
        #expect(try rows("1\t\"two\nlines\"\n3\t4\n") == [["1", "two\nlines"], ["3", "4"]])
        #expect(try rows("1\t\"two\r\n\"\"lines\"\"\"\r\n3\t4\n") == [["1", "two\r\n\"lines\""], ["3", "4"]])
        // No row is swallowed.
        #expect(try rows("1\t\"a\n2\tb\"\n3\t4\n") == [["1", "\"a"], ["2", "b\""], ["3", "4"]])
        // Wherever the end of a chunk of a MiB lies in the row.
        for shift in 0..<12 {
            let filler = String(repeating: "f", count: (1 << 20) - 8 - shift)
            #expect(try rows("\(filler)\t1\n\"a\nb\"\t2\n3\t4").dropFirst() == [["a\nb", "2"], ["3", "4"]])
            #expect(try rows("\(filler)\t1\n\"a\" b\t2\n3\t4").dropFirst() == [["\"a\" b", "2"], ["3", "4"]])
            #expect(try rows("\(filler)\t1\n2\t\"a\nb\"\n3\t4").dropFirst() == [["2", "a\nb"], ["3", "4"]])
            #expect(try rows("\(filler)\t1\n2\t\"a\n3\t4").dropFirst() == [["2", "\"a"], ["3", "4"]])
        }
        let error = try #require(throws: CSVError.self) { try rows("1\t2\n\"x\ty\tz\n3\t4\n") }
        #expect("\(error)".contains(":2:1: the row has 3 fields"), "\(error)")
    }

    @Test("round-trips random rows in random quoting", arguments: 0..<20 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let alphabet = ["a", "7", ",", "\"", "\n", "\r\n", "\r", " ", "é", "中", "🎬"]
        let width = Int.random(in: 2...5, using: &generator)
        let expected = (0..<200).map { _ in
            (0..<width).map { _ in
                (0..<Int.random(in: 0...6, using: &generator))
                    .map { _ in alphabet.randomElement(using: &generator) ?? "" }.joined()
            }
        }
        let header = [(0..<width).map { "c\($0)" }]
        var text = ""
        for row in header + expected {
            let fields = row.map { field in
                let mustQuote = field.utf8.contains { ",\"\n\r".utf8.contains($0) }
                guard mustQuote || Bool.random(using: &generator) else { return field }
                return "\"\(field.replacingOccurrences(of: "\"", with: "\"\""))\""
            }
            text += fields.joined(separator: ",") + (Bool.random(using: &generator) ? "\n" : "\r\n")
        }
        #expect(try withFile(text) { try rows($0) } == expected)
    }

    @Test("a row may lie anywhere across the end of a chunk", arguments: 0..<24)
    func chunkBoundary(shift: Int) throws {
        let nasty = "\"a\"\"b\",\"é\r\n,\"\r\n"
        let padding = String(repeating: "x", count: (1 << 20) - 8 - shift)
        try withFile("h,i\n\(padding),y\n\(nasty)\(nasty)") { path in
            let rows = try rows(path)
            #expect(rows.count == 3)
            #expect(rows.first?.first?.utf8.count == padding.utf8.count)
            #expect(rows.dropFirst().allSatisfy { $0 == ["a\"b", "é\r\n,"] })
        }
    }

    @Test("a row may be longer than several chunks") func longRow() throws {
        let long = String(repeating: "ab\"\"\n", count: 1 << 20)
        try withFile("h\n\"\(long)\"\nlast\n") { path in
            let rows = try rows(path)
            #expect(rows.map { $0[0].utf8.count } == [4 << 20, 4])
        }
    }

    @Test("an open quote does not make the reader read the whole file") func boundedRow() throws {
        let text = "h,i\n1,2\n3,\"" + String(repeating: "x\n", count: 18 << 20)
        let error = try withFile(text) { path in #expect(throws: CSVError.self) { try rows(path) } }
        guard case .rowTooLong(let place, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(place.line == 3 && place.column == 1)
    }

    @Test(
        "errors give the place of broken quoting",
        arguments: [
            ("a,b\n1,2\n3,\"x", 3, 3), ("a,b\n1,x\"y\n", 2, 4), ("a,b\n1,\"x\"y\n", 2, 6), ("a,b\nq\rz,1\n", 2, 2),
            ("a,b\n\"1\n2\n3\",x\"\n", 4, 5), ("a,b\né中,x\"\n", 2, 5), ("a,b\n1,2\r", 2, 4), ("\u{FEFF}\"a", 1, 1),
            ("a,b\n1,2 \"x\"\n", 2, 5),
        ]
    )
    func brokenQuoting(text: String, line: Int, column: Int) throws {
        let error = try withFile(text) { path in #expect(throws: CSVError.self) { try rows(path) } }
        guard case .malformed(let place, _) = error else {
            Issue.record("\(text.debugDescription): \(String(describing: error))")
            return
        }
        #expect((place.line, place.column) == (line, column))
    }

    @Test(
        "errors give the place of bytes that are not UTF-8",
        arguments: [
            ([0xFF], 3), ([0xC3], 3), ([0x61, 0xC0, 0xAF], 4), ([0xED, 0xA0, 0x80], 3), ([0xF4, 0x90, 0x80, 0x80], 3),
            ([0xC3, 0xA9, 0x80], 4), ([0xE4, 0xB8], 3),
        ] as [([UInt8], Int)]
    )
    func invalidUTF8(bytes: [UInt8], column: Int) throws {
        for quote in [[], [UInt8(ascii: "\"")]] {
            let line = Array("a,b\nfine,ok\n1,".utf8) + quote + bytes + quote + Array("\nz,z\n".utf8)
            try withFile(line) { path in
                let place = CSVError.Location(file: path, line: 3, column: column + quote.count)
                #expect(throws: CSVError.invalidUTF8(at: place)) { try rows(path) }
            }
        }
    }

    @Test("unused columns must be UTF-8 too") func invalidUTF8InExtraColumn() throws {
        try withFile(Array("user,item,timestamp,x\nu,i,1,".utf8) + [0xFE, 0x0A]) { path in
            var vocabulary = ItemVocabulary()
            let place = CSVError.Location(file: path, line: 2, column: 7)
            #expect(throws: CSVError.invalidUTF8(at: place)) {
                try InteractionDataset.load(events: path, vocabulary: &vocabulary)
            }
        }
    }

    @Test("rejects rows with another number of fields", arguments: [("1", 1), ("1,2,3", 3)])
    func wrongWidth(row: String, found: Int) throws {
        try withFile("a,b\n\"x\ny\",2\n\(row)\n") { path in
            let place = CSVError.Location(file: path, line: 4, column: 1)
            #expect(throws: CSVError.wrongFieldCount(at: place, expected: 2, found: found)) { try rows(path) }
        }
    }

    @Test(
        "numbers must be finite decimals",
        arguments: [
            ("0", 0), ("-0", 0), ("42", 42), ("-7", -7), ("+7", 7), ("1.5", 1.5), ("1e3", 1000),
            ("123456789012345", 123_456_789_012_345),
            ("1234567890123456789", 1_234_567_890_123_456_768), ("", nil), ("-", nil), ("1.2.3", nil), ("nan", nil),
            ("inf", nil),
            ("0x10", nil), ("1e999", nil), (" 1", nil), ("1 ", nil), ("1_000", nil), ("٣", nil), ("12a", nil),
        ] as [(String, Double?)]
    )
    func numbers(text: String, value: Double?) throws {
        try withFile("n,t\nx,\(text)\n") { path in
            var reader = try CSVReader(file: path)
            #expect(try reader.next())
            if let value {
                #expect(try reader.number(1) == value)
            } else {
                let place = CSVError.Location(file: path, line: 2, column: 3)
                let expected = CSVError.invalidNumber(at: place, column: "t", text: text)
                do {
                    Issue.record("accepted \(try reader.number(1))")
                } catch {
                    #expect(error as? CSVError == expected)
                }
            }
        }
    }

    @Test("gives the reason when a file cannot be read") func unreadable() throws {
        for path in ["/nonexistent/events.csv", "/nonexistent/events.csv.gz", NSTemporaryDirectory()] {
            let error = #expect(throws: CSVError.self) { try rows(path) }
            guard case .unreadable(let file, let reason) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(file == path && !reason.isEmpty)
        }
    }

    @Test("an empty file has no header", arguments: ["", "\u{FEFF}", "\n\n"])
    func empty(text: String) throws {
        try withFile(text) { path in #expect(throws: CSVError.empty(file: path)) { try rows(path) } }
    }
}

@Suite("gzip-compressed CSV") struct CompressedCSVTests {
    private let text = "user,item,timestamp\n" + (0..<30_000).map { "u\($0 / 9),i\($0 * 7 % 1_001),\($0)\n" }.joined()

    /// The text, compressed by `gzip`.
    private func compressed() throws -> [UInt8] {
        try withFile(text) { path in
            let (process, output) = (Process(), Pipe())
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["gzip", "-c", path]
            process.standardOutput = output
            try process.run()
            let data = try output.fileHandleForReading.readToEnd()
            process.waitUntilExit()
            return [UInt8](data ?? Data())
        }
    }

    private func load(_ path: String) throws -> InteractionDataset {
        var vocabulary = ItemVocabulary()
        return try InteractionDataset.load(events: path, vocabulary: &vocabulary)
    }

    @Test("gives the same data as the plain file") func sameData() throws {
        let plain = try withFile(text) { try load($0) }
        let packed = try withFile(compressed(), name: "rows.csv.gz") { try load($0) }
        #expect(plain.sequences == packed.sequences)
        #expect(plain.digest == packed.digest)
        #expect(plain.eventCount == 30_000)
    }

    @Test("a damaged file is an error, for every kind of damage", arguments: ["cut", "flipped", "text", "none"])
    func damaged(kind: String) throws {
        var bytes = try compressed()
        switch kind {
        case "cut": bytes.removeLast(bytes.count / 3)
        case "flipped": bytes[bytes.count - 6] ^= 1
        case "text": bytes = Array(text.utf8)
        default: bytes = []
        }
        try withFile(bytes, name: "rows.csv.gz") { path in
            let error = #expect(throws: CSVError.self) { try load(path) }
            switch (kind, error) {
            case ("none", .empty), (_, .damagedArchive): break
            default: Issue.record("\(kind): \(String(describing: error))")
            }
        }
    }
}
