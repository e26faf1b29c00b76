import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A single-threaded server that reacts to each request by a script.
final class ScriptedServer: Sendable {
    enum Reaction: Equatable {
        case answer(Int)
        /// Answers in pieces of this many bytes, with a pause before each.
        case slowly(pieceSize: Int)
        case answerAndClose
        case close
        case ignore
        case raw(String)
        /// Blocks the whole server for this long, then answers.
        case stall(seconds: Double)
    }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let server: ScriptedServer
        private var received = ""

        init(_ server: ScriptedServer) {
            self.server = server
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            while let head = received.range(of: "\r\n\r\n") {
                let length = received[..<head.lowerBound].firstMatch(of: #/Content-Length: (\d+)/#).flatMap {
                    Int($0.1)
                }
                guard let length, received[head.upperBound...].utf8.count >= length else { return }
                received = String(received[head.upperBound...].dropFirst(length))
                react(server.next(), context)
            }
        }

        private func react(_ reaction: Reaction, _ context: ChannelHandlerContext) {
            switch reaction {
            case .answer(let status): write(answer(status), context)
            case .slowly(let size):
                var rest = Array(answer(200).utf8)[...]
                var delay = TimeAmount.zero
                while !rest.isEmpty {
                    let piece = ByteBuffer(bytes: rest.prefix(size))
                    rest = rest.dropFirst(size)
                    delay = delay + .microseconds(100)
                    let channel = context.channel
                    context.eventLoop.scheduleTask(in: delay) { channel.writeAndFlush(piece, promise: nil) }
                }
            case .answerAndClose:
                write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", context)
                context.close(promise: nil)
            case .close: context.close(promise: nil)
            case .ignore: break
            case .raw(let text): write(text, context)
            case .stall(let seconds):
                Thread.sleep(forTimeInterval: seconds)
                write(answer(200), context)
            }
        }

        private func answer(_ status: Int) -> String {
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"items\":[]}"
        }

        private func write(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }

    private let script: @Sendable (Int) -> Reaction
    private let reactions = Mutex<[Reaction]>([])
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener = Mutex<(any Channel)?>(nil)

    /// Creates a server that reacts to its `n`-th request, from 0, by a script.
    init(_ script: @escaping @Sendable (Int) -> Reaction) {
        self.script = script
    }

    /// Listens on a free port and returns it.
    func start() async throws -> Int {
        let channel = try await ServerBootstrap(group: group)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        listener.withLock { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    func stop() async throws {
        try await group.shutdownGracefully()
    }

    private func next() -> Reaction {
        reactions.withLock { reactions in
            let reaction = script(reactions.count)
            reactions.append(reaction)
            return reaction
        }
    }

    /// How many requests arrived.
    var requests: Int { reactions.withLock(\.count) }

    /// How many requests got a reaction.
    func count(of reaction: Reaction) -> Int { reactions.withLock { $0.count { $0 == reaction } } }
}
