import Synchronization

/// Request outcomes of one version, counted by all threads.
///
/// Time covers the version's own work (guidance, diffusion, search), without reading, writing or waiting. So two
/// versions can be compared under any load of the server.
public final class VersionStatistics: Sendable {
    /// The buckets' upper bounds, in nanoseconds: 46 bounds from 1 us to 84 s, each 1.5 times the one before.
    ///
    /// They reach beyond a minute, the longest time that a guard bounds.
    public static let bounds: [UInt64] = (0..<46).map { step in
        (0..<step).reduce(UInt64(1000)) { bound, _ in bound + bound / 2 }
    }

    private let failed = Atomic<UInt64>(0)
    private let nanoseconds = Atomic<UInt64>(0)
    private let buckets = InlineArray<47, Atomic<UInt64>> { _ in Atomic(0) }

    /// Nothing counted yet.
    public init() {}

    /// Counts an answer.
    public func answered(in times: StageTimes) {
        let duration = times.work
        var bucket = 0
        while bucket < Self.bounds.count, duration > Self.bounds[bucket] { bucket += 1 }
        buckets[bucket].add(1, ordering: .relaxed)
        nanoseconds.add(duration, ordering: .relaxed)
    }

    /// Counts a request that failed because of the version.
    public func countFailure() {
        failed.add(1, ordering: .relaxed)
    }

    /// The counts as they are now.
    public var counts: Counts {
        var counts = Counts()
        counts.failed = failed.load(ordering: .relaxed)
        counts.nanoseconds = nanoseconds.load(ordering: .relaxed)
        for bucket in counts.buckets.indices { counts.buckets[bucket] = buckets[bucket].load(ordering: .relaxed) }
        return counts
    }

    /// Counts of one moment.
    public struct Counts: Sendable, Equatable {
        /// Requests that failed because of the version.
        public var failed: UInt64 = 0
        /// The time of all answers, in nanoseconds.
        public var nanoseconds: UInt64 = 0
        /// Answers by duration; the last bucket counts durations above every bound.
        public var buckets = [UInt64](repeating: 0, count: VersionStatistics.bounds.count + 1)

        /// Nothing counted.
        public init() {}

        /// How many requests were answered.
        public var answered: UInt64 { buckets.reduce(0, +) }

        /// The counts since an earlier moment, or nil if the version was loaded again since and counts from 0.
        public func since(_ earlier: Counts) -> Counts? {
            guard failed >= earlier.failed, nanoseconds >= earlier.nanoseconds,
                zip(buckets, earlier.buckets).allSatisfy({ $0 >= $1 })
            else { return nil }
            var difference = self
            difference.failed -= earlier.failed
            difference.nanoseconds -= earlier.nanoseconds
            for bucket in buckets.indices { difference.buckets[bucket] -= earlier.buckets[bucket] }
            return difference
        }

        /// The range that has the 99th percentile of the work, in nanoseconds; nil without answers.
        ///
        /// Its ends are a factor of 1.5 apart. The lowest range begins at 1 ns, the highest has no end.
        public var p99: ClosedRange<Double>? {
            let total = answered
            guard total > 0 else { return nil }
            var left = total - total / 100
            var start = 1.0
            for (count, bound) in zip(buckets, VersionStatistics.bounds) {
                guard count < left else { return start...Double(bound) }
                left -= count
                start = Double(bound)
            }
            return start...Double.infinity
        }
    }
}
