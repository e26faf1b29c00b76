import CheckpointStore
import Synchronization

/// Judges active versions by bounds, as an alias' guard judges the versions of a split.
///
/// A trial lasts as long as its version is active.
final class VersionTrials: Sendable {
    private struct State {
        var bounds: [VersionID: Alias.Guard] = [:]
        /// Versions that broke a bound and may still be active, with the finding.
        var broken: [VersionID: String] = [:]
        var ended: Set<VersionID> = []
    }

    private let state = Mutex(State())
    private let canaries = CanaryWatch()

    /// Begins a trial.
    func begin(_ id: VersionID, bounds: Alias.Guard) {
        state.withLock { state in
            state.bounds = state.bounds.filter { $0.key.model != id.model }
            state.bounds[id] = bounds
        }
    }

    /// Ends a trial without a finding, because another version is active.
    func forget(_ id: VersionID) {
        state.withLock { state in
            state.bounds[id] = nil
            state.broken[id] = nil
        }
    }

    /// Notes that a version is no longer active because it broke a bound.
    func end(_ id: VersionID) {
        forget(id)
        state.withLock { _ = $0.ended.insert(id) }
    }

    /// Versions that lost their place because they broke a bound.
    var ended: Set<VersionID> { state.withLock { $0.ended } }

    /// The versions on trial.
    var versions: [VersionID] { state.withLock { Array($0.bounds.keys) } }

    /// Why a version on trial breaks its bounds, or nil; a finding stays until the trial ends.
    func finding(of id: VersionID, _ statistics: [VersionID: VersionStatistics]) -> String? {
        state.withLock { state in
            if let finding = state.broken[id] { return finding }
            guard let bounds = state.bounds[id] else { return nil }
            // The guard of a split judges every version after the first.
            let split = [0, id.version].map { Alias.Share(version: $0, percent: 50) }
            let alias = Alias(name: id.model, model: id.model, split: split, guard: bounds, revision: id.version)
            state.broken[id] = canaries.finding(of: alias, statistics)
            return state.broken[id]
        }
    }
}
