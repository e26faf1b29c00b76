import Foundation
import HTTPAPI
import Serving
import Testing

@Suite("Several sources and vectors over HTTP", .timeLimit(.minutes(2))) struct SourcesRoutesTests {
    @Test("an answer names its sources and which of them gave each item")
    func answers() async throws {
        try await withServer { server in
            let sources = #"[{"model":"m","weight":2},{"popular":true,"quota":2}]"#
            let answer = try await server.ask(post("{\"history\":[\"i1\"],\"k\":5,\"sources\":\(sources)}"))
            let json = try answer.json()
            #expect(answer.status == 200 && json["model"] as? String == "m" && json["version"] as? Int == 1)
            let reports = try #require(json["sources"] as? [[String: Any]])
            #expect(reports.map { $0["source"] as? String } == ["m", "popular"])
            #expect(reports.allSatisfy { $0["status"] as? String == "ok" && $0["version"] as? Int == 1 })
            let items = try #require(json["items"] as? [[String: Any]])
            let given = items.map { ($0["sources"] as? [[String: Any]])?.map { $0["source"] as? String ?? "" } ?? [] }
            #expect(items.count == 5 && given.allSatisfy { !$0.isEmpty })
            #expect(given.prefix(3).allSatisfy { $0.contains("m") })
            #expect(given.suffix(2).allSatisfy { $0.contains("popular") })
            #expect((items[0]["sources"] as? [[String: Any]])?.first?["rank"] as? Int == 1)
            #expect(items[0]["score"] as? Double == 1)
        }
    }

    @Test("metrics count the sources by their status")
    func counts() async throws {
        try await withServer { server in
            let body = #"{"history":["i1"],"sources":[{"model":"m"},{"popular":true}]}"#
            #expect(try await server.ask(post(body)).status == 200)
            let connection = try await TestConnection(port: server.controlPort)
            try await connection.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            let page = try await connection.answer().text
            try await connection.close()
            #expect(page.contains("dimerec_fused_sources_total{status=\"ok\"} 2\n"))
            #expect(page.contains("dimerec_fused_sources_total{status=\"failed\"} 0\n"))
        }
    }

    @Test("metrics count rules, what they did, and counts of filters")
    func countsRules() async throws {
        try await withServer { server in
            let rules = [
                #""pins":[{"id":"i7","position":2},{"id":"nope","position":1}],"offset":0"#,
                #""group_by":{"key":"brand","limit":1},"k":3"#, #""pins":[],"offset":null"#,
                #""boosts":[{"filter":{},"add":1}],"calibrate":{"key":"categories"},"k":4,"#
                    + #""min_new":{"key":"released","share":0.5,"since":"2024-01-20"}"#,
            ]
            for rule in rules {
                #expect(try await server.ask(post("{\"history\":[\"i1\",\"i2\"],\(rule)}")).status == 200)
            }
            let count = #"{"filter":{"must":[{"key":"stock","match":true}]}}"#
            #expect(try await server.ask(post(count, path: "/v1/filter:count")).status == 200)
            let connection = try await TestConnection(port: server.controlPort)
            try await connection.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            let page = try await connection.answer().text
            try await connection.close()
            let counted = [
                "boosts": 1, "pins": 1, "group_by": 1, "score_threshold": 0, "offset": 1, "min_new": 1, "calibrate": 1,
                "guidance": 0,
            ]
            for (rule, number) in counted {
                #expect(page.contains("dimerec_rules_total{rule=\"\(rule)\"} \(number)\n"), "\(rule)")
            }
            #expect(page.contains("dimerec_ruled_items_total{effect=\"pinned\"} 1\n"))
            for effect in ["new", "shared", "crowded_out"] {
                #expect(page.contains("dimerec_ruled_items_total{effect=\"\(effect)\"} "), "\(effect)")
            }
            #expect(page.contains("dimerec_http_requests_total{route=\"filter\",code=\"200\"} 1\n"))
        }
    }

    @Test(
        "a wrong source is refused with its place",
        arguments: [
            (#""sources":7"#, 400, "/sources"), (#""sources":[]"#, 400, "/sources"),
            (#""sources":[{}]"#, 400, "/sources/0"), (#""sources":[{"popular":true}]"#, 400, "/sources"),
            (#""sources":[{"popular":false}]"#, 400, "/sources/0/popular"),
            (#""sources":[{"model":"m","popular":true}]"#, 400, "/sources/0"),
            (#""sources":[{"model":"m","weight":1,"quota":1}]"#, 400, "/sources/0"),
            (#""sources":[{"model":"m","weight":0}]"#, 400, "/sources/0/weight"),
            (#""sources":[{"model":"m","quota":0}]"#, 400, "/sources/0/quota"),
            (#""sources":[{"model":"m","quota":51}]"#, 400, "/sources"),
            (#""sources":[{"model":"m"},{"model":"m"}]"#, 400, "/sources/1"),
            (#""sources":[{"model":"m","wait":1}]"#, 400, "/sources/0/wait"),
            (#""sources":[{"model":"m","model":"m"}]"#, 400, "/sources/0/model"),
            (#""sources":[{"model":"m"},{"model":"x"}]"#, 404, "/sources/1/model"),
            (#""sources":[{"model":"m"}],"model":"m""#, 400, "/model"), (#""fusion":{}"#, 400, "/fusion"),
            (#""sources":[{"model":"m"}],"fusion":{"method":"rrf"}"#, 400, "/fusion/method"),
            (#""sources":[{"model":"m"}],"fusion":{"constant":-1}"#, 400, "/fusion/constant"),
            (#""sources":[{"model":"m"}],"fusion":{"window":1001}"#, 400, "/fusion/window"),
            (#""sources":[{"model":"m"}],"fusion":{"windows":1}"#, 400, "/fusion/windows"),
            (#""sources":[{"model":"m"}],"sources":[]"#, 400, "/sources"),
        ]
    )
    func refusals(fields: String, status: Int, pointer: String) async throws {
        try await withServer { server in
            let answer = try await server.ask(post("{\"history\":[\"i1\"],\(fields)}"))
            #expect(answer.status == status && answer.text.contains("\"pointer\":\"\(pointer)\""), "\(answer.text)")
        }
    }

    @Test("vectors are the same as numbers and as base64")
    func embeds() async throws {
        try await withServer { server in
            func ask(_ fields: String) async throws -> [String: Any] {
                let body = "{\"history\":[\"i1\",3,\"nope\"],\"samples\":2\(fields)}"
                return try await server.ask(post(body, path: "/v1/embed")).json()
            }
            let (numbers, texts) = (try await ask(""), try await ask(#","encoding":"base64""#))
            #expect(numbers["dimension"] as? Int == 8 && numbers["unknown_ids"] as? Int == 1)
            for part in ["vectors", "interests"] {
                let lists = try #require(numbers[part] as? [[NSNumber]])
                let bytes = try #require(texts[part] as? [String]).map { Data(base64Encoded: $0) ?? Data() }
                #expect(lists.count == (part == "vectors" ? 2 : 1) && bytes.count == lists.count)
                for (list, data) in zip(lists, bytes) {
                    let read = stride(from: 0, to: data.count, by: 4).map { start in
                        Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(data[start + $1]) << UInt32(8 * $1) })
                    }
                    #expect(list.map(\.floatValue) == read && read.count == 8)
                }
            }
        }
    }
}
