import CheckpointStore
import Synchronization

/// What was told of the state of the store's file, so that each finding is logged once.
final class StoreWatch: Sendable {
    private struct State {
        var error: String?
        var damage: Set<StoreDamage> = []
        var nextLook: ContinuousClock.Instant?
    }

    /// How long after a look for damage the next one is.
    private static let interval = Duration.seconds(60)

    private let state = Mutex(State())

    /// Nothing told yet.
    init() {}

    /// Whether an error is not the one that was told last.
    func isNew(_ error: String) -> Bool {
        state.withLock { state in
            defer { state.error = error }
            return state.error != error
        }
    }

    /// Whether an error was told that is over now.
    func recovers() -> Bool {
        state.withLock { state in
            defer { state.error = nil }
            return state.error != nil
        }
    }

    /// Whether it is time to look for damage; the next time is a minute later.
    var isDue: Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            if let next = state.nextLook, now < next { return false }
            state.nextLook = now + Self.interval
            return true
        }
    }

    /// The damage that was not there at the last look.
    func news(of damage: [StoreDamage]) -> [StoreDamage] {
        state.withLock { state in
            defer { state.damage = Set(damage) }
            return damage.filter { !state.damage.contains($0) }
        }
    }
}
