import ClientCalls
import DimeRecClient
import Foundation
import HTTPAPI
import Recommenders
import Serving
import Testing

@Suite("Filters, attributes and rules through the client", .timeLimit(.minutes(2))) struct CatalogueCallTests {
    @Test("the service reads rules as they were set")
    func rules() throws {
        var request = ClientCalls.RetrievalRequest(history: ["i1"])
        var filter = Filter()
        filter.must = [.attribute("stock", .match(true))]
        request.boosts = [Boost(filter, add: -0.25), Boost(Filter(anyOf: ["New"]), rankFactor: 2)]
        request.pins = [Pin("i7", at: 3)]
        request.groupBy = GroupLimit("brand", limit: 2)
        request.scoreThreshold = 0.5
        request.offset = 20
        request.minNew = NewShare("released", share: 0.25, since: "2024-01-31")
        request.calibrate = Calibration("categories")
        request.guidance = ClientCalls.GuidanceSlots(exploring: 1, historyPopular: 2)
        var read = Serving.RetrievalRequest()
        var reader = RetrievalRequestReader()
        try reader.read(Array(try JSONEncoder().encode(request)), into: &read)
        let stock = ItemFilter(.init(must: [.attribute("stock", .match(.boolean(true)))]))
        #expect(read.rules.boosts[0] == .init(stock, .add(-0.25)))
        #expect(read.rules.boosts[1].effect == .rankFactor(2))
        #expect(read.rules.pins == [.init("i7", at: 3)] && read.rules.groupLimit == .init("brand", limit: 2))
        #expect(read.rules.scoreThreshold == 0.5 && read.rules.offset == 20)
        #expect(read.rules.newShare == .init("released", share: 0.25, since: .text("2024-01-31")))
        #expect(read.rules.calibration == "categories")
        #expect(read.guidance?.exploring == 1 && read.guidance?.popular == 0 && read.guidance?.historyPopular == 2)
    }

    @Test("a count and facets are asked with filter and model, and read")
    func questions() async throws {
        let facets =
            #"{"count":3,"items":9,"facets":[{"key":"price","type":"number","count":3,"min":1,"max":2.5,"values":[]},"#
            + #"{"key":"brand","type":"keyword","count":1,"values":[{"value":"a","count":1}]}],"#
            + #""model":"m","version":2,"request_id":"r"}"#
        try await ScriptedServer({ _, _ in .answer(200, facets) }).serving { server, url in
            let client = try makeClient([url])
            var filter = Filter()
            filter.must = [.attribute("stock", .match(true))]
            let count = try await client.count(filter, model: "m")
            #expect(count.count == 3 && count.items == 9 && count.version == 2)
            let answer = try await client.facets(["price", "brand"], limit: 2)
            #expect(answer.facets.map(\.key) == ["price", "brand"])
            #expect(answer.facets[0].max == 2.5 && answer.facets[1].values[0].value == "a")
            #expect(server.requests.map(\.line) == ["POST /v1/filter:count", "POST /v1/facets"])
            #expect(server.requests[0].body.contains(#""stock""#))
            let sent = try JSONSerialization.jsonObject(with: Data(server.requests[1].body.utf8)) as? [String: Any]
            #expect(Set(sent?.keys.sorted() ?? []) == ["keys", "limit"])
        }
    }

    @Test("attributes are sent with null for no value and for no changes")
    func attributes() async throws {
        let outcome = #"{"model":"m","version":2,"changed":2,"unknown":["x"]}"#
        try await ScriptedServer({ _, _ in .answer(200, outcome) }).serving { server, url in
            let client = try makeClient([url]) { $0.controlURL = url }
            let result = try await client.setAttributes(
                [("a", ["price": 9.5, "tags": nil]), ("b", nil)],
                model: "m"
            )
            #expect(result.changed == 2 && result.unknown == ["x"])
            #expect(server.requests[0].line == "PATCH /v1/items?model=m")
            let sent = try JSONSerialization.jsonObject(with: Data(server.requests[0].body.utf8)) as? [String: Any]
            let items = try #require(sent?["items"] as? [[String: Any]])
            let first = try #require(items[0]["attributes"] as? [String: Any])
            #expect(first["price"] as? Double == 9.5 && first["tags"] is NSNull && items[1]["attributes"] is NSNull)
        }
    }
}
