import HTTPAPI
import Serving
import Testing

@Suite("Filters of a request") struct FilterReaderTests {
    private func read(_ filter: String) throws(Problem) -> RetrievalRequest {
        var reader = RetrievalRequestReader()
        var request = RetrievalRequest()
        try reader.read(Array("{\"history\":[],\"filter\":\(filter)}".utf8), into: &request)
        return request
    }

    @Test("reads every clause")
    func clauses() throws {
        let request = try read(
            """
            {"must":[{"key":"price","range":{"gte":1.5,"lt":1e2}},{"key":"brand","any":["a","\\u0062"]}],
             "should":[{"ids":["i1",7]},{"key":"stock","match":true},
                       {"must":[{"key":"t","range":{"gt":"2024-01-01","lte":3}}],"should":[{"key":"x","exists":false}]}],
             "minimum":2,"must_not":[{"key":"tags","none":[]},{"should":[]}],"any_of":["Comedy"],"none_of":["Horror"]}
            """
        )
        func range(_ lower: ItemFilter.Value, _ isLower: Bool, _ upper: Double, _ isUpper: Bool) -> ItemFilter.Test {
            .range(
                lower: ItemFilter.Bound(lower, isInclusive: isLower),
                upper: ItemFilter.Bound(.number(upper), isInclusive: isUpper)
            )
        }
        let nested = ItemFilter.Group(
            must: [.attribute("t", range(.text("2024-01-01"), false, 3, true))],
            should: [.attribute("x", .exists(false))]
        )
        let expected = ItemFilter.Group(
            must: [
                .attribute("price", range(.number(1.5), true, 100, false)),
                .attribute("brand", .any([.text("a"), .text("b")])),
                .attribute("categories", .any([.text("Comedy")])),
            ],
            should: [.ids(["i1", "7"]), .attribute("stock", .match(.boolean(true))), .group(nested)],
            minimum: 2,
            mustNot: [
                .attribute("tags", .none([])), .group(ItemFilter.Group()),
                .attribute("categories", .any([.text("Horror")])),
            ]
        )
        #expect(request.conditions?.group == expected && request.filter.isEmpty)
    }

    @Test("category lists alone stay category lists; an empty filter restricts nothing")
    func categories() throws {
        let request = try read(#"{"any_of":["Comedy"],"none_of":["Horror"]}"#)
        #expect(request.conditions == nil)
        #expect(request.filter == CategoryFilter(anyOf: ["Comedy"], noneOf: ["Horror"]))
        for filter in ["null", "{}"] { #expect(try read(filter).conditions == nil) }
        #expect(try read(#"{"must":[]}"#).conditions == ItemFilter(ItemFilter.Group()))
    }

    @Test("a repeated filter is the same value, whatever comes before and after it")
    func remembers() throws {
        var reader = RetrievalRequestReader()
        var request = RetrievalRequest()
        let texts = (0..<20).map { #"{"must":[{"key":"price","range":{"gt":\#($0)}}]}"# }
        for round in 0..<3 {
            for (number, text) in texts.enumerated() {
                let body = "{\"k\":\(round + 1), \"filter\": \(text), \"history\":[\(number)]}"
                try reader.read(Array(body.utf8), into: &request)
                let fresh = try read(text)
                #expect(request.conditions == fresh.conditions && request.k == round + 1 && request.history.count == 1)
            }
        }
        // A filter that begins like a remembered one is another filter.
        try reader.read(Array(#"{"history":[],"filter":{"must":[]}}"#.utf8), into: &request)
        try reader.read(Array(#"{"history":[],"filter":{"must":[],"any_of":["a"]}}"#.utf8), into: &request)
        #expect(request.conditions?.group.must.count == 1)
        try reader.read(Array(#"{"history":[]}"#.utf8), into: &request)
        #expect(request.conditions == nil)
    }

    @Test(
        "a wrong filter is refused with its place",
        arguments: [
            (#"{"mut":[]}"#, "/filter/mut", "the fields are any_of, none_of, must, should, minimum, must_not."),
            (#"{"must":[],"must":[]}"#, "/filter/must", "is given twice."),
            (#"{"must":{}}"#, "/filter/must", "an array is expected"),
            (#"{"must":[1]}"#, "/filter/must/0", "an object is expected"),
            (#"{"must":[{}]}"#, "/filter/must/0", "a 'key' with one of match, any, none, range, exists"),
            (#"{"must":[{"key":"a"}]}"#, "/filter/must/0", "must be a group"),
            (#"{"must":[{"match":1}]}"#, "/filter/must/0", "must be a group"),
            (#"{"must":[{"key":"a","ids":[]}]}"#, "/filter/must/0", "must be a group"),
            (#"{"must":[{"key":"a","match":1,"must":[]}]}"#, "/filter/must/0", "must be a group"),
            (#"{"must":[{"key":"a","match":1,"any":[1]}]}"#, "/filter/must/0/any", "is a second test"),
            (#"{"must":[{"key":1,"match":1}]}"#, "/filter/must/0/key", "is a number"),
            (#"{"must":[{"key":"a","match":null}]}"#, "/filter/must/0/match", "is null"),
            (#"{"must":[{"key":"a","any":[1,[]]}]}"#, "/filter/must/0/any/1", "is an array"),
            (#"{"must":[{"key":"a","exists":1}]}"#, "/filter/must/0/exists", "a boolean is expected"),
            (#"{"must":[{"key":"a","range":{}}]}"#, "/filter/must/0/range", "is empty"),
            (#"{"must":[{"key":"a","range":{"gt":1,"gte":1}}]}"#, "/filter/must/0/range/gte", "second lower end; give"),
            (#"{"must":[{"key":"a","range":{"lt":1,"lte":1}}]}"#, "/filter/must/0/range/lte", "second upper end"),
            (#"{"must":[{"key":"a","range":{"from":1}}]}"#, "/filter/must/0/range/from", "gt, gte, lt, lte"),
            (#"{"must":[{"ids":[1.5]}]}"#, "/filter/must/0/ids/0", "is not an item id"),
            (#"{"should":[{"ids":[1]}],"minimum":2}"#, "/filter/minimum", "from 0 to 1; got 2."),
            (#"{"must_not":[{"minimum":3,"should":[]}]}"#, "/filter/must_not/0/minimum", "from 0 to 0; got 3."),
            (#"{"minimum":-1}"#, "/filter/minimum", "got -1"),
        ]
    )
    func refusals(filter: String, pointer: String, message: String) {
        do throws(Problem) {
            _ = try read(filter)
            Issue.record("the filter was accepted")
        } catch {
            #expect(error.code == .invalidArgument && error.errors.first?.pointer == pointer, "\(error)")
            #expect(error.detail.contains(message), "\(error.detail)")
        }
    }

    @Test("depth, clauses and values are bounded")
    func bounds() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: #"{"must":["#, count: depth) + String(repeating: "]}", count: depth)
        }
        func many(_ count: Int) -> String {
            #"{"must":["# + [String](repeating: #"{"ids":[]}"#, count: count).joined(separator: ",") + "]}"
        }
        func long(_ count: Int) -> String {
            #"{"must":[{"key":"a","any":["# + [String](repeating: "1", count: count).joined(separator: ",") + "]}]}"
        }
        func groups(_ last: String) -> String { #"{"must":[\#(many(20)),\#(many(20)),\#(many(20)),\#(last)]}"# }
        for (text, longer, reason) in [
            (nested(8), nested(9), "deeper than 8"), (many(20), many(21), "at most 20"),
            (groups(#"{"ids":[]}"#), groups(many(1)), "at most 64"),
            (long(4096), long(4097), "at most 4096"),
        ] {
            #expect(try read(text).conditions != nil)
            do throws(Problem) {
                _ = try read(longer)
                Issue.record("accepted: \(reason)")
            } catch {
                #expect(error.code == .invalidArgument && error.detail.contains(reason))
            }
        }
    }
}
