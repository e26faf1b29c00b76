import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends each request in plain HTTP over a connection of its own.
///
/// It is for a program that asks a few times and must not pay for a TLS library.
package struct PlainTransport: Transport {
    package let answerLimit: Int
    private let connectTimeout: Duration

    /// A transport with the limits of a client's options.
    package init(_ options: DimeRecClient.Options) {
        (answerLimit, connectTimeout) = (options.answerLimit, options.connectTimeout)
    }

    package func exchange(_ request: TransportRequest, within time: Duration) async throws -> TransportAnswer {
        let target = try Target(request.url)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(min(connectTimeout, time)))
            .connect(host: target.host, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel
                    )
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            // A peer may answer and close before it has read the whole request; without an answer, reading fails.
            try? await outbound.write(contentsOf: parts(of: request, to: target))
            return try await answer(from: inbound)
        }
    }

    private func parts(of request: TransportRequest, to target: Target) -> [HTTPClientRequestPart] {
        var headers = HTTPHeaders([("Host", target.authority), ("Connection", "close")])
        for (name, value) in request.headers { headers.add(name: name, value: value) }
        if let body = request.body { headers.add(name: "Content-Length", value: "\(body.count)") }
        let head = HTTPRequestHead(version: .http1_1, method: request.method, uri: target.path, headers: headers)
        let body = request.body.map { [HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: $0)))] }
        return [.head(head)] + (body ?? []) + [.end(nil)]
    }

    private func answer(
        from inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>
    ) async throws -> TransportAnswer {
        var head: HTTPResponseHead?
        var body = Data()
        for try await part in inbound {
            switch part {
            case .head(let received): head = received
            case .body(let bytes):
                guard body.count + bytes.readableBytes <= answerLimit else {
                    throw TransportFailure.tooLarge(limit: answerLimit)
                }
                body.append(contentsOf: bytes.readableBytesView)
            case .end:
                guard let head else { break }
                return TransportAnswer(status: Int(head.status.code), headers: head.headers, body: body)
            }
        }
        throw TransportFailure.lost("the peer closed the connection")
    }

    /// The place of a plain HTTP address.
    private struct Target {
        let host: String
        let port: Int
        let path: String
        /// The value of `Host`.
        let authority: String

        init(_ url: String) throws(TransportFailure) {
            guard let parts = URLComponents(string: url), parts.scheme == "http", let host = parts.host else {
                throw .notSent("this program speaks plain HTTP only")
            }
            // URLComponents leaves the brackets of an IPv6 address.
            self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
            port = parts.port ?? 80
            authority = host + (parts.port.map { ":\($0)" } ?? "")
            let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
            self.path = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
        }
    }
}
