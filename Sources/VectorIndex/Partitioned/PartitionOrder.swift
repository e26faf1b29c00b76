import Kernels

/// Names partitions by falling bound, sorting only as many as are asked for.
///
/// A search needs a few of thousands. Bounds are taken from the top in bands that widen while they hold few partitions
/// and shrink when they hold too many; each band is sorted when it is reached.
struct PartitionOrder {
    /// As many are sorted at once, at most.
    private static let batchLimit = 256
    /// The height of the first band.
    private static let firstBand: Float = 0.1
    /// Bounds that are closer than this are not told apart.
    private static let finestBand: Float = 1e-6

    private var batch = ScoreList()
    private var position = 0
    private var named = 0
    private var largest: Float = 0
    /// All with this bound or a higher one were named.
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

    /// The partition that ``next(_:count:)`` names next, if that is known yet.
    var upcoming: Int? { position < batch.count ? Int(batch[position].id) : nil }
}
