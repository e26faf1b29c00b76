import CheckpointStore
import Synchronization

/// Judges the versions of a split by their alias' guard.
///
/// Requests are judged in windows of the guard's `minRequests`: a version that has been sound for a day is found out as
/// fast as a new one. Errors and times are those of the version's own work, whichever name the requests used.
final class CanaryWatch: Sendable {
    private struct Window: Hashable {
        let alias: String
        let revision: Int
        let version: Int
    }

    /// What a version had done when its window began.
    private let starts = Mutex<[Window: VersionStatistics.Counts]>([:])

    /// Nothing judged yet.
    init() {}

    /// Forgets aliases that are no more; one of the same name may come with the same revision.
    func forget(allBut names: Set<String>) {
        starts.withLock { starts in starts = starts.filter { names.contains($0.key.alias) } }
    }

    /// What is wrong with a version of an alias beyond the first, or nil.
    func finding(of alias: Alias, _ statistics: [VersionID: VersionStatistics]) -> String? {
        starts.withLock { starts in
            starts = starts.filter { $0.key.alias != alias.name || $0.key.revision == alias.revision }
            guard let bounds = alias.guard else { return nil }
            for share in alias.split.dropFirst() {
                guard let counts = statistics[VersionID(alias.model, share.version)]?.counts else { continue }
                let window = Window(alias: alias.name, revision: alias.revision, version: share.version)
                guard let start = starts[window] else {
                    starts[window] = counts
                    continue
                }
                guard let since = counts.since(start) else {
                    // The version was loaded anew, and counts from 0 again.
                    starts[window] = counts
                    continue
                }
                guard since.answered + since.failed >= UInt64(bounds.minRequests) else { continue }
                starts[window] = counts
                if let breach = Self.breach(of: bounds, by: since) { return "version \(share.version): \(breach)" }
            }
            return nil
        }
    }

    private static func breach(of bounds: Alias.Guard, by counts: VersionStatistics.Counts) -> String? {
        let rate = Double(counts.failed) / Double(max(1, counts.answered + counts.failed))
        if let most = bounds.maxErrorRate, rate > most { return "\(rate) of its requests failed, allowed are \(most)" }
        if let most = bounds.maxP99Ms, let p99 = counts.p99, p99 / 1e6 > most {
            return "its 99th percentile is up to \(p99 / 1e6) ms, allowed are \(most)"
        }
        return nil
    }
}
