import NIOCore
import Synchronization

/// Bounds the open connections of the control plane, so that the data plane keeps its file descriptors.
///
/// At the limit, a new connection closes the one that has been idle longest. So an operator always gets through.
final class ControlConnections: Sendable {
    private struct Connection {
        let channel: any Channel
        /// Since when the connection is idle; nil while the server answers a request.
        var idleSince: NIODeadline?
    }

    private let limit: Int
    private let open = Mutex<[ObjectIdentifier: Connection]>([:])

    /// Starts without a connection.
    ///
    /// - Parameter limit: The most open connections, at least 1.
    init(limit: Int) {
        precondition(limit >= 1, "\(limit) connections of the control plane")
        self.limit = limit
    }

    /// The number of open connections.
    var count: Int { open.withLock(\.count) }

    /// Adds a connection.
    ///
    /// Above the limit, closes the connection that has been idle longest, or else the new one.
    func opened(_ channel: any Channel) {
        let surplus: (any Channel)? = open.withLock { open in
            open[ObjectIdentifier(channel)] = Connection(channel: channel, idleSince: .now())
            guard open.count > limit else { return nil }
            let idle = open.filter { $0.key != ObjectIdentifier(channel) && $0.value.idleSince != nil }
            let oldest = idle.min { ($0.value.idleSince ?? .now()) < ($1.value.idleSince ?? .now()) }
            // Closing takes a moment and others may connect meanwhile, so the closed one stops counting now.
            let surplus = oldest?.value.channel ?? channel
            open[ObjectIdentifier(surplus)] = nil
            return surplus
        }
        surplus?.close(promise: nil)
    }

    /// Records whether a connection is idle from now on.
    func setIdle(_ isIdle: Bool, _ channel: any Channel) {
        open.withLock { $0[ObjectIdentifier(channel)]?.idleSince = isIdle ? .now() : nil }
    }

    /// Removes a connection.
    func closed(_ channel: any Channel) {
        open.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}
