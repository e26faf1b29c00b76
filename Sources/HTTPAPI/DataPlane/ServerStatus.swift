import Synchronization

/// The server's lifecycle state, shared by all threads.
final class ServerStatus: Sendable {
    private let draining = Atomic(false)
    private let connections = Atomic(0)
    private let refusals = Atomic(0)

    /// Whether the server is shutting down: it is not ready, and every answer closes its connection.
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// How many connections of the data plane are open.
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    func startDraining() {
        draining.store(true, ordering: .relaxed)
    }

    /// Counts a new connection and returns how many there are now.
    func connectionOpened() -> Int {
        connections.add(1, ordering: .relaxed).newValue
    }

    /// Counts a connection that is being refused and returns how many there are now.
    func refusalBegan() -> Int { refusals.add(1, ordering: .relaxed).newValue }

    func refusalEnded() { refusals.subtract(1, ordering: .relaxed) }

    func connectionClosed() {
        connections.subtract(1, ordering: .relaxed)
    }
}
