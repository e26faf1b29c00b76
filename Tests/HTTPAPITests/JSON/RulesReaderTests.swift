import HTTPAPI
import Serving
import Testing

@Suite("Reading rules and histories") struct RulesReaderTests {
    private func read(_ fields: String) throws -> RetrievalRequest {
        var request = RetrievalRequest()
        var reader = RetrievalRequestReader()
        try reader.read(Array("{\"history\":[],\(fields)}".utf8), into: &request)
        return request
    }

    @Test("rules are read as written, and null is none")
    func rules() throws {
        let rules = try read(
            #""boosts":[{"filter":{"any_of":["A"]},"add":-0.5},{"rank_factor":2,"filter":{}}],"pins":[{"id":7,"position":2}],"#
                + #""group_by":{"key":"brand","limit":3},"score_threshold":-1e3,"offset":20,"calibrate":{"key":"tags"},"#
                + #""min_new":{"key":"released","share":0.5,"since":1.5}"#
        ).rules
        #expect(rules.boosts.map(\.effect) == [.add(-0.5), .rankFactor(2)])
        let category = ItemFilter.Clause.attribute("categories", .any([.text("A")]))
        #expect(rules.boosts[0].filter.group.must.contains(category))
        #expect(rules.pins == [.init("7", at: 2)] && rules.groupLimit == .init("brand", limit: 3))
        #expect(rules.scoreThreshold == -1000 && rules.offset == 20 && rules.calibration == "tags")
        #expect(rules.newShare == .init("released", share: 0.5, since: .number(1.5)))
        let none =
            #""boosts":[],"pins":[],"group_by":null,"score_threshold":null,"offset":null,"min_new":null,"calibrate":null"#
        #expect(try read(none).rules.isEmpty)
        let recent = try read(#""min_new":{"key":"released","share":0.5,"days":2}"#).rules.newShare
        guard case .number(let since)? = recent?.since else {
            Issue.record("\(String(describing: recent))")
            return
        }
        #expect(since.truncatingRemainder(dividingBy: 3600) == 0 && since > 1.7e9)
    }

    @Test(
        "wrong rules are refused with their place",
        arguments: [
            (#""boosts":[{"filter":{}}]"#, "/boosts/0"), (#""boosts":[{"add":1}]"#, "/boosts/0"),
            (#""boosts":[{"filter":{},"add":1,"rank_factor":2}]"#, "/boosts/0/rank_factor"),
            (#""boosts":[{"filter":{"must":[{"key":"a"}]},"add":1}]"#, "/boosts/0/filter/must/0"),
            (#""boosts":[{"filter":{},"rank_factor":0}]"#, "/boosts/0/rank_factor"),
            (#""pins":[{"id":"a","position":0}]"#, "/pins/0/position"), (#""pins":[{"id":"a"}]"#, "/pins/0"),
            (#""pins":[{"id":"a","position":1},{"id":"b","position":1}]"#, "/pins/1/position"),
            (#""group_by":{"key":"a"}"#, "/group_by"), (#""group_by":{"key":"a","limit":1,"x":1}"#, "/group_by/x"),
            (#""offset":-1"#, "/offset"), (#""offset":999,"k":2"#, "/offset"),
            (#""min_new":{"key":"a","share":1.5,"days":1}"#, "/min_new/share"),
            (#""min_new":{"key":"a","share":1,"days":1,"since":2}"#, "/min_new/since"),
            (#""guidance":{"newest":1}"#, "/guidance/newest"), (#""guidance":{"popular":65}"#, "/guidance/popular"),
            (#""guidance":[1]"#, "/guidance"), (#""guidance":{"popular":1,"popular":1}"#, "/guidance/popular"),
            (#""calibrate":{}"#, "/calibrate"), (#""calibrate":"a""#, "/calibrate"),
            (#""diversity":0.5,"offset":0"#, "/diversity"), (#""offset":1,"offset":1"#, "/offset"),
        ]
    )
    func refuses(fields: String, pointer: String) throws {
        do throws(Problem) {
            var request = RetrievalRequest()
            var reader = RetrievalRequestReader()
            try reader.read(Array("{\"history\":[],\(fields)}".utf8), into: &request)
            Issue.record("the rules were accepted")
        } catch {
            #expect(error.errors.map(\.pointer) == [pointer])
        }
    }

    @Test("entries with context count as their ids")
    func context() throws {
        var request = RetrievalRequest()
        var reader = RetrievalRequestReader()
        let body = #"{"history":[{"id":7,"at":"2024-01-31"},"b",{"weight":2,"id":"c"},9],"exclude":["x"]}"#
        try reader.read(Array(body.utf8), into: &request)
        #expect(request.history == IdentifierList(["7", "b", "c", "9"]) && request.answersIntegers)
        #expect(request.context == [.times, .weights])
        try reader.read(Array(#"{"history":["a"]}"#.utf8), into: &request)
        #expect(request.context.isEmpty)
        for (wrong, pointer) in [
            (#"{"history":[{"at":1}]}"#, "/history/0"), (#"{"history":["a",{"id":"b","at":"x"}]}"#, "/history/1/at"),
            (#"{"history":[{"id":"a","weight":-1}]}"#, "/history/0/weight"),
            (#"{"history":[{"id":"a","kind":1}]}"#, "/history/0/kind"),
            (#"{"history":[],"exclude":[{"id":"a"}]}"#, "/exclude/0"),
        ] {
            let problem = #expect(throws: Problem.self) { try reader.read(Array(wrong.utf8), into: &request) }
            #expect(problem?.errors.map(\.pointer) == [pointer])
        }
    }
}
