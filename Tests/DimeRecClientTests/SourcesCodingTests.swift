import DimeRecClient
import Foundation
import Testing

@Suite("Sources of the client") struct SourcesCodingTests {
    @Test("sources and fusion have the service's JSON form")
    func encodes() throws {
        var request = RetrievalRequest(history: ["i1"])
        request.sources = [.model("a", weight: 0.5), .model("b", quota: 2), .popular(), .popular(quota: 3)]
        request.fusion = Fusion(method: .reciprocalRank, constant: 60)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let expected =
            #"{"fusion":{"constant":60,"method":"reciprocal_rank"},"history":["i1"],"sources":[{"model":"a","weight":0.5},"#
            + #"{"model":"b","quota":2},{"popular":true},{"popular":true,"quota":3}]}"#
        #expect(String(decoding: try encoder.encode(request), as: UTF8.self) == expected)
        #expect(try JSONDecoder().decode([Source].self, from: encoder.encode(request.sources)) == request.sources)
    }

    @Test("answers name the sources of items; those of one model have none")
    func decodes() throws {
        let text =
            #"{"items":[{"id":7,"score":0.5,"sources":[{"source":"a","rank":2}]}],"model":"a","version":3,"sources":"#
            + #"[{"source":"a","model":"a","version":3,"status":"ok"},"#
            + #"{"source":"b","model":null,"version":null,"status":"not_ready"}],"#
            + #""request_id":"r","fallback":null,"unknown_ids":0,"truncated":false}"#
        let answer = try JSONDecoder().decode(RetrievalAnswer.self, from: Data(text.utf8))
        #expect(answer.items[0].sources?.map(\.rank) == [2] && answer.sources?.map(\.version) == [3, nil])
        let single = #"{"id":"x","score":1}"#
        #expect(try JSONDecoder().decode(ScoredItem.self, from: Data(single.utf8)).sources == nil)
    }

    @Test("vectors read back from numbers and from base64")
    func decodesVectors() throws {
        for vectors in ["[[1,-0.5]]", #"["AACAPwAAAL8="]"#] {
            let text =
                "{\"dimension\":2,\"vectors\":\(vectors),\"interests\":[],\"seed\":18446744073709551615,\"steps\":4,"
                + #""unknown_ids":1,"model":"m","version":2,"request_id":"r"}"#
            let answer = try JSONDecoder().decode(UserEmbedding.self, from: Data(text.utf8))
            #expect(answer.vectors == [[1, -0.5]] && answer.interests.isEmpty && answer.seed == .max)
        }
    }
}
