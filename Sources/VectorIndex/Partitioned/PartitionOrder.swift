import Kernels

/// Enumerates partitions by falling bound, and sorts only as many as a search visits.
///
/// A search visits a few of thousands of partitions. The bounds are divided into bands from the top. A band is sorted
/// when the search reaches it. Bands get wider while they hold few partitions, and narrower when they hold too many.
struct PartitionOrder {
    /// The largest number of partitions that are sorted at once.
    private static let batchLimit = 256
    /// The height of the first band.
    private static let firstBand: Float = 0.1
    /// A band of this height or less is sorted whatever its number of partitions.
    private static let finestBand: Float = 1e-6

    private var batch = ScoreList()
    private var position = 0
    private var named = 0
    private var largest: Float = 0
    /// All partitions with this bound or a higher one are in this batch or in earlier ones.
    private var upper = Float.infinity
    /// The height of the next band.
    private var band: Float = 0

    /// Starts over, below the largest bound.
    mutating func start(largest: Float) {
        self.largest = largest
        batch.removeAll()
        position = 0
        named = 0
        band = Self.firstBand
        upper = .infinity
    }

    /// The partition with the next lower bound among the first `count`, or nil after the last.
    mutating func next(_ bounds: [Float], count: Int) -> Int? {
        while position == batch.count {
            guard named < count else { return nil }
            position = 0
            let lower = min(upper, largest) - band
            let limit = band > Self.finestBand ? Self.batchLimit : Int.max
            if batch.select(bounds, count: count, in: lower..<upper, limit: limit) {
                named += batch.count
                upper = lower
                band *= 2
            } else {
                band /= 4
            }
        }
        defer { position += 1 }
        return Int(batch[position].id)
    }

    /// The partition that ``next(_:count:)`` returns next, or nil if it is not known yet.
    var upcoming: Int? { position < batch.count ? Int(batch[position].id) : nil }
}
