import CheckpointStore
import Foundation
import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Kernels
import Serving
import TestSupport
import Testing

@Suite("Dashboard") struct DashboardTests {
    private static let token = "0123456789abcdef"
    private let source = MemorySource([1, 2], active: 1)
    private let holder = RoutingHolder()
    private let controller: ServingController

    init() async {
        controller = ServingController(
            source: source,
            holder: holder,
            builder: testBuilder,
            logger: quietLogger
        )
        await controller.poll()
    }

    private struct Answer {
        let status: Int
        let headers: [String: String]
        let text: String

        func json() throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }
    }

    private func ask(
        _ method: HTTPRequest.Method,
        _ path: String,
        body: String? = nil,
        headers: HTTPFields = [:],
        token: String? = nil,
        holder: RoutingHolder? = nil
    ) async throws -> Answer {
        let holder = holder ?? self.holder
        let plane = ControlPlane(
            source: source,
            controller: controller,
            token: token,
            build: BuildDescription(name: "dimerec", version: "1.2.3", platform: "test"),
            metrics: MetricsPage(
                metrics: ServerMetrics(),
                holder: holder,
                controller: controller,
                sampler: AnswerSampler(recallSample: 0)
            ),
            dashboard: Dashboard(
                service: RetrievalService(holder: holder, limits: RetrievalLimits(maxK: 100)),
                maxBodyBytes: 1000
            ),
            logger: quietLogger
        )
        return try await Application(router: plane.router()).test(.router) { client in
            try await client.execute(
                uri: path,
                method: method,
                headers: headers,
                body: body.map { ByteBuffer(string: $0) }
            ) { response in
                Answer(
                    status: response.status.code,
                    headers: Dictionary(response.headers.map { ($0.name.canonicalName, $0.value) }) { first, _ in first
                    },
                    text: String(decoding: response.body.readableBytesView, as: UTF8.self)
                )
            }
        }
    }

    // MARK: The page

    @Test("the page and all its files exist with their media types and refer to no other site")
    func servesPage() async throws {
        var toRead = ["/"]
        var read: Set<String> = []
        while let path = toRead.popLast() {
            guard read.insert(path).inserted else { continue }
            let file = try await ask(.get, path, token: Self.token)
            let type = path == "/" ? "text/html" : path.hasSuffix(".css") ? "text/css" : "text/javascript"
            #expect(file.status == 200 && file.headers["content-type"] == "\(type); charset=utf-8", "\(path)")
            #expect(!file.text.contains(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/), "\(path) names another server")
            // The page has no inline style or script, and no code that parses text as HTML.
            #expect(!file.text.contains(/<style|style=|<script>| on[a-z]+="|innerHTML|outerHTML|insertAdjacent|eval\(/))
            let names = file.text.matches(of: /(?:src|href|from)[= ]"(\/[^"]+)"/).map { String($0.output.1) }
            toRead += names
        }
        #expect(read.count == 9 && read.isSuperset(of: ["/", "/dashboard.js", "/dashboard.css", "/map.js"]))
    }

    @Test("the page may load only its own files, and every answer has security headers")
    func setsHeaders() async throws {
        let own = try await ask(.get, "/").headers["content-security-policy"]?.components(separatedBy: "; ") ?? []
        let expected: Set = [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
            "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
        ]
        #expect(Set(own) == expected && own.count == expected.count)
        for path in ["/", "/dashboard.js", "/v1/models", "/debug/map", "/nope", "/metrics"] {
            let headers = try await ask(.get, path).headers
            #expect(headers["x-content-type-options"] == "nosniff" && headers["referrer-policy"] == "no-referrer")
            #expect(headers["x-frame-options"] == "DENY" && headers["cache-control"] == "no-store", "\(path)")
            #expect(headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true, "\(path)")
        }
    }

    @Test("everything under /debug needs the token, including reads; the page needs none")
    func guardsReads() async throws {
        let right: HTTPFields = [.authorization: "Bearer \(Self.token)"]
        let paths = ["/debug/map", "//debug/map", "/debug//map", "/debug/map/"]
        for path in paths {
            for headers in [[:], [.authorization: "Bearer 0123456789abcdeg"]] as [HTTPFields] {
                let refused = try await ask(.get, path, headers: headers, token: Self.token)
                #expect([401, 404].contains(refused.status) && !refused.text.contains("points"), "\(path)")
            }
        }
        #expect(try await ask(.get, "/debug/map", token: Self.token).status == 401)
        #expect(try await ask(.get, "/debug/map", headers: right, token: Self.token).status == 200)
        let body = "{\"history\":[]}"
        #expect(try await ask(.post, "/debug/query", body: body, token: Self.token).status == 401)
        #expect(try await ask(.post, "/debug/query", body: body, headers: right, token: Self.token).status == 200)
        #expect(try await ask(.get, "/", token: Self.token).status == 200)
    }

    @Test(
        "writes from other sites' pages are refused, even with the token; others pass",
        arguments: [
            ([:], true), (["Origin": "http://localhost"], true), (["Origin": "HTTP://LOCALHOST"], true),
            (["Origin": "https://localhost"], true), (["Origin": "http://evil.example"], false),
            (["Origin": "null"], false), (["Origin": "http://localhost:8082"], false),
            (["Sec-Fetch-Site": "same-origin"], true), (["Sec-Fetch-Site": "none"], true),
            (["Sec-Fetch-Site": "cross-site"], false), (["Sec-Fetch-Site": "same-site"], false),
            (["Sec-Fetch-Site": "same-origin", "Origin": "https://before-the-proxy.example"], true),
            (["Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"], false),
        ] as [([String: String], Bool)],
        [nil, token]
    )
    func refusesOtherSites(sent: ([String: String], Bool), token: String?) async throws {
        var headers: HTTPFields = token.map { [.authorization: "Bearer \($0)"] } ?? [:]
        for (name, value) in sent.0 { headers[try #require(HTTPField.Name(name))] = value }
        let path = "/v1/models/m/versions/2:activate?wait=true"
        let reply = try await ask(.post, path, headers: headers, token: token)
        #expect(reply.status == (sent.1 ? 200 : 401) && holder.snapshot?.version == (sent.1 ? 2 : 1))
        #expect(try await ask(.get, "/v1/models", headers: headers, token: token).status == 200)
    }

    // MARK: The map

    @Test("the map holds every item at its point of the snapshot's map, popular ones first")
    func drawsMap() async throws {
        let map = try await ask(.get, "/debug/map?model=m").json()
        let snapshot = try #require(holder.snapshot)
        let expected = InterestMap(snapshot)
        #expect(map["model"] as? String == "m" && map["version"] as? Int == 1 && map["items"] as? Int == 40)
        #expect(map["steps"] as? Int == 20)
        #expect((map["explained"] as? [Double])?.map { Float($0) } == expected.explained.map { Float($0) })
        let points = try #require(map["points"] as? [[String: Any]])
        #expect(points.count == 40)
        for (point, (item, place)) in zip(points, zip(expected.items, expected.points)) {
            #expect(point["id"] as? String == snapshot.identifiers.id(item) && point["title"] is NSNull)
            #expect(point["categories"] as? [String] == snapshot.categories.names(of: item))
            #expect((point["x"] as? Double).map { Float($0) } == place.x)
            #expect((point["y"] as? Double).map { Float($0) } == place.y)
        }
    }

    @Test("after an activation the map shows the new version")
    func followsActivation() async throws {
        let old = try await ask(.get, "/debug/map").text
        try source.activate(model: "m", version: 2)
        await controller.poll()
        let new = try await ask(.get, "/debug/map")
        #expect(try new.json()["version"] as? Int == 2 && new.text != old)
        #expect(try await ask(.get, "/debug/map?version=1").status == 404)
        #expect(try await ask(.get, "/debug/map?version=2&model=m").text == new.text)
    }

    // MARK: Queries

    private func query(_ body: String) async throws -> Answer { try await ask(.post, "/debug/query", body: body) }

    private func place(_ value: Any?) -> [Float] {
        let value = value as? [String: Any]
        return ["x", "y"].map { (value?[$0] as? Double).map { Float($0) } ?? .nan }
    }

    @Test("a query returns the served answer and the map point of every vector behind it")
    func explains() async throws {
        let reply = try await query(
            "{\"history\":[\"i1\",3,\"nope\"],\"k\":5,\"steps\":4,\"seed\":18446744073709551615}"
        )
        let answer = try reply.json()
        let snapshot = try #require(holder.snapshot)
        let map = InterestMap(snapshot)
        var request = RetrievalRequest(history: ["i1", "3", "nope"], k: 5)
        (request.steps, request.seed) = (4, .max)
        let trace = try RetrievalService(holder: holder).trace(request)
        let user = try #require(trace.user)
        #expect(answer["seed"] as? String == "18446744073709551615" && answer["steps"] as? Int == 4)
        #expect(answer["unknown_ids"] as? Int == 1 && answer["truncated"] as? Bool == false)
        #expect(answer["fallback"] is NSNull && answer["version"] as? Int == 1)
        func expectPlace(_ found: Any?, _ vector: [Float]) {
            let point = map.point(vector)
            #expect(place(found) == [point.x, point.y])
        }
        let items = try #require(answer["items"] as? [[String: Any]])
        #expect(items.map { $0["id"] as? String } == trace.response.items.map { snapshot.identifiers.id($0.id) })
        #expect(items.map { $0["interest"] as? Int } == trace.closest.map(\.interest))
        for (item, scored) in zip(items, trace.response.items) {
            #expect((item["score"] as? Double).map { Float($0) } == scored.score)
            expectPlace(item, snapshot.itemVectors.row(Int(scored.id)))
        }
        let history = try #require(answer["history"] as? [[String: Any]])
        #expect(history.map { $0["id"] as? String } == ["i1", "3"])
        for (item, number) in zip(history, [1, 3]) { expectPlace(item, snapshot.itemVectors.row(number)) }
        let interests = try #require(answer["interests"] as? [[String: Any]])
        #expect(interests.count == 2)
        for (row, interest) in interests.enumerated() {
            expectPlace(interest, user.interests.row(row))
            let nearest = interest["nearest"] as? [[String: Any]]
            #expect(nearest?.first?["id"] as? String == ["i1", "3"][row] && nearest?.count == 3)
        }
        let path = try #require(answer["path"] as? [[String: Any]])
        #expect(path.count == 5)
        for (row, point) in path.enumerated() { expectPlace(point, user.path.row(row)) }
        #expect(abs((path[4]["cosine"] as? Double ?? 0) - 1) < 1e-5)
        let times = try #require(answer["microseconds"] as? [String: Double])
        #expect(Set(times.keys) == ["guidance", "diffusion", "search"])
    }

    @Test("a query to several sources names the sources of each item, as /retrieve does")
    func explainsSources() async throws {
        let body = #"{"history":["i1",3],"k":4,"sources":[{"model":"m"},{"popular":true,"quota":2}]}"#
        let answer = try await query(body).json()
        let sources = try #require(answer["sources"] as? [[String: Any]])
        #expect(sources.map { $0["source"] as? String } == ["m", "popular"])
        #expect(sources.allSatisfy { $0["status"] as? String == "ok" })
        let items = try #require(answer["items"] as? [[String: Any]])
        var request = RetrievalRequest(history: ["i1", "3"], k: 4)
        request.sources = SourceBlend([.init(model: "m"), .init(model: nil, quota: 2)])
        let response = try RetrievalService(holder: holder).retrieve(request, workspace: RetrievalWorkspace())
        let fused = try #require(response.fused)
        #expect(items.count == 4 && response.items.count == 4)
        for (position, item) in items.enumerated() {
            let given = item["sources"] as? [[String: Any]]
            let ranks = Dictionary(
                uniqueKeysWithValues: try #require(given).map { ($0["source"] as? String ?? "", $0["rank"] as? Int) }
            )
            #expect(ranks["m", default: nil] == fused.rank(ofItem: position, in: 0))
            #expect(ranks["popular", default: nil] == fused.rank(ofItem: position, in: 1))
            #expect(!ranks.isEmpty)
        }
    }

    @Test("a fallback has neither interests nor a path")
    func explainsFallback() async throws {
        let answer = try await query("{\"history\":[],\"k\":3}").json()
        #expect(answer["fallback"] as? String == "popular" && (answer["items"] as? [Any])?.count == 3)
        for part in ["history", "interests", "path"] { #expect((answer[part] as? [Any])?.isEmpty == true) }
    }

    @Test(
        "a bad body gets the problem that /retrieve gives it",
        arguments: [
            ("{", 400, "invalid_json", nil), ("{\"history\":7}", 400, "invalid_argument", "/history"),
            ("{}", 400, "invalid_argument", "/history"), ("", 400, "invalid_json", nil),
            ("{\"history\":[],\"labels\":3}", 400, "invalid_argument", "/labels"),
            ("{\"history\":[\"i1\"],\"k\":0}", 400, "invalid_argument", "/k"),
            ("{\"history\":[\"i1\"],\"k\":101}", 400, "invalid_argument", "/k"),
            ("{\"history\":[\"i1\"],\"steps\":21}", 400, "invalid_argument", "/steps"),
            ("{\"history\":[],\"model\":\"x\"}", 404, "not_found", "/model"),
            ("[" + String(repeating: " ", count: 1000), 413, "body_too_large", nil),
        ] as [(String, Int, String, String?)]
    )
    func refuses(body: String, status: Int, code: String, pointer: String?) async throws {
        let reply = try await query(body)
        let problem = try reply.json()
        #expect(reply.status == status && problem["code"] as? String == code)
        #expect(reply.headers["content-type"] == "application/problem+json")
        guard let pointer else { return }
        #expect((problem["errors"] as? [[String: String]])?.first?["pointer"] == pointer)
    }

    @Test("bodies that are not JSON, unknown models and a server without a version are refused")
    func refusesOthers() async throws {
        let form: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        #expect(try await ask(.post, "/debug/query", body: "{\"history\":[]}", headers: form).status == 415)
        #expect(try await ask(.get, "/debug/map?model=x").json()["code"] as? String == "not_found")
        let nothing = RoutingHolder()
        for (method, path) in [(HTTPRequest.Method.get, "/debug/map"), (.post, "/debug/query")] {
            let reply = try await ask(method, path, body: method == .post ? "{\"history\":[]}" : nil, holder: nothing)
            #expect(reply.status == 503 && reply.headers["retry-after"] == "1")
        }
    }
}
