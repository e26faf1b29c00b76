import CheckpointStore
import Synchronization

/// The findings about the store's file that were logged, so that each is logged once.
final class StoreWatch: Sendable {
    private struct State {
        var error: String?
        var damage: Set<StoreDamage> = []
        var nextLook: ContinuousClock.Instant?
    }

    /// The time between two checks for damage.
    private static let interval = Duration.seconds(60)

    private let state = Mutex(State())

    /// A watch that has logged nothing yet.
    init() {}

    /// Whether an error differs from the last logged one.
    func isNew(_ error: String) -> Bool {
        state.withLock { state in
            defer { state.error = error }
            return state.error != error
        }
    }

    /// Whether a logged error is over now.
    func recovers() -> Bool {
        state.withLock { state in
            defer { state.error = nil }
            return state.error != nil
        }
    }

    /// Whether a check for damage is due; the next one is due a minute later.
    var isDue: Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            if let next = state.nextLook, now < next { return false }
            state.nextLook = now + Self.interval
            return true
        }
    }

    /// The damage that the last check did not find.
    func news(of damage: [StoreDamage]) -> [StoreDamage] {
        state.withLock { state in
            defer { state.damage = Set(damage) }
            return damage.filter { !state.damage.contains($0) }
        }
    }
}
