import CheckpointStore
import Testing
import Training

@Suite("Attributes of an items file") struct AttributeReadingTests {
    /// The attributes of items `a`, `b`, `c` and of `d`, which the file does not list.
    private func attributes(_ text: String) throws -> (columns: [AttributeColumn], notes: [String]) {
        let metadata = try withFile(text) { try ItemMetadata.load(items: $0) }
        return (metadata.catalogue(of: ItemVocabulary(ids: ["a", "b", "c", "d"])).attributes, metadata.notes)
    }

    private static func numbers(_ type: AttributeType, _ values: [Double?]) -> AttributeColumn {
        AttributeColumn(name: "x", type: type, values: .numbers(values.map { $0 ?? .nan }))
    }

    private static func texts(_ type: AttributeType, _ names: [String], _ lists: [[Int32]]) -> AttributeColumn {
        AttributeColumn(name: "x", type: type, values: .texts(names: names, lists: lists))
    }

    @Test(
        "the values or the header decide the type",
        arguments: [
            ("x", ["1.5", "-2", "1e3"], numbers(.number, [1.5, -2, 1000, nil])),
            ("x", ["0", "", "-12"], numbers(.integer, [0, nil, -12, nil])),
            ("x", ["9007199254740992", "1", "2"], numbers(.integer, [9_007_199_254_740_992, 1, 2, nil])),
            ("x", ["9007199254740993024", "1", "2"], numbers(.number, [9_007_199_254_740_993_024, 1, 2, nil])),
            ("x", ["true", "FALSE", ""], numbers(.boolean, [1, 0, nil, nil])),
            (
                "x", ["2024-01-01", "2024-01-01T00:00:00.5Z", ""],
                numbers(.time, [1_704_067_200, 1_704_067_200.5, nil, nil])
            ),
            ("x", ["007", "1", "2"], texts(.keyword, ["007", "1", "2"], [[0], [1], [2], []])),
            ("x", [" b ", "", "b"], texts(.keyword, ["b"], [[0], [], [0], []])),
            ("x", ["p|q", "q", "q|q| |r"], texts(.keywords, ["p", "q", "r"], [[0, 1], [1], [1, 2], []])),
            ("x:time", ["100", "2024-01-01", ""], numbers(.time, [100, 1_704_067_200, nil, nil])),
            ("x:keyword", ["1", "2", "p|q"], texts(.keyword, ["1", "2", "p|q"], [[0], [1], [2], []])),
            ("x:token_seq", ["1", "2", "2"], texts(.keywords, ["1", "2"], [[0], [1], [1], []])),
            ("x:float", ["1", "2", ""], numbers(.number, [1, 2, nil, nil])),
            ("x:Number", ["", "", ""], numbers(.number, [nil, nil, nil, nil])),
        ]
    )
    func types(header: String, fields: [String], expected: AttributeColumn) throws {
        let text = "item,\(header),title\n" + zip("abc", fields).map { "\($0),\"\($1)\",T\n" }.joined()
        let found = try attributes(text)
        #expect(found.columns == [expected])
        #expect(found.notes.last?.hasSuffix(": attributes x (\(expected.type.rawValue))") == true)
    }

    @Test(
        "amounts of one currency are numbers",
        arguments: [
            (["$1.50", "$1,299.00", "-$3"], [1.5, 1299, -3, nil]),
            (["1,50 €", "1.299,00 €", ""], [1.5, 1299, nil, nil]),
            (["1 299,00 €", "- 2,50 €", "12 345 €"], [1299, -2.5, 12_345, nil]),
            (["EUR 12.50", "EUR 1,299", "EUR 2"], [12.5, 1299, 2, nil]),
            (["£1,234,567", "£5", "£0.99"], [1_234_567, 5, 0.99, nil]),
            (["12 USD", "7 USD", "7 USD"], [12, 7, 7, nil]),
        ] as [([String], [Double?])]
    )
    func prices(fields: [String], values: [Double?]) throws {
        let text = "item,x\n" + zip("abc", fields).map { "\($0),\"\($1)\"\n" }.joined()
        let found = try attributes(text)
        #expect(found.columns == [Self.numbers(.number, values)])
        #expect(found.notes.contains { $0.contains("'x' holds amounts of '") && $0.hasSuffix("read as numbers") })
    }

    @Test(
        "amounts that could be two numbers, of two currencies, or codes stay texts",
        arguments: [
            (["1,299 €", "2,500 €", "7 €"], true), (["$1.50", "$1,50", "$2,999"], true),
            (["$1.50", "1.50 €", "$2"], false), (["10-20 €", "12.50 €", "5-7 €"], false),
            (["1 2 €", "3 €", "4 €"], false),
            (["$1.50", "$1,50", "$2.50"], true),
            (["SKU12", "SKU13", "SKU14"], false), (["$12,34,56", "$1.5", "$1"], true), (["$", "$1", "$2"], false),
        ]
    )
    func noPrices(fields: [String], isTold: Bool) throws {
        let text = "item,x\n" + zip("abc", fields).map { "\($0),\"\($1)\"\n" }.joined()
        let found = try attributes(text)
        #expect(found.columns.map(\.type) == [.keyword])
        let note = found.notes.first { $0.hasPrefix("warning: ") && $0.contains("holds amounts") }
        #expect((note != nil) == isTold && note.map { note in fields.contains { note.contains("'\($0)'") } } != false)
    }

    @Test("a field of JSON records that begins after the first chunk is told, not silently lost")
    func lateField() throws {
        let filler = String(repeating: "x", count: 1000)
        var lines = (0..<1200).map { #"{"item": "i\#($0)", "title": "\#(filler)"}"# }
        lines.append(#"{"item": "last", "title": "t", "price": 3}"#)
        try withFile(lines.joined(separator: "\n"), name: "items.jsonl") { path in
            let notes = try ItemMetadata.load(items: path).notes
            #expect(notes.contains { $0.contains("not read: 'price', first in line 1201") }, "\(notes)")
        }
        try withFile(lines.prefix(3).joined(separator: "\n"), name: "items.jsonl") { path in
            let notes = try ItemMetadata.load(items: path).notes
            #expect(!notes.contains { $0.contains("not read") })
        }
    }

    @Test(
        "a value that does not have the declared type is an error with its place",
        arguments: [
            ("number", "cheap"), ("number", "nan"), ("number", "1e999"), ("integer", "1.5"), ("integer", "1e3"),
            ("integer", "9007199254740994"), ("boolean", "1"), ("boolean", "yes"), ("time", "soon"),
            ("time", "1e12"), ("time", "9999-12-31T23:59:59.5Z"), ("time", "9999-12-31T23:00:00-05:00"),
            ("time", "0001-01-01T00:00:00+02:00"), ("keyword", String(repeating: "x", count: 257)),
        ]
    )
    func wrongTypes(type: String, value: String) throws {
        try withFile("item,x:\(type)\na,\nb,\(value)\n") { path in
            let error = CSVError.wrongType(
                at: .init(file: path, line: 3, column: 3),
                column: "x",
                type: type,
                text: String(value.prefix(40))
            )
            #expect(throws: error) { try ItemMetadata.load(items: path) }
        }
    }

    @Test(
        "columns that cannot be attributes are left out with a note",
        arguments: [
            ("item,x,x,y\na,1,2,3\n", "names must be unique"), ("item,x,y\na,,3\n", "no attributes from 'x'"),
            ("item,x,y\na,\(String(repeating: "long ", count: 60)),3\n", "no attributes from 'x'"),
        ]
    )
    func leftOut(text: String, note: String) throws {
        let found = try attributes(text)
        #expect(found.columns.map(\.name) == ["y"])
        #expect(found.notes.contains { $0.contains(note) }, "\(found.notes)")
    }

    @Test("a file of titles and categories has no attributes and no notes")
    func plain() throws {
        let found = try attributes("item,title,categories\na,A,x|y\n")
        #expect(found.columns.isEmpty && found.notes.isEmpty)
    }

    @Test("a header of many columns takes time in proportion to them")
    func manyColumns() throws {
        let header = (0..<100_000).map { ",c\($0)" }.joined()
        let found = try attributes("item\(header)\na\(String(repeating: ",", count: 100_000))\n")
        #expect(found.columns.isEmpty && found.notes.contains { $0.contains("99936 columns are no attributes") })
    }

    @Test("at most 64 columns become attributes")
    func bound() throws {
        let header = (0..<70).map { ",c\($0)" }.joined()
        let found = try attributes("item\(header)\na\(String(repeating: ",1", count: 70))\n")
        #expect(found.columns.count == 64 && found.notes.contains { $0.contains("6 columns are no attributes") })
    }
}
