import HTTPAPI
import Testing

@Suite("Counts and facets over HTTP", .timeLimit(.minutes(2))) struct FilterRoutesTests {
    @Test("count the items that pass and their values")
    func answers() async throws {
        try await withServer { server in
            let filter = #"{"must":[{"key":"price","range":{"lt":2}}]}"#
            let count = try await server.ask(post("{\"filter\":\(filter)}", path: "/v1/filter:count"))
            #expect(count.text == #"{"count":4,"items":40,"model":"m","version":1,"request_id":"test"}"#)
            let keys = #"["stock","brand","price","released"]"#
            let facets = try await server.ask(
                post("{\"keys\":\(keys),\"filter\":\(filter),\"limit\":1}", path: "/v1/facets")
            )
            let expected = [
                #"{"count":4,"items":40,"facets":["#,
                #"{"key":"stock","type":"boolean","count":4,"values":[{"value":true,"count":3}]},"#,
                #"{"key":"brand","type":"keyword","count":4,"values":[{"value":"b0","count":2}]},"#,
                #"{"key":"price","type":"number","count":4,"min":0,"max":1.5,"values":[]},"#,
                #"{"key":"released","type":"time","count":4,"min":"2024-01-01T00:00:00Z","max":"2024-01-04T00:00:00Z","#,
                #""values":[]}],"model":"m","version":1,"request_id":"test"}"#,
            ]
            #expect(facets.text == expected.joined())
        }
    }

    @Test(
        "a wrong question is refused with its place",
        arguments: [
            ("/v1/filter:count", #"{"keys":["price"]}"#, "/keys"),
            ("/v1/filter:count", #"{"filter":{"must":[{"key":"prize","match":1}]}}"#, "/filter/must/0/key"),
            ("/v1/filter:count", #"{"filter":{"mut":[]}}"#, "/filter/mut"), ("/v1/facets", "{}", "/keys"),
            ("/v1/facets", #"{"keys":[]}"#, "/keys"), ("/v1/facets", #"{"keys":["price","prize"]}"#, "/keys/1"),
            ("/v1/facets", #"{"keys":["price","price"]}"#, "/keys/1"),
            ("/v1/facets", #"{"keys":["price"],"limit":0}"#, "/limit"),
            // Comparing every name with every other one would take a minute.
            ("/v1/facets", "{\"keys\":[\((0..<30_000).map { "\"\($0)\"" }.joined(separator: ","))]}", "/keys/16"),
        ]
    )
    func refusals(path: String, body: String, pointer: String) async throws {
        try await withServer { server in
            let answer = try await server.ask(post(body, path: path))
            #expect(answer.status == 400 && answer.text.contains("\"pointer\":\"\(pointer)\""), "\(answer.text)")
        }
    }
}
