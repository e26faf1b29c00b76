import HTTPAPI
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("Control plane") struct ControlPlaneTests {
    let source = MemorySource([1, 2, 3], active: 1)
    let holder = RoutingHolder()
    let controller: ServingController
    private static let token = "0123456789abcdef"

    init() async {
        controller = ServingController(
            source: source,
            holder: holder,
            builder: testBuilder,
            logger: quietLogger
        )
        source.state.withLock { $0.damaged = [3] }
        await controller.poll()
    }

    private func ask(
        _ method: String,
        _ path: String,
        token: String? = nil,
        authorization: String? = nil
    ) async throws -> Reply {
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
            dashboard: Dashboard(service: RetrievalService(holder: holder)),
            logger: quietLogger
        )
        return try await HTTPAPITests.ask(plane, method, path, authorization: authorization)
    }

    @Test("GET /version describes the build")
    func tellsVersion() async throws {
        let reply = try await ask("GET", "/version")
        #expect(reply.status == 200 && reply.json["version"] as? String == "1.2.3")
    }

    @Test("models, versions and their states are listed")
    func lists() async throws {
        _ = try await ask("POST", "/v1/models/m/versions/3:activate?wait=true")
        let models = try #require(try await ask("GET", "/v1/models").json["models"] as? [[String: Any]])
        #expect(models.count == 1 && models[0]["name"] as? String == "m" && models[0]["active_version"] as? Int == 1)
        let model = try await ask("GET", "/v1/models/m")
        let versions = try #require(model.json["versions"] as? [[String: Any]])
        #expect(versions.map { $0["state"] as? String } == ["active", "available", "rejected"])
        let version = try await ask("GET", "/v1/models/m/versions/3")
        #expect(version.json["reason"] as? String == "damaged" && version.json["digest"] as? String == "digest-3")
        #expect(version.json["items"] as? Int == 40 && version.json["dimension"] as? Int == 8)
        #expect((version.json["metrics"] as? [String: Double])?["hr@20"] == 0.5)
    }

    @Test("activation with wait answers once the version is in service; it works repeatedly and backwards")
    func activates() async throws {
        for version in [2, 2, 1] {
            let reply = try await ask("POST", "/v1/models/m/versions/\(version):activate?wait=true")
            #expect(reply.status == 200 && reply.json["state"] as? String == "active")
            #expect(holder.snapshot?.version == version && source.activeVersion(of: "m") == version)
        }
    }

    @Test(
        "an unknown query parameter is refused, and nothing happens",
        arguments: [
            ("POST", "/v1/models/m/versions/2:activate?wiat=true", "'wiat'", "it takes 'wait'"),
            ("POST", "/v1/models/m/versions/2:activate?wait=true&x", "'x'", "it takes 'wait'"),
            ("POST", "/v1/models/m/versions/1:unload?model=m", "'model'", "it takes none"),
            ("DELETE", "/v1/items/i1?modle=m", "'modle'", "it takes 'model'"),
            ("GET", "/v1/items?modle=m", "'modle'", "it takes 'model'"),
            ("GET", "/debug/map?model=m&versoin=1", "'versoin'", "it takes 'model' and 'version'"),
            ("GET", "/debug/requests?second=1", "'second'", "it takes 'seconds'"),
        ]
    )
    func refusesQuery(method: String, path: String, name: String, known: String) async throws {
        let reply = try await ask(method, path)
        #expect(reply.status == 400 && reply.json["code"] as? String == "invalid_argument")
        let detail = try #require(reply.json["detail"] as? String)
        #expect(detail.contains(name) && detail.contains(known), "\(detail)")
        #expect(holder.snapshot?.version == 1 && source.activeVersion(of: "m") == 1)
        #expect(try await ask("GET", "/version?x=1").status == 200)
    }

    @Test("activation without wait answers 202 and refuses others until it is done")
    func activatesLater() async throws {
        source.state.withLock { $0.isHeld = true }
        let reply = try await ask("POST", "/v1/models/m/versions/2:activate")
        #expect(reply.status == 202 && reply.json["state"] as? String == "loading")
        #expect(try await ask("GET", "/v1/models/m/versions/2").json["state"] as? String == "loading")
        let busy = try await ask("POST", "/v1/models/m/versions/3:activate")
        #expect(busy.status == 409 && busy.json["code"] as? String == "busy_loading")
        #expect(busy.headers["retry-after"] == "1")
        source.state.withLock { $0.isHeld = false }
        await controller.poll()
        #expect(holder.snapshot?.version == 2)
    }

    @Test("of ten activations at once one loads and the others are refused; the final state is consistent")
    func activatesOnce() async throws {
        source.state.withLock { $0.isHeld = true }
        let statuses = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for _ in 0..<10 {
                tasks.addTask { try await ask("POST", "/v1/models/m/versions/2:activate").status }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        source.state.withLock { $0.isHeld = false }
        await controller.poll()
        #expect(statuses.sorted() == [202] + [Int](repeating: 409, count: 9))
        #expect(holder.snapshot?.version == 2 && source.activeVersion(of: "m") == 2)
    }

    @Test("verification reads the stored version again", arguments: [(2, 200), (3, 422), (9, 404)])
    func verifies(version: Int, status: Int) async throws {
        let reply = try await ask("POST", "/v1/models/m/versions/\(version):verify")
        #expect(reply.status == status)
        if status == 200 { #expect(reply.json["state"] as? String == "verified") }
    }

    @Test(
        "every error is a problem",
        arguments: [
            ("GET", "/nope", 404, "not_found"), ("GET", "/v1/models/x", 404, "not_found"),
            ("GET", "/v1/models/m/versions/9", 404, "version_not_found"),
            ("GET", "/v1/models/m/versions/x", 404, "version_not_found"),
            ("GET", "/v1/models/m/versions/1:activate", 405, "method_not_allowed"),
            ("POST", "/v1/models/m/versions/1", 405, "method_not_allowed"),
            ("POST", "/v1/models/m/versions/1:explode", 405, "method_not_allowed"),
            ("POST", "/v1/models/m/versions/9:activate", 404, "version_not_found"),
            ("POST", "/v1/models/x/versions/1:activate", 404, "not_found"),
            ("POST", "/v1/models/m/versions/1:activate?wait=maybe", 400, "invalid_argument"),
            ("POST", "/v1/models/m/versions/3:activate?wait=true", 422, "checkpoint_rejected"),
        ] as [(String, String, Int, String)]
    )
    func reportsErrors(method: String, path: String, status: Int, code: String) async throws {
        let reply = try await ask(method, path)
        #expect(reply.status == status && reply.json["code"] as? String == code)
        #expect(reply.headers["content-type"] == "application/problem+json")
        #expect(reply.json["instance"] is String && reply.json["detail"] is String)
        #expect(holder.snapshot?.version == 1)
    }

    @Test(
        "writes need the full token, reads need none",
        arguments: [
            (nil, 401), ("", 401), ("Bearer", 401), ("Bearer ", 401), ("Bearer 0123456789abcde", 401),
            ("Bearer 0123456789abcdeg", 401), ("Bearer 0123456789abcdef0123456789abcdef", 401),
            ("Basic 0123456789abcdef", 401), ("Bearer 0123456789abcdef", 200), ("bearer 0123456789abcdef", 200),
        ] as [(String?, Int)]
    )
    func checksToken(authorization: String?, status: Int) async throws {
        let path = "/v1/models/m/versions/2:activate?wait=true"
        let reply = try await ask("POST", path, token: Self.token, authorization: authorization)
        #expect(reply.status == status)
        #expect(holder.snapshot?.version == (status == 200 ? 2 : 1))
        if status == 401 { #expect(reply.headers["www-authenticate"] == "Bearer") }
        #expect(try await ask("GET", "/v1/models", token: Self.token).status == 200)
    }
}
