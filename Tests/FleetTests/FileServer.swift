import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A store of files over HTTP in this process: entity tags, conditions, ranges, PUT and DELETE, and faults.
final class FileServer: Sendable {
    struct File {
        var content: [UInt8]
        var tag: String?
    }

    struct Request {
        let method: HTTPMethod
        let path: String
        let headers: HTTPHeaders
        let body: [UInt8]
    }

    struct State {
        var files: [String: File] = [:]
        var requests: [Request] = []
        /// Closes the connection after this many bytes of a file's content, once each.
        var cuts: [Int] = []
        /// Answers whole files only.
        var ignoresRanges = false
        /// The Content-Length of every answer; nil for the true one.
        var statedLength: Int?
        /// The status of every answer, if set.
        var status: Int?
    }

    let state = Mutex(State())
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel

    init() async throws {
        let box = Box()
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(Handler(box))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        box.server.withLock { $0 = self }
    }

    deinit {
        channel.close(promise: nil)
        group.shutdownGracefully { _ in }
    }

    func address(_ path: String) -> URLComponents {
        URLComponents(string: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/\(path)") ?? URLComponents()
    }

    /// Stores a file; its tag names its content.
    func put(_ path: String, _ content: [UInt8]) {
        state.withLock { $0.files["/" + path] = File(content: content, tag: "\"\(content.hashValue)\"") }
    }

    func content(_ path: String) -> [UInt8]? { state.withLock { $0.files["/" + path]?.content } }

    /// The requests for a path, oldest first.
    func requests(_ path: String) -> [Request] { state.withLock { $0.requests.filter { $0.path == "/" + path } } }

    private final class Box: Sendable {
        let server = Mutex<FileServer?>(nil)
    }

    /// What a request is answered with.
    private struct Answer {
        var status = HTTPResponseStatus.ok
        var headers = HTTPHeaders()
        var content: [UInt8] = []
        var cut: Int?
    }

    private func answer(_ request: Request) -> Answer {
        state.withLock { state in
            state.requests.append(request)
            if let status = state.status { return Answer(status: HTTPResponseStatus(statusCode: status)) }
            let file = state.files[request.path]
            switch request.method {
            case .PUT:
                if let tag = request.headers.first(name: "if-match"), tag != file?.tag {
                    return Answer(status: .preconditionFailed)
                }
                if request.headers.first(name: "if-none-match") == "*", file != nil {
                    return Answer(status: .preconditionFailed)
                }
                state.files[request.path] = File(content: request.body, tag: "\"\(request.body.hashValue)\"")
                return Answer(status: .created)
            case .DELETE:
                state.files[request.path] = nil
                return Answer(status: .noContent)
            default: break
            }
            guard let file else { return Answer(status: .notFound) }
            var answer = Answer(content: file.content)
            if let tag = file.tag {
                answer.headers.add(name: "ETag", value: tag)
                if request.headers.first(name: "if-none-match") == tag { return Answer(status: .notModified) }
            }
            let range = request.headers.first(name: "range").flatMap { Int($0.dropFirst("bytes=".count).dropLast()) }
            if let range, !state.ignoresRanges, request.headers.first(name: "if-range") == file.tag {
                answer.status = .partialContent
                answer.headers.add(
                    name: "Content-Range",
                    value: "bytes \(range)-\(file.content.count - 1)/\(file.content.count)"
                )
                answer.content = Array(file.content[range...])
            }
            if !state.cuts.isEmpty, request.path.hasSuffix(".sqlite") { answer.cut = state.cuts.removeFirst() }
            return answer
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let box: Box
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ box: Box) { self.box = box }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, [])
            case .body(let buffer): body += buffer.readableBytesView
            case .end:
                guard let head, let server = box.server.withLock({ $0 }) else { return context.close(promise: nil) }
                let request = Request(method: head.method, path: head.uri, headers: head.headers, body: body)
                var answer = server.answer(request)
                let length = server.state.withLock(\.statedLength) ?? answer.content.count
                answer.headers.add(name: "Content-Length", value: "\(length)")
                let response = HTTPResponseHead(version: .http1_1, status: answer.status, headers: answer.headers)
                context.write(wrapOutboundOut(.head(response)), promise: nil)
                let sent = answer.content.prefix(answer.cut ?? answer.content.count)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: sent)))), promise: nil)
                if answer.cut != nil {
                    context.flush()
                    // The client first takes what was sent.
                    let channel = context.channel
                    context.eventLoop.scheduleTask(in: .milliseconds(200)) { channel.close(promise: nil) }
                } else {
                    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                }
            }
        }
    }
}

/// A folder that is removed after the test.
final class TemporaryFolder: Sendable {
    let path = FileManager.default.temporaryDirectory.appending(path: "fleet-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}
