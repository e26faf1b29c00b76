import Synchronization

/// The live index that searches use, and the one place where it changes.
///
/// A search takes ``current`` once and keeps it to its end, so it sees all of an update or nothing of it. Updates happen
/// one after another and beside searches, which wait for nothing but a copy of a few pointers.
public final class LiveIndexHolder: Sendable {
    private let state: Mutex<LiveIndex>
    /// Held during an update, so that none is lost.
    private let updating = Mutex(())

    /// Starts with an index.
    public init(_ index: LiveIndex) {
        state = Mutex(index)
    }

    /// The newest index.
    ///
    /// Complexity: a lock and a few retains.
    public var current: LiveIndex {
        state.withLock { $0 }
    }

    /// Changes the index: searches that begin afterwards see all that `change` did.
    ///
    /// Many changes in one update share one copy of what they touch.
    ///
    /// - Parameter change: Changes its argument, the newest index.
    /// - Returns: What `change` returns.
    /// - Throws: What `change` throws; then nothing has changed.
    @discardableResult
    public func update<Result: Sendable, Failure>(
        _ change: (inout LiveIndex) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try updating.withLock { _ throws(Failure) in
            var index = current
            let result = try change(&index)
            // The old value leaves by the swap, so that what dies with it is freed outside the lock.
            state.withLock { swap(&$0, &index) }
            return result
        }
    }
}
