import HTTPTypes
import Hummingbird
import NIOCore
package import Serving
import Synchronization

/// The dashboard: its page, the map of the items, and traced retrievals.
///
/// Each load of a version needs one map. Maps and traced retrievals run on a background thread, never on the data
/// plane's threads.
package final class Dashboard: Sendable {
    /// The most cached maps: enough for a few models during a version change.
    private static let mostMaps = 8

    private let service: RetrievalService
    private let maxBodyBytes: Int
    private let maps = Mutex<[InterestMap]>([])
    private let thread = BackgroundThread(name: "dashboard")

    /// A dashboard of a service.
    ///
    /// - Parameters:
    ///   - service: Answers the dashboard's retrievals.
    ///   - maxBodyBytes: The largest accepted body.
    package init(service: RetrievalService, maxBodyBytes: Int = 262_144) {
        self.service = service
        self.maxBodyBytes = maxBodyBytes
    }

    /// The page's files, which need no token, and the page's data.
    var operations: [ControlPlane.Operation] {
        let page = PageFile.all.map { file in
            ControlPlane.Operation(method: .get, path: file.path, isOpen: true) { _, _ in file.response }
        }
        return page + [
            ControlPlane.Operation(method: .get, path: "/debug/map", isOpen: false, parameters: ["model", "version"]) {
                [self] request, _ in
                let model = try ControlPlane.query("model", of: request)
                let snapshot = try snapshot(of: model, version: try ControlPlane.query("version", of: request))
                return Self.json(try await inBackground { self.map(of: snapshot).json(snapshot) })
            },
            ControlPlane.Operation(method: .post, path: "/debug/query", isOpen: false) { [self] request, _ in
                let question = try await read(request)
                return Self.json(
                    try await inBackground {
                        do throws(RetrievalError) {
                            let trace = try self.service.trace(question)
                            return trace.json(self.map(of: trace.response.snapshot))
                        } catch {
                            throw Problem(error)
                        }
                    }
                )
            },
        ]
    }

    private func snapshot(of model: String?, version: String?) throws(Problem) -> ServingSnapshot {
        let route: TrafficRoute
        do throws(RetrievalError) {
            route = try service.holder.current.route(to: model)
        } catch {
            throw Problem(error)
        }
        guard let version else { return route.arms[0].snapshot }
        guard let arm = route.arms.first(where: { "\($0.snapshot.version)" == version }) else {
            let served = route.arms.map { "\($0.snapshot.version)" }.joined(separator: ", ")
            throw Problem(.versionNotFound, "Version '\(version)' is not in service; name one of \(served).")
        }
        return arm.snapshot
    }

    /// Reads a body of `POST /retrieve`.
    private func read(_ request: Request) async throws -> RetrievalRequest {
        try IncomingRequest.checkMediaType(request.headers[.contentType])
        var body = ByteBuffer()
        for try await part in request.body {
            guard body.readableBytes + part.readableBytes <= maxBodyBytes else {
                throw Problem.bodyTooLarge(maxBodyBytes)
            }
            body.writeImmutableBuffer(part)
        }
        var question = RetrievalRequest()
        var reader = RetrievalRequestReader(limits: service.limits)
        try reader.read(Array(body.readableBytesView), into: &question)
        return question
    }

    /// The map of a snapshot's items.
    ///
    /// Only the background thread calls this, so no map is computed twice.
    private func map(of snapshot: ServingSnapshot) -> InterestMap {
        if let known = maps.withLock({ maps in maps.first { $0.generation == snapshot.generation } }) { return known }
        let map = InterestMap(snapshot)
        maps.withLock { maps in
            maps.append(map)
            if maps.count > Self.mostMaps { maps.removeFirst() }
        }
        return map
    }

    private func inBackground<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            thread.async { continuation.resume(with: Result(catching: work)) }
        }
    }

    private static func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }
}
