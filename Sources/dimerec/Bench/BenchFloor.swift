import ArgumentParser
import NIOCore
import NIOHTTP1
import NIOPosix

/// `bench floor`: a server without retrieval, to measure the cost of the network alone.
struct FloorBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "floor",
        abstract:
            "Answer every request with one constant body, on NIO's HTTP decoder and one event loop, until stopped.",
        discussion:
            "Load it in the same way as the service; the ratio of the two rates shows the cost of retrieval."
    )
    @Option(help: "Port on 127.0.0.1; 0 lets the system choose.") var port = 8090
    @Option(help: "Bytes of the body; an answer of 50 items has about 2,100.") var bodyBytes = 2100

    func validate() throws {
        try ValidationError.require("--port", port, in: 0...65_535)
        try ValidationError.require("--body-bytes", bodyBytes, in: 0...1 << 20)
    }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(bodyBytes)\r\n"
            + "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Request-Id: 0123456789abcdef\r\n\r\n"
        let answer = ByteBuffer(string: head + String(repeating: "x", count: bodyBytes))
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let decoder = ByteToMessageHandler(HTTPRequestDecoder())
                    try channel.pipeline.syncOperations.addHandlers(decoder, ConstantHandler(answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        Terminal.print(JSONObject(["port": listener.localAddress?.port ?? port, "body_bytes": bodyBytes]).line)
        try await listener.closeFuture.get()
    }
}

/// Answers every complete request with the same bytes.
private final class ConstantHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let answer: ByteBuffer

    init(answer: ByteBuffer) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) { context.write(wrapOutboundOut(answer), promise: nil) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
