import NIOCore
import Synchronization

/// The open connections of the control plane, which are bounded, so that they leave the data plane its descriptors.
///
/// When there are too many, the one that has done nothing for the longest time gives way to the new one, so that an
/// operator always gets through.
final class ControlConnections: Sendable {
    private struct Connection {
        let channel: any Channel
        /// Since when it has done nothing; nil while a request is answered.
        var idleSince: NIODeadline?
    }

    private let limit: Int
    private let open = Mutex<[ObjectIdentifier: Connection]>([:])

    /// No connection yet.
    ///
    /// - Parameter limit: The most connections at one time, at least 1.
    init(limit: Int) {
        precondition(limit >= 1, "\(limit) connections of the control plane")
        self.limit = limit
    }

    /// How many connections there are.
    var count: Int { open.withLock(\.count) }

    /// Adds a connection; beyond the limit, one that is idle is closed in its favour, or it is closed itself.
    func opened(_ channel: any Channel) {
        let surplus: (any Channel)? = open.withLock { open in
            open[ObjectIdentifier(channel)] = Connection(channel: channel, idleSince: .now())
            guard open.count > limit else { return nil }
            let idle = open.filter { $0.key != ObjectIdentifier(channel) && $0.value.idleSince != nil }
            let oldest = idle.min { ($0.value.idleSince ?? .now()) < ($1.value.idleSince ?? .now()) }
            return oldest?.value.channel ?? channel
        }
        surplus?.close(promise: nil)
    }

    /// Notes whether a connection waits for its peer from now on.
    func setIdle(_ isIdle: Bool, _ channel: any Channel) {
        open.withLock { $0[ObjectIdentifier(channel)]?.idleSince = isIdle ? .now() : nil }
    }

    /// Removes a connection.
    func closed(_ channel: any Channel) {
        open.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}
