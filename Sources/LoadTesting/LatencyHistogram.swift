import Histogram

/// A histogram of latencies up to a minute with three significant digits (HdrHistogram).
///
/// Longer latencies count as a minute.
public struct LatencyHistogram: Sendable {
    private static let longest: UInt64 = 60_000_000_000

    /// Values in nanoseconds; values below 64 may share a bucket.
    private var histogram: Histogram<UInt64>

    /// Creates an empty histogram.
    public init() {
        self.init(digits: .three)
    }

    private init(digits: SignificantDigits) {
        histogram = Histogram(
            lowestDiscernibleValue: 64,
            highestTrackableValue: Self.longest,
            numberOfSignificantValueDigits: digits
        )
    }

    /// A histogram with two significant digits in a tenth of the memory, for figures that are only displayed.
    static func coarse() -> LatencyHistogram { LatencyHistogram(digits: .two) }

    /// Adds one latency in nanoseconds.
    package mutating func record(nanoseconds: Int64) {
        histogram.record(min(UInt64(max(nanoseconds, 0)), Self.longest))
    }

    /// Adds all latencies of another histogram.
    package mutating func add(_ other: LatencyHistogram) {
        histogram.add(other.histogram)
    }

    /// The number of latencies.
    public var count: Int { Int(histogram.totalCount) }

    /// The largest latency, in microseconds; 0 if there is none.
    public var maximum: Double { count == 0 ? 0 : Double(histogram.maxRecorded) / 1000 }

    /// The arithmetic mean, in microseconds; 0 if there is no latency.
    public var mean: Double { count == 0 ? 0 : histogram.mean / 1000 }

    /// A quantile of the latencies, in microseconds; 0 if there is no latency.
    ///
    /// - Parameter fraction: 0 to 1, such as 0.999.
    /// - Complexity: O(buckets), some tens of thousands.
    public subscript(fraction: Double) -> Double {
        guard count > 0 else { return 0 }
        return min(Double(histogram.valueAtPercentile(fraction * 100)) / 1000, maximum)
    }

    /// The number of latencies of at least this many microseconds, within the histogram's precision.
    public func count(from microseconds: Double) -> Int {
        Int(histogram.count(within: UInt64(microseconds * 1000)...Self.longest))
    }
}
