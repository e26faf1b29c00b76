import Foundation
import NIOCore
import NIOPosix

/// Where a plane listens: on a port of a host, or on a Unix socket, which only programs of this machine reach.
enum ListeningAddress: Equatable, Sendable {
    case network(host: String, port: Int)
    case socket(path: String)

    /// The longest path of a Unix socket, in bytes.
    static let longestPath = 107
    private static let socketPrefix = "unix:"

    /// Reads a host setting: `unix:` and a path, or a name or address; an IPv6 address may stand in brackets.
    init(host: String, port: Int) {
        if host.hasPrefix(Self.socketPrefix) {
            self = .socket(path: String(host.dropFirst(Self.socketPrefix.count)))
        } else if host.hasPrefix("["), host.hasSuffix("]") {
            self = .network(host: String(host.dropFirst().dropLast()), port: port)
        } else {
            self = .network(host: host, port: port)
        }
    }

    var isNetwork: Bool {
        if case .network = self { true } else { false }
    }

    /// The setting to change when the address is taken: the port of a plane, `HTTP` or `CONTROL`, or its socket.
    func key(_ plane: String) -> String { plane + (isNetwork ? "_PORT" : "_HOST") }

    /// Why nothing can listen here; nil for a usable address.
    var fault: String? {
        guard case .socket(let path) = self, !(path.hasPrefix("/") && 2...Self.longestPath ~= path.utf8.count) else {
            return nil
        }
        return "the path of a Unix socket must be absolute and have at most \(Self.longestPath) bytes"
    }

    /// Removes the socket that an ended process left behind.
    ///
    /// - Throws: ``ServerError/portInUse(host:port:key:)`` if a process still listens on it.
    func removeStaleSocket(host: String, port: Int, key: String) async throws {
        guard case .socket(let path) = self else { return }
        do {
            let other = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path).get()
            try? await other.close()
        } catch let error as IOError where error.errnoCode != EAGAIN {
            // Nobody listens. Binding removes the file if it is a socket, and else names it.
            return
        } catch {
            // The queue of connections is full, so somebody listens.
        }
        throw ServerError.portInUse(host: host, port: port, key: key)
    }
}
