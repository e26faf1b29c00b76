import DimeRecClient
import Foundation
import Testing

@Suite("Filters of the client") struct FilterCodingTests {
    @Test("clauses have the service's JSON form, and read back as they were")
    func roundTrip() throws {
        var filter = Filter(noneOf: ["Horror"])
        filter.must = [
            .attribute("price", .range(FilterRange(gte: 1.5, lt: 20))), .attribute("stock", .match(true)),
            .attribute("brand", .any(["a", "b"])), .attribute("tags", .none(["x"])), .attribute("sku", .exists(false)),
        ]
        filter.should = [.ids(["i1"]), .group(FilterGroup(must: [.attribute("n", .match(3))]))]
        filter.minimum = 2
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(filter)
        let expected =
            #"{"any_of":[],"minimum":2,"must":[{"key":"price","range":{"gte":1.5,"lt":20}},{"key":"stock","match":true},"#
            + #"{"any":["a","b"],"key":"brand"},{"key":"tags","none":["x"]},{"exists":false,"key":"sku"}],"#
            + #""none_of":["Horror"],"should":[{"ids":["i1"]},{"must":[{"key":"n","match":3}]}]}"#
        #expect(String(decoding: json, as: UTF8.self) == expected)
        #expect(try JSONDecoder().decode(Filter.self, from: json) == filter)
        #expect(try JSONDecoder().decode(Filter.self, from: Data("{}".utf8)) == Filter())
        let integers = try JSONDecoder().decode(FilterClause.self, from: Data(#"{"ids":[7,"a",-1]}"#.utf8))
        #expect(integers == .ids(["7", "a", "-1"]))
    }
}
