import Foundation
import HTTPAPI
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Serving
import Synchronization
import TestSupport
import Testing

/// An answer as received over the wire.
struct Answer {
    var status: Int
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func json() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    }

    func items() throws -> [String] {
        try #require(try json()["items"] as? [[String: Any]]).map { "\($0["id"] ?? "")" }
    }
}

enum TestConnectionError: Error {
    case closed(received: String)
    case timedOut(received: String)
}

/// A client that sends raw bytes and parses answers.
final class TestConnection: Sendable {
    private struct Received {
        var bytes: [UInt8] = []
        /// How many bytes were consumed.
        var taken = 0
        var isClosed = false
    }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let received = Mutex(Received())

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            received.withLock { $0.bytes.append(contentsOf: buffer.readableBytesView) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            received.withLock { $0.isClosed = true }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    private let channel: any Channel
    private let collector: Collector

    init(port: Int, receiveBuffer: Int32? = nil) async throws {
        let collector = Collector()
        self.collector = collector
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(receiveBuffer))
        }
        channel = try await bootstrap.channelInitializer { $0.pipeline.addHandler(collector) }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    func finishSending() async throws {
        try await channel.close(mode: .output)
    }

    /// Stops or resumes reading from the socket.
    func setReading(_ isReading: Bool) async throws {
        try await channel.setOption(.autoRead, value: isReading).get()
    }

    /// Closes the connection, unless the server has closed it.
    func close() async throws {
        do {
            try await channel.close()
        } catch ChannelError.alreadyClosed {}
    }

    /// Waits for the next answer; `hasBody` is false for answers to HEAD.
    func answer(hasBody: Bool = true) async throws -> Answer {
        try await wait { received in
            guard let end = received.bytes[received.taken...].firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
            let lines = String(decoding: received.bytes[received.taken..<end.lowerBound], as: UTF8.self).components(
                separatedBy: "\r\n"
            )
            let status = Int(lines[0].split(separator: " ")[1]) ?? 0
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            let count = hasBody ? Int(headers["content-length"] ?? "0") ?? 0 : 0
            guard received.bytes.count >= end.upperBound + count else { return nil }
            let body = Array(received.bytes[end.upperBound..<end.upperBound + count])
            received.taken = end.upperBound + count
            return Answer(status: status, headers: headers, body: body)
        }
    }

    /// Waits until the server closes; returns the bytes that were not consumed before.
    func rest() async throws -> String {
        try await channel.closeFuture.get()
        return unread
    }

    /// The received bytes that were not consumed.
    private var unread: String {
        collector.received.withLock { String(decoding: $0.bytes[$0.taken...], as: UTF8.self) }
    }

    private func wait<Value>(for find: (inout Received) throws -> Value?) async throws -> Value {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            let (value, isClosed) = try collector.received.withLock { (try find(&$0), $0.isClosed) }
            if let value { return value }
            if isClosed { throw TestConnectionError.closed(received: unread) }
            if ContinuousClock.now > end { throw TestConnectionError.timedOut(received: unread) }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}

/// A POST to /retrieve with a body.
func post(_ body: String, path: String = "/retrieve", headers: String = "") -> String {
    "POST \(path) HTTP/1.1\r\nHost: x\r\nX-Request-Id: test\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}

/// A running server and its ports.
struct RunningServer: Sendable {
    let source: MemorySource
    let holder: RoutingHolder
    let controller: ServingController
    let server: RetrievalServer
    let group: ServiceGroup
    let port: Int
    let controlPort: Int

    func connect() async throws -> TestConnection { try await TestConnection(port: port) }

    /// Sends one request on a new connection.
    func ask(_ request: String) async throws -> Answer {
        let connection = try await connect()
        try await connection.send(request)
        let answer = try await connection.answer()
        try await connection.close()
        return answer
    }
}

extension ServerConfiguration {
    /// A configuration with free ports and a test's changes.
    static func testing(_ change: (inout ServerConfiguration) -> Void) -> ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.httpPort = 0
        configuration.controlPort = 0
        configuration.drainTimeout = .seconds(4)
        // The machine may be busy with other tests, so generous limits prevent false overload and timeouts.
        configuration.queueDelay = .seconds(60)
        configuration.requestReadTimeout = .seconds(60)
        change(&configuration)
        return configuration
    }
}

/// Runs a server on free ports around a test, then shuts it down gracefully, unless the test did.
func withServer(
    source: MemorySource = MemorySource([1, 2], active: 1),
    builder: SnapshotBuilder = testBuilder,
    isReady: Bool = true,
    configuration: ServerConfiguration = .testing { _ in },
    logger: Logger = quietLogger,
    _ test: @Sendable @escaping (RunningServer) async throws -> Void
) async throws {
    let holder = RoutingHolder()
    var served = ControllerConfiguration()
    served.pollInterval = .milliseconds(5)
    let sampler = AnswerSampler(recallSample: 10, limits: configuration.limits)
    let controller = ServingController(
        source: source,
        configuration: served,
        holder: holder,
        builder: builder,
        sampler: sampler,
        logger: quietLogger
    )
    let (ports, report) = AsyncStream<(RetrievalServer.Listener, Int)>.makeStream()
    let server = try RetrievalServer(
        configuration: configuration,
        source: source,
        holder: holder,
        controller: controller,
        sampler: sampler,
        build: BuildDescription(name: "dimerec", version: "test", platform: "test"),
        logger: logger,
        onListening: { report.yield(($0, $1)) }
    )
    let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { report.finish() }
            try await group.run()
        }
        var found: [RetrievalServer.Listener: Int] = [:]
        for await (listener, port) in ports {
            found[listener] = port
            if found.count == 2 { break }
        }
        guard let port = found[.data], let controlPort = found[.control] else {
            try await tasks.waitForAll()
            return
        }
        while isReady, holder.snapshot == nil { try await Task.sleep(for: .milliseconds(1)) }
        let running = RunningServer(
            source: source,
            holder: holder,
            controller: controller,
            server: server,
            group: group,
            port: port,
            controlPort: controlPort
        )
        do {
            try await test(running)
        } catch {
            Issue.record(error)
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}
