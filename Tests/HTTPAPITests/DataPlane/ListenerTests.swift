import Foundation
import HTTPAPI
import NIOCore
import NIOPosix
import Testing

/// Addresses other than a port of 127.0.0.1.
@Suite("Listeners") struct ListenerTests {
    /// The settings of the two planes.
    private static let hosts: [(String, any WritableKeyPath<ServerConfiguration, String> & Sendable)] = [
        ("HTTP_HOST", \.httpHost), ("CONTROL_HOST", \.controlHost),
    ]

    /// A configuration with one plane on a Unix socket.
    private func listening(
        _ host: WritableKeyPath<ServerConfiguration, String>,
        on path: String
    ) -> ServerConfiguration {
        .testing { $0[keyPath: host] = "unix:\(path)" }
    }

    /// Sends a request to a socket or an address, and returns what the server sent until it closed.
    private func ask(_ request: String, at address: SocketAddress) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var received = ""
            for try await buffer in inbound { received += String(buffer: buffer) }
            return received
        }
    }

    private func get(_ path: String) -> String {
        "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    }

    /// A folder with a path that is short enough for sockets.
    private func folder() throws -> URL {
        let folder = URL(filePath: "/tmp/dimerec-\(UUID().uuidString)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test("both planes answer on Unix sockets, also after a restart")
    func unixSockets() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (data, control) = (folder.appending(path: "data").path, folder.appending(path: "control").path)
        let configuration = ServerConfiguration.testing {
            $0.httpHost = "unix:\(data)"
            $0.controlHost = "unix:\(control)"
        }
        for _ in 0..<2 {
            try await withServer(configuration: configuration) { _ in
                let body = #"{"history":["i1"],"k":2}"#
                let request = post(body, headers: "Connection: close\r\n")
                let answer = try await ask(request, at: SocketAddress(unixDomainSocketPath: data))
                #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("\"version\":1"))
                let models = try await ask(get("/v1/models"), at: SocketAddress(unixDomainSocketPath: control))
                #expect(models.hasPrefix("HTTP/1.1 200"))
            }
        }
    }

    @Test("the error of a socket in use names it, and the other process keeps it")
    func socketInUse() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "socket").path
        try await withServer(configuration: .testing { $0.httpHost = "unix:\(path)" }) { server in
            for (key, host) in Self.hosts {
                do {
                    try await withServer(configuration: listening(host, on: path)) { _ in }
                    Issue.record("two servers listen on one socket")
                } catch let error as ServerError {
                    #expect(error.description.contains(key) && error.description.contains(path))
                }
            }
            let answer = try await ask(get("/health/live"), at: SocketAddress(unixDomainSocketPath: path))
            #expect(answer.hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("a file that is no socket is not removed")
    func otherFile() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "file")
        try Data("kept".utf8).write(to: file)
        for (key, host) in Self.hosts {
            do {
                try await withServer(configuration: listening(host, on: file.path)) { _ in }
                Issue.record("the server listens on a file")
            } catch let error as ServerError {
                #expect(error.description.contains(key) && error.description.contains(file.path))
            }
        }
        #expect(try Data(contentsOf: file) == Data("kept".utf8))
    }

    @Test("both planes answer on IPv6, with and without brackets", arguments: ["::1", "[::1]"])
    func version6(host: String) async throws {
        let configuration = ServerConfiguration.testing {
            $0.httpHost = host
            $0.controlHost = host
        }
        do {
            _ = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "::1", port: 0).get()
                .close().get()
        } catch {
            // A machine without IPv6, such as many containers.
            return
        }
        try await withServer(configuration: configuration) { server in
            for (port, path) in [(server.port, "/health/live"), (server.controlPort, "/v1/models")] {
                let address = try SocketAddress(ipAddress: "::1", port: port)
                #expect(try await ask(get(path), at: address).hasPrefix("HTTP/1.1 200"))
            }
        }
    }
}
