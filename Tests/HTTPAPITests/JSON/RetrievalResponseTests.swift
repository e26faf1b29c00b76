import CheckpointStore
import Foundation
import HTTPAPI
import Kernels
import Serving
import TestSupport
import Testing

@Suite("Body of a /retrieve answer") struct RetrievalResponseTests {
    /// Ids of every form: integers, near-integers, empty, long, and with characters that JSON escapes.
    private static let ids = [
        "7", "-12", "9223372036854775807", "9223372036854775808", "007", "-0", "+1", "1.0", "", "i1", "a\"b",
        "back\\slash", "\"",
        "line\nfeed", "\u{0}\u{1f}\u{7f}", "é€🎬\u{2028}", "an id that is longer than a small string", "1e3",
    ]

    private func answer(_ change: (inout RetrievalRequest) -> Void) throws -> (
        response: RetrievalResponse, body: [UInt8]
    ) {
        var checkpoint = makeCheckpoint(version: 3, items: Self.ids.count)
        checkpoint.catalogue.ids = Self.ids
        let holder = RoutingHolder()
        holder.publish(try testBuilder.build(checkpoint, generation: 1))
        var request = RetrievalRequest(history: ["i1"], k: Self.ids.count)
        request.excludeHistory = false
        change(&request)
        var response = try RetrievalService(holder: holder).retrieve(request, workspace: RetrievalWorkspace())
        var writer = JSONWriter()
        writer.raw("forgotten")
        writer.removeAll()
        response.write(to: &writer, request: request, requestID: Array("r\"1".utf8))
        return (response, writer.bytes)
    }

    @Test("every id and score reads back; integer ids are numbers only on request", arguments: [false, true])
    func readsBack(asIntegers: Bool) throws {
        let (response, body) = try answer { $0.answersIntegers = asIntegers }
        try JSONReader.validate(body)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        let items = try #require(json["items"] as? [[String: Any]])
        #expect(items.count == Self.ids.count && response.items.count == Self.ids.count)
        for (item, expected) in zip(items, response.items) {
            #expect(Set(item.keys) == ["id", "score"])
            let id = Self.ids[Int(expected.id)]
            let isNumber = asIntegers && ["7", "-12", "9223372036854775807"].contains(id)
            #expect((item["id"] is String) != isNumber)
            #expect("\(try #require(item["id"]))".utf8.elementsEqual(id.utf8))
            #expect((item["score"] as? NSNumber)?.floatValue == expected.score)
        }
        #expect(json["request_id"] as? String == "r\"1" && json["version"] as? Int == 3)
    }

    @Test("one item and no item give lists too", arguments: [0, 1])
    func writesShortLists(count: Int) throws {
        let (response, body) = try answer { request in
            request.k = 1
            if count == 0 { request.filter = CategoryFilter(anyOf: ["nothing has this"]) }
        }
        #expect(response.items.count == count)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        #expect((json["items"] as? [Any])?.count == count && json["truncated"] as? Bool == (count == 0))
    }
}
