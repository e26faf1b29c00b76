import NIOCore
import NIOPosix
import Synchronization

/// A server that answers each request with the bytes of a script.
final class ScriptedServer: Sendable {
    /// A reaction to a request.
    enum Reaction {
        /// Sends these bytes.
        case bytes(String)
        /// Sends these bytes, then closes the connection.
        case bytesAndClose(String)
        /// Never answers.
        case silence

        /// A complete answer.
        static func answer(_ status: Int, _ body: String, headers: [String] = []) -> Reaction {
            let type = status < 400 ? "application/json" : "application/problem+json"
            let lines =
                ["HTTP/1.1 \(status) X", "Content-Type: \(type)", "Content-Length: \(body.utf8.count)"] + headers
            return .bytes((lines + ["", body]).joined(separator: "\r\n"))
        }

        /// A problem document.
        static func problem(_ status: Int, _ code: String, headers: [String] = []) -> Reaction {
            let members =
                "\"type\":\"about:blank\",\"title\":\"T\",\"status\":\(status),\"detail\":\"D\",\"instance\":\"r1\""
            return answer(
                status,
                "{\(members),\"code\":\"\(code)\",\"errors\":[{\"pointer\":\"/k\",\"message\":\"M\"}]}",
                headers: headers
            )
        }
    }

    /// A received request.
    struct Request {
        let head: [String]
        let body: String

        /// Method and path.
        var line: String { head[0].replacing(" HTTP/1.1", with: "") }

        func header(_ name: String) -> String? {
            head.dropFirst().first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { String($0.dropFirst(name.count + 1).drop { $0 == " " }) }
        }
    }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let server: ScriptedServer
        private var received = ""

        init(_ server: ScriptedServer) {
            self.server = server
        }

        func channelActive(context: ChannelHandlerContext) {
            server.state.withLock { $0.connections += 1 }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            while let head = received.firstRange(of: "\r\n\r\n") {
                let lines = received[..<head.lowerBound].split(separator: "\r\n").map(String.init)
                let bare = Request(head: lines, body: "")
                let length = bare.header("content-length").flatMap { Int($0) } ?? 0
                let rest = received[head.upperBound...]
                guard rest.utf8.count >= length else { return }
                let body = String(decoding: rest.utf8.prefix(length), as: UTF8.self)
                received = String(decoding: rest.utf8.dropFirst(length), as: UTF8.self)
                react(server.note(Request(head: lines, body: body)), context)
            }
        }

        private func react(_ reaction: Reaction, _ context: ChannelHandlerContext) {
            switch reaction {
            case .bytes(let text): write(text, context)
            case .bytesAndClose(let text):
                write(text, context)
                context.close(promise: nil)
            case .silence: break
            }
        }

        private func write(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }

    private struct State {
        var requests: [Request] = []
        var connections = 0
    }

    private let script: @Sendable (Int, Request) -> Reaction
    private let state = Mutex(State())
    private let channel = Mutex<(any Channel)?>(nil)

    /// Creates a server that reacts to its `n`-th request, from 0, by a script.
    init(_ script: @escaping @Sendable (Int, Request) -> Reaction) {
        self.script = script
    }

    /// Runs a test with this server; the test receives the server's address.
    func serving(_ test: (ScriptedServer, String) async throws -> Void) async throws {
        let url = try await start()
        do {
            try await test(self, url)
        } catch {
            try await stop()
            throw error
        }
        try await stop()
    }

    private func start() async throws -> String {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        channel.withLock { $0 = listener }
        return "http://127.0.0.1:\(listener.localAddress?.port ?? 0)"
    }

    private func stop() async throws {
        try await channel.withLock { $0 }?.close()
    }

    private func note(_ request: Request) -> Reaction {
        let number = state.withLock { state in
            state.requests.append(request)
            return state.requests.count - 1
        }
        return script(number, request)
    }

    /// The received requests.
    var requests: [Request] { state.withLock(\.requests) }

    /// How many connections clients opened.
    var connections: Int { state.withLock(\.connections) }
}
