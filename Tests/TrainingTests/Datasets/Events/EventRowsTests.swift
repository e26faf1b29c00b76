import Foundation
import Kernels
import Testing
import Training

@Suite("Odd rows of an events file") struct EventRowsTests {
    @Test("spaces around ids and times are ignored unless they are quoted")
    func spaces() throws {
        let loaded = try EventsFile.load("user, item, timestamp\nu , b, 2\n u,\" a \", 1 \n")
        #expect(EventsFile.sequences(loaded) == ["u": [" a ", "b"]])
        #expect(
            try EventsFile.refusal("user,item,timestamp\nu,  ,1\n").hasPrefix("F:2:3: the id in column 'item' is empty")
        )
    }

    @Test("a delimiter at the end of each row gets its own advice")
    func surplusDelimiter() throws {
        let text = try EventsFile.refusal("user;item;timestamp\nu;i;1;\n")
        #expect(text.hasPrefix("F:2:1: the row ends with a delimiter") && text.contains("sed '1s/$/;/'"))
        #expect(try EventsFile.load("user;item;timestamp;\nu;i;1;\n").items == ["i"])
        #expect(
            try EventsFile.refusal("user,item,timestamp\nu,i,1,2\n").contains("4 fields instead of 3. Quote fields")
        )
        #expect(
            try EventsFile.refusal("user,item,timestamp\n# a day\n").contains("1 fields instead of 3. Complete the row")
        )
    }

    @Test("text that is not UTF-8 gets the command that converts it")
    func otherEncoding() throws {
        let text = try EventsFile.refusal(Array("user,item,timestamp\ncaf".utf8) + [0xE9] + Array(",i,1\n".utf8))
        #expect(text.hasPrefix("F:2:4: ") && text.contains("iconv -f WINDOWS-1252 -t UTF-8"))
    }

    @Test("ids by which programs write a missing value are named with their share")
    func missingIDs() throws {
        let loaded = try EventsFile.load("user,item,timestamp\nNaN,i,1\nNaN,j,2\nu,null,3\nNancy,none of these,4\n")
        #expect(loaded.data.notes.count == 2)
        #expect(loaded.data.notes[0].contains("the user 'NaN' has 50.0 % of the events"))
        #expect(loaded.data.notes[0].hasSuffix("train with --drop-user 'NaN'"))
        #expect(loaded.data.notes[1].contains("the item 'null' has 25.0 % of the events"))
        #expect(loaded.data.eventCount == 4)
        let text = "userId;sessionId;item;timestamp\nNA;s;i;1\nNA;s;j;2\n"
        let note = try #require(try EventsFile.load(text).data.notes.last)
        #expect(note.contains("100.0 %") && note.hasSuffix("or take the column 'sessionId' with --user-column"))
    }

    @Test("long numbers that a spreadsheet rounded are named, other ids with an E are not")
    func roundedIDs() throws {
        let rows = "u,8.90010E+12,1\nu,\"8,9E+12\",2\nu,1E5,3\nu,8.9E,4\nu,E+12,5\nu,8.9e-12,6\n"
        let notes = try EventsFile.load("user,item,timestamp\n" + rows).data.notes
        #expect(notes.count == 1 && notes[0].contains(" 2 of 6 items have an id such as '8.90010E+12'"), "\(notes)")
    }

    @Test("NUL bytes in ids are rejected with their place")
    func nul() throws {
        #expect(
            try EventsFile.refusal("user,item,timestamp\nu,i,1\nu,j\u{0},2\n").hasPrefix(
                "F:3:3: the id in column 'item' holds a NUL"
            )
        )
        #expect(
            try EventsFile.refusal("user,item,timestamp\n\u{0},i,1\n").hasPrefix(
                "F:2:1: the id in column 'user' holds a NUL"
            )
        )
    }

    @Test(
        "the error names a file's foreign format",
        arguments: [
            (Array(" [1]\n".utf8), "JSON"), ([0x1F, 0x8B, 8, 0], "gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"),
            (Array("PK\u{3}\u{4}".utf8), "ZIP"), (Array("PAR1".utf8), "Parquet"),
            (Array("BZh91AY".utf8), "bzip2 -d"), (Array("BZh11AY".utf8), "bzip2 -d"),
            ([0xFD] + Array("7zXZ\0".utf8), "xz -d"),
            ([0xFF, 0xFE, 0x75, 0], "UTF-16"), ([0x75, 0, 0x73, 0], "UTF-16"),
        ] as [([UInt8], String)]
    )
    func foreign(bytes: [UInt8], name: String) throws {
        let text = try EventsFile.refusal(bytes)
        #expect(text.hasPrefix("'F' is ") && text.contains(name) && text.contains("not separated text"))
    }

    @Test("too many rows are an error, not a trap")
    func rowLimit() throws {
        try withFile("user,item,timestamp\nu,a,1\nu,b,2\nu,c,3\n") { (path) throws in
            var vocabulary = ItemVocabulary()
            func load(rowLimit: Int) throws -> InteractionDataset {
                let (source, targets) = (EventSource(file: path), TargetConfiguration())
                return try InteractionDataset.load(
                    source,
                    EventColumns(),
                    targets,
                    &vocabulary,
                    .extend,
                    rowLimit: rowLimit
                )
            }
            #expect(throws: CSVError.tooManyRows(file: path, limit: 2)) { try load(rowLimit: 2) }
            #expect(try load(rowLimit: 3).eventCount == 3)
        }
    }
}
