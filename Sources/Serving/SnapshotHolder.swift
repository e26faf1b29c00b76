import Synchronization

/// The snapshot that requests are answered from.
public final class SnapshotHolder: Sendable {
    private let state = Mutex<ServingSnapshot?>(nil)

    /// A holder without a snapshot: nothing can be answered yet.
    public init() {}

    /// The newest published snapshot, or nil before the first.
    ///
    /// Complexity: a lock and a retain.
    public var current: ServingSnapshot? {
        state.withLock { $0 }
    }

    /// Makes a snapshot the one that new requests use.
    ///
    /// - Parameter snapshot: A snapshot of a later generation than the current one.
    /// - Returns: Whether it was published: false when its generation is not newer, so that a slow loader cannot undo what
    ///   a later one did; and the snapshot that it replaced.
    @discardableResult
    public func publish(_ snapshot: ServingSnapshot) -> (isPublished: Bool, replaced: ServingSnapshot?) {
        state.withLock { current in
            if let current, current.generation >= snapshot.generation { return (false, nil) }
            let replaced = current
            current = snapshot
            return (true, replaced)
        }
    }
}
