import Foundation
import Kernels
import LoadTesting
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@Suite("RequestPool") struct RequestPoolTests {
    private struct Request {
        var head: HTTPRequestHead
        var history: [Any]
        var k: Int?
    }

    /// A request as an independent HTTP decoder and JSON reader parse it.
    private func decode(_ bytes: ByteBuffer) throws -> Request {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        try channel.writeInbound(bytes)
        var head: HTTPRequestHead?
        var body: [UInt8] = []
        var isComplete = false
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let value): head = value
            case .body(let buffer): body += buffer.readableBytesView
            case .end: isComplete = true
            }
        }
        _ = try channel.finish()
        try #require(isComplete)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        #expect(json.count == 2)
        return Request(
            head: try #require(head),
            history: try #require(json["history"] as? [Any]),
            k: json["k"] as? Int
        )
    }

    private func pool(
        _ source: HistorySource,
        url: String = "http://example.org:8080",
        lengths: ClosedRange<Int> = 3...9,
        count: Int = 300,
        seed: UInt64 = 1
    ) throws -> RequestPool {
        RequestPool(
            target: try LoadTarget(url: url),
            source: source,
            lengths: lengths,
            k: 17,
            count: count,
            seed: seed
        )
    }

    @Test("assembles valid POST requests with JSON bodies")
    func synthetic() throws {
        var lengths: Set<Int> = []
        var ids: Set<Int> = []
        for bytes in try pool(.synthetic(items: 40)).requests {
            let request = try decode(bytes)
            #expect(request.head.method == .POST)
            #expect(request.head.uri == "/retrieve")
            #expect(request.head.headers["Host"] == ["example.org:8080"])
            #expect(request.head.headers["Content-Type"] == ["application/json"])
            #expect(request.k == 17)
            let history = try #require(request.history as? [Int])
            lengths.insert(history.count)
            ids.formUnion(history)
        }
        #expect(lengths == Set(3...9))
        #expect(ids == Set(0..<40))
    }

    @Test("a recorded history is a contiguous part of one user's events")
    func recorded() throws {
        let names = (0..<50).map { "item \"\($0)\"\\\u{1}é" }
        let users: [[Int32]] = [[1, 2, 3, 4, 5, 6, 7, 8], [], [9], Array(10..<50)]
        var newest: Set<String> = []
        let source = HistorySource.recorded(sequences: RaggedRows(users), ids: names)
        for bytes in try pool(source, lengths: 1...5, count: 2000).requests {
            let history = try #require(try decode(bytes).history as? [String])
            let numbers = try history.map { Int32(try #require(names.firstIndex(of: $0))) }
            let last = try #require(numbers.last)
            let user = try #require(users.first { $0.contains(last) })
            let end = try #require(user.firstIndex(of: last)) + 1
            #expect(1...5 ~= numbers.count && Array(user[max(0, end - numbers.count)..<end]) == numbers)
            newest.insert(history[history.count - 1])
        }
        #expect(newest.count == 49, "every event is the newest of some history")
    }

    /// A pool with the bodies of a file that holds this text.
    private func pool(ofFile text: String) throws -> RequestPool {
        let file = FileManager.default.temporaryDirectory.appending(path: "bodies-\(UUID()).jsonl")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        do {
            return try RequestPool(target: try LoadTarget(url: "http://h"), bodiesFrom: file.path)
        } catch LoadError.badBodies(let path, let line, let reason) {
            #expect(path == file.path)
            throw LoadError.badBodies(file: "F", line: line, reason: reason)
        }
    }

    @Test("bodies of a file are sent as they are, in order") func bodies() throws {
        let filter = #"{"history":["é\#u{2028}"],"k":3,"filter":{"any_of":["a"]}}"#
        let pool = try pool(ofFile: "\(filter)\r\n\n  \n{ \"users\": [] }")
        #expect(pool.requests.count == 2)
        let ends = pool.requests.map { String(decoding: $0.readableBytesView, as: UTF8.self) }
        #expect(ends[0].hasSuffix("Content-Length: \(filter.utf8.count)\r\n\r\n\(filter)"))
        #expect(ends[1].hasSuffix("\r\n\r\n{ \"users\": [] }"))
    }

    @Test(
        "a file without usable bodies is refused with its line",
        arguments: [("", nil), ("\n \n", nil), ("{}\n[1]", 2), ("{}\n\n{\"a\":", 3), ("1", 1)]
    )
    func badBodies(text: String, line: Int?) throws {
        let error = try #require(throws: LoadError.self) { try pool(ofFile: text) }
        guard case .badBodies("F", line, _) = error else { throw error }
        #expect("\(error)".hasPrefix(line.map { "F:\($0): " } ?? "F: "))
    }

    @Test("a file may have as many bodies as a pool") func mostBodies() throws {
        let text = String(repeating: "{}\n", count: RequestPool.limit)
        #expect(try pool(ofFile: text).requests.count == RequestPool.limit)
        #expect(throws: LoadError.self) { try pool(ofFile: text + "{}") }
    }

    @Test("the same seed gives the same bytes, another seed gives other bytes")
    func seeds() throws {
        let first = try pool(.synthetic(items: 1000)).requests
        #expect(try pool(.synthetic(items: 1000)).requests == first)
        #expect(try pool(.synthetic(items: 1000), seed: 2).requests != first)
        #expect(try pool(.synthetic(items: 1000), count: 20).requests == Array(first.prefix(20)))
    }

    @Test(
        "reads URLs",
        arguments: [
            ("http://h", "h", 80, "/retrieve"), ("http://h:81/", "h", 81, "/retrieve"),
            ("http://127.0.0.1:8080/v1/retrieve?x=1", "127.0.0.1", 8080, "/v1/retrieve?x=1"),
            ("http://[::1]:9/a%20b", "::1", 9, "/a%20b"),
        ]
    )
    func urls(url: String, host: String, port: Int, path: String) throws {
        let target = try LoadTarget(url: url)
        #expect(target.host == host && target.port == port && target.path == path)
        let authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let head = try decode(try pool(.synthetic(items: 2), url: url, count: 1).requests[0]).head
        #expect(head.uri == path && head.headers["Host"] == [authority])
    }

    @Test(
        "refuses other URLs",
        arguments: ["", "h:80", "https://h", "http://", "http://h:0", "http://h:70000", "ftp://h"]
    )
    func badURLs(url: String) {
        #expect(throws: LoadError.badTarget(url: url)) { try LoadTarget(url: url) }
    }
}
