import AsyncHTTPClient
package import Foundation
import Kernels
import NIOCore
import NIOHTTP1

/// Requests to a store of checkpoints over HTTP or HTTPS: an object store or a static server.
public final class StoreClient: Sendable {
    private let client: HTTPClient
    private let signature: RequestSignature?

    /// A client with its own connections.
    ///
    /// - Parameters:
    ///   - signature: Signs every request; nil signs none.
    ///   - patience: How many seconds an answer may pause.
    public init(signature: RequestSignature?, patience: Int64 = 30) {
        var configuration = HTTPClient.Configuration()
        // A signature is valid for one address only.
        configuration.redirectConfiguration = signature == nil ? .follow(max: 3, allowCycles: false) : .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(10)
        configuration.timeout.read = .seconds(patience)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.signature = signature
    }

    /// Connections close with the last reference.
    deinit { client.shutdown { _ in } }

    /// A request's body.
    struct Body {
        let content: HTTPClientRequest.Body
        /// SHA-256, in hexadecimal digits.
        let digest: String

        init(bytes: Data) {
            content = .bytes(ByteBuffer(bytes: bytes))
            digest = SHA256.digest(of: Array(bytes))
        }

        /// A file, which is read while it is sent.
        init(file: FileHandle, bytes: Int, digest: String) {
            let parts = AsyncThrowingStream<ByteBuffer, any Error> {
                try file.read(upToCount: 1 << 18).flatMap { $0.isEmpty ? nil : ByteBuffer(bytes: $0) }
            }
            content = .stream(parts, length: .known(Int64(bytes)))
            self.digest = digest
        }
    }

    /// Sends a request.
    ///
    /// - Throws: ``FleetError/unreachable(address:reason:)`` without an answer.
    func send(
        _ method: HTTPMethod,
        _ address: URLComponents,
        _ fields: [(String, String)] = [],
        body: Body? = nil
    ) async throws(FleetError) -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address.string ?? "")
        request.method = method
        for (name, value) in fields { request.headers.add(name: name, value: value) }
        if let signature {
            let digest = body?.digest ?? SHA256.digest(of: [])
            for (name, value) in signature.fields(method.rawValue, address, payload: digest, at: .now) {
                request.headers.add(name: name, value: value)
            }
        }
        if let body { request.body = body.content }
        do {
            // A large file takes its time; the limit on pauses ends a dead connection.
            return try await client.execute(request, deadline: .now() + .hours(24))
        } catch {
            throw .unreachable(address: address.place, reason: "\(error)")
        }
    }

    /// The index document with its entity tag; nil when it still has the given tag.
    func index(
        at address: URLComponents,
        unless tag: String? = nil
    ) async throws(FleetError) -> (index: ReleaseIndex, tag: String?)? {
        let answer = try await send(.GET, address, tag.map { [("if-none-match", $0)] } ?? [])
        switch answer.status.code {
        case 200: break
        case 304: return nil
        case 404, 410: throw .missing(address: address.place, status: Int(answer.status.code))
        default: throw .unreachable(address: address.place, reason: "status \(answer.status.code)")
        }
        let body: ByteBuffer
        do {
            body = try await answer.body.collect(upTo: ReleaseIndex.sizeLimit)
        } catch {
            throw .unreachable(address: address.place, reason: "\(error)")
        }
        return (try ReleaseIndex(json: Data(body.readableBytesView)), answer.headers.first(name: "etag"))
    }
}

extension URLComponents {
    /// The address without its query, which may hold a secret.
    package var place: String {
        var address = self
        (address.query, address.user, address.password) = (nil, nil, nil)
        return address.string ?? ""
    }

    /// The address of a file beside this document; a query, such as a token, stays.
    package func sibling(_ file: String) -> URLComponents {
        var address = self
        address.path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/" + file
        return address
    }
}
