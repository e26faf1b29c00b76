import CheckpointStore
import Synchronization

/// Judges the versions of a split by their alias' guard.
///
/// It judges requests in windows of the guard's `minRequests`, so it detects a fault after a sound day as fast as in
/// a new version. Errors and times are those of the version's own work, under all names that requests use.
final class CanaryWatch: Sendable {
    private struct Window: Hashable {
        let alias: String
        let revision: Int
        let version: Int
    }

    /// A version's counts when its window began.
    private let starts = Mutex<[Window: VersionStatistics.Counts]>([:])

    /// A watch that has judged nothing yet.
    init() {}

    /// Forgets aliases that are gone, because a new alias of the same name may have the same revision.
    func forget(allBut names: Set<String>) {
        starts.withLock { starts in starts = starts.filter { names.contains($0.key.alias) } }
    }

    /// Why a version of an alias after the first breaks the guard, or nil.
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
                    // The version was loaded again, so it counts from 0.
                    starts[window] = counts
                    continue
                }
                guard since.answered + since.failed >= UInt64(bounds.minRequests) else { continue }
                starts[window] = counts
                if let breach = bounds.breach(by: since) { return "version \(share.version): \(breach)" }
            }
            return nil
        }
    }
}

extension Alias.Guard {
    /// Why the counts of a window break a bound, or nil if none surely does.
    package func breach(by counts: VersionStatistics.Counts) -> String? {
        let rate = Double(counts.failed) / Double(max(1, counts.answered + counts.failed))
        if let most = maxErrorRate, rate > most { return "its error rate is \(rate); the guard allows \(most)" }
        // Only a p99 whose whole step reaches the bound ends the split: a sound version must not lose its part.
        if let most = maxP99Ms, let p99 = counts.p99, p99.lowerBound / 1e6 >= most {
            return "its 99th percentile is above \(p99.lowerBound / 1e6) ms; the guard allows \(most) ms"
        }
        return nil
    }
}
