/// Where the values of a sample lie, by nearest rank: the smallest value that a share of the sample does not exceed.
public struct Quantiles: Sendable, Equatable, Encodable {
    /// The smallest value.
    public let least: Double
    /// A quarter of the values are at most this.
    public let lowerQuartile: Double
    /// Half of the values are at most this.
    public let median: Double
    /// Three quarters of the values are at most this.
    public let upperQuartile: Double
    /// Nine in ten values are at most this.
    public let ninthDecile: Double
    /// The largest value.
    public let most: Double

    /// The quantiles of a sample; nil when it is empty.
    ///
    /// - Complexity: O(n log n).
    public init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        func value(percent: Int) -> Double { sorted[max(0, (sorted.count * percent + 99) / 100 - 1)] }
        least = sorted[0]
        lowerQuartile = value(percent: 25)
        median = value(percent: 50)
        upperQuartile = value(percent: 75)
        ninthDecile = value(percent: 90)
        most = sorted[sorted.count - 1]
    }
}

/// How many values of a sample are in a range.
public struct HistogramBin: Sendable, Equatable, Encodable {
    /// The range for people, such as `5-8` or `up to 1 h`.
    public let range: String
    /// How many values are in it.
    public let count: Int
}

extension Double {
    /// A count as a share of a whole; 0 of nothing.
    init(share count: Int, of whole: Int) { self = whole == 0 ? 0 : Double(count) / Double(whole) }
}
