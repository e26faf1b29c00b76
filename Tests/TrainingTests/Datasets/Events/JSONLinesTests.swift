import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

@Suite("JSON Lines") struct JSONLinesTests {
    private func load(_ text: String) throws -> (data: InteractionDataset, items: [String]) {
        var vocabulary = ItemVocabulary()
        let data = try withFile(text, name: "rows.jsonl") {
            try InteractionDataset.load(events: $0, vocabulary: &vocabulary)
        }
        return (data, vocabulary.ids)
    }

    /// The error of a file, with `F` for its path.
    private func refusal(_ text: String) throws -> String {
        try withFile(text, name: "rows.jsonl") { path in
            var vocabulary = ItemVocabulary()
            let error = #expect(throws: CSVError.self) {
                try InteractionDataset.load(events: path, vocabulary: &vocabulary)
            }
            return "\(error.map(String.init(describing:)) ?? "")".replacing(path, with: "F")
        }
    }

    /// An id of letters, quotes, backslashes, control characters and characters outside the basic plane.
    private func id(_ generator: inout SequentialGenerator) -> String {
        let alphabet = Array("ab\"\\/\u{1}\n\té€😀,|{}[]: ")
        let length = Int.random(in: 1...6, using: &generator)
        let id = String((0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] })
        return id.allSatisfy(\.isWhitespace) ? "x" : id
    }

    @Test("random records give the same data as the same rows in CSV", arguments: 0..<6 as Range<UInt64>)
    func sameAsCSV(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        var (lines, rows): ([String], [String]) = ([], ["user,item,timestamp"])
        for _ in 0..<300 {
            let (user, item) = (id(&generator), id(&generator))
            let time = Int.random(in: 0...1_000_000_000_000, using: &generator)
            // Foundation's writer is the oracle: it escapes in its own way, and sorts or shuffles the fields.
            var options: JSONSerialization.WritingOptions = []
            if Bool.random(using: &generator) { options.insert(.sortedKeys) }
            if Bool.random(using: &generator) { options.insert(.withoutEscapingSlashes) }
            let record: [String: Any] = [
                "user": user, "item": item, "timestamp": time,
                "extra": ["a": [1, "]}"], "b": NSNull()] as [String: Any],
            ]
            let json = try JSONSerialization.data(withJSONObject: record, options: options)
            lines.append(String(decoding: json, as: UTF8.self))
            func quoted(_ text: String) -> String { "\"\(text.replacing("\"", with: "\"\""))\"" }
            rows.append("\(quoted(user)),\(quoted(item)),\(time)")
        }
        let (json, csv) = (try load(lines.joined(separator: "\n")), try load(rows.joined(separator: "\n")))
        #expect(json.items == csv.items && json.data.userIDs == csv.data.userIDs)
        #expect(json.data.digest == csv.data.digest && json.data.sequences == csv.data.sequences)
    }

    @Test("escapes, numbers as ids, blank lines, CRLF, spaces and fields in any order are read")
    func forms() throws {
        let loaded = try load(
            "\u{FEFF}{\"user_id\": 12, \"itemId\" :\"\\u0061\\ud83d\\ude00\", \"ts\":1.5e3}\r\n\n  \n"
                + " { \"ts\" : 1499 , \"user_id\":\"12\",\"itemId\":\"b\" } \n{\"itemId\":true,\"user_id\":-0.5,\"ts\":7}"
        )
        #expect(loaded.data.userIDs == ["12", "-0.5"])
        #expect(loaded.items == ["a😀", "b", "true"])
        #expect(Array(loaded.data.sequences[0]) == [1, 0])
        #expect(loaded.data.notes.count == 1 && loaded.data.notes[0].contains("one JSON object a line"))
    }

    @Test("a field that first appears in a later line is found, and a line without it has an empty one")
    func laterFields() throws {
        let loaded = try load("{\"user\":\"u\",\"item\":\"a\"}\n{\"item\":\"b\",\"new\":1,\"user\":\"v\"}\n")
        #expect(loaded.data.userIDs == ["u", "v"])
        let text = try refusal("{\"user\":\"u\",\"item\":\"a\",\"time\":1}\n{\"user\":\"u\",\"time\":2}\n")
        #expect(text.hasPrefix("F:2:1: the id in column 'item' is empty or missing"))
        #expect(try refusal("{\"user\":null,\"item\":\"a\"}\n").contains("'user' is empty or missing"))
    }

    @Test(
        "errors name line, column, field and the next step",
        arguments: [
            ("{\"user\":{\"id\":1},\"item\":\"a\"}", "F:1:9: field 'user' holds an object", "jq -c '.user = .user.id'"),
            (
                "{\"user\":{\"id\":1},\"item\":{\"tags\":[\"a\"],\"the sku\":{\"no\":[7]}},\"ts\":1}",
                "F:1:9: field 'user' holds an object", "jq -c '.user = .user.id | .item = .item.tags[0]'"
            ),
            (
                "{\"user\":{\"my id\":1},\"item\":{\"the sku\":{\"no\":7}}}", "F:1:9",
                "'.user = .user[\"my id\"] | .item = .item[\"the sku\"].no'"
            ),
            ("{\"user\":\"u\",\"item\":[\"a\",\"b\"]}", "F:1:20: field 'item' holds an object or a list", ".item[0]'"),
            (
                "{\"user\":\"u\",\"item\":\"a\",\"time\":{\"$date\":5}}", "F:1:31: field 'time' holds",
                ".time[\"$date\"]'"
            ),
            ("{\"user\":\"u\",\"item\":\"a\",\"time\":\"soon\"}", "F:1:32: 'soon' in column 'time' is no time", "2024"),
            ("{\"user\":\"u\",\"item\":\"a\",\"user\":\"v\"}", "F:1:25: the record has the field 'user' twice", ""),
            ("{\"user\":\"u\",\n\"item\":\"a\"}", "F:1:13: the name of a field in double quotes", "one whole object"),
            ("{'user': 'u'}", "F:1:2: single quotes are Python's", "python3"),
            ("{\"user\":'u'}", "F:1:9: single quotes are Python's", "python3"),
            ("{\"user\":\"u\",\"item\":NaN}", "F:1:20: a JSON value was expected", ""),
            ("{\"user\":\"u\" \"item\":1}", "F:1:13: a comma or a closing brace", ""),
            ("{\"user\":\"u\",\"item\":\"a\"} x", "F:1:25: text follows the object", ""),
            ("{\"user\":\"u\",\"item\":\"a", "F:1:20: the text that starts here does not end", ""),
            ("{\"user\":\"u\",\"item\":\"\\x\"}", "F:1:21: the text holds a backslash", ""),
            ("{\"user\":\"u\",\"item\":\"\\ud83d\"}", "F:1:21: the text holds a backslash", ""),
            ("{\"user\":\"u\",\"item\":[1}", "F:1:22: this bracket closes another kind", ""),
            ("{\"user\":\"u\",\"item\":[1", "F:1:20: the bracket that opens here", ""),
            ("{\"user\":\"u\",\"item\"}", "F:1:19: a colon was expected", ""),
            ("{\"user\":\"u\",\"item\":\"a\"}\n5", "F:2:1: a JSON object such as", ""),
            ("{\"u\":\"u\",\"item\":\"a\"}", "No column of 'F' is known to hold users", "--user-column"),
        ]
    )
    func errors(text: String, start: String, hint: String) throws {
        let refusal = try refusal(text + "\n")
        #expect(refusal.hasPrefix(start) && (hint.isEmpty || refusal.contains(hint)), "\(refusal)")
    }

    @Test("a field with too many levels is refused with its place, and skipped where it is not needed")
    func depth() throws {
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            func nested(_ levels: Int) -> String {
                String(repeating: open, count: levels) + "1" + String(repeating: close, count: levels)
            }
            for levels in [17, 60_000] {
                let user = try refusal("{\"user\":\(nested(levels)),\"item\":\"a\"}\n")
                #expect(
                    user.hasPrefix("F:1:9: the record is nested too deeply: field 'user' has more than 16"),
                    "\(user)"
                )
                // The other field is refused first, and its advice does not look into this one.
                let item = try refusal("{\"user\":{\"id\":1},\"item\":\(nested(levels))}\n")
                #expect(item.contains("jq -c '.user = .user.id'"), "\(item.prefix(300))")
                let skipped = try load("{\"user\":\"u\",\"item\":\"a\",\"more\":\(nested(levels))}\n")
                #expect(skipped.items == ["a"])
            }
            let path = String(repeating: open == "[" ? "[0]" : ".a", count: 16)
            let allowed = try refusal("{\"user\":\(nested(16)),\"item\":\"a\"}\n")
            #expect(allowed.contains("jq -c '.user = .user\(path)'"), "\(allowed)")
        }
        // Brackets inside texts of a flat list are no levels.
        let brackets = String(repeating: "[", count: 99) + String(repeating: "]", count: 99)
        let list = try refusal("{\"user\":[\"\(brackets)\",\"b\"],\"item\":\"a\"}\n")
        #expect(list.contains("jq -c '.user = .user[0]'"), "\(list)")
    }

    @Test("lines longer than a chunk and columns behind other scripts are placed right")
    func chunks() throws {
        let long = String(repeating: "é", count: 700_000)
        let lines = (0..<5).map { "{\"pad\":\"\(long)\",\"user\":\"u\($0)\",\"item\":\"i\"}\n" }.joined()
        #expect(try load(lines).data.userCount == 5)
        let text = try refusal(lines + "{\"pad\":\"éé\",\"user\":\"u\",\"item\":[]}\n")
        #expect(text.hasPrefix("F:6:31: field 'item' holds"))
    }

    @Test("items files may be JSON Lines; lists of texts are categories and attributes")
    func items() throws {
        let text = """
            {"item":"a","title":"T \\"1\\"","categories":["x","y|z"],"price":2.5,"more":{"k":1}}
            {"item":"b","price":3}
            """
        let metadata = try withFile(text) { try ItemMetadata.load(items: $0) }
        let catalogue = metadata.catalogue(of: ItemVocabulary(ids: ["b", "a"]))
        #expect(catalogue.titles == ["", "T \"1\""])
        #expect(catalogue.categoryNames == ["x", "y", "z"] && catalogue.categories == [[], [0, 1, 2]])
        #expect(catalogue.attributes.map(\.name) == ["price"])
    }
}
