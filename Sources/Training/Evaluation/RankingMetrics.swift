#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How high rankings placed the one target of each row.
///
/// Stores only counts by rank, so merging parts in any order gives bit-identical metrics.
public struct RankingMetrics: Codable, Sendable, Equatable {
    /// The cut-offs of hit rate and NDCG.
    public static let cutoffs = [10, 20, 50]

    /// How many items of a ranking count; a target behind them is a miss.
    static let depth = 50

    /// How many rows were added.
    public private(set) var rows = 0
    /// How many rows had their target at each rank, 0 the top.
    private var hits = [Int](repeating: 0, count: depth)

    /// No rows yet.
    public init() {}

    /// Adds one row.
    ///
    /// - Parameter rank: How many items rank before the target, 0 for the top; nil when the target was not ranked.
    public mutating func add(rank: Int?) {
        rows += 1
        guard let rank else { return }
        precondition(rank >= 0, "rank \(rank) is negative")
        if rank < hits.count { hits[rank] += 1 }
    }

    /// Adds the rows of another part.
    public mutating func merge(_ other: RankingMetrics) {
        rows += other.rows
        for rank in hits.indices { hits[rank] += other.hits[rank] }
    }

    /// Share of rows with the target among the first `cutoff`, at most 50.
    public func hitRate(at cutoff: Int) -> Double { mean(upTo: cutoff) { _ in 1 } }

    /// Normalised discounted cumulative gain for a single target: the mean of `1 / log2(r + 1)`, `r` counted from 1.
    public func ndcg(at cutoff: Int) -> Double { mean(upTo: cutoff) { 1 / log2(Double($0 + 2)) } }

    /// The mean of `1 / r`, with ranks `r` counted from 1 and 0 for those beyond `cutoff`.
    public func meanReciprocalRank(at cutoff: Int) -> Double { mean(upTo: cutoff) { 1 / Double($0 + 1) } }

    /// All metrics as fractions, named as in reports and manifests: `hr@10`, `ndcg@50`, `mrr@20`, `recall@20` ...
    ///
    /// With one target a row, recall is the hit rate.
    public var values: [String: Double] {
        var values = ["mrr@20": meanReciprocalRank(at: 20), "recall@20": hitRate(at: 20)]
        for cutoff in Self.cutoffs {
            values["hr@\(cutoff)"] = hitRate(at: cutoff)
            values["ndcg@\(cutoff)"] = ndcg(at: cutoff)
        }
        return values
    }

    private func mean(upTo cutoff: Int, gain: (Int) -> Double) -> Double {
        precondition(cutoff >= 0 && cutoff <= hits.count, "ranks are kept up to \(hits.count), not \(cutoff)")
        guard rows > 0 else { return 0 }
        return (0..<cutoff).reduce(0.0) { $0 + Double(hits[$1]) * gain($1) } / Double(rows)
    }
}

extension RankingMetrics {
    /// Half the 95 percent interval of a hit rate on some rows, taken as independent (Agresti and Coull, 1998).
    static func margin(_ hitRate: Double, rows: Int) -> Double {
        let count = Double(rows) + 4
        let centre = (hitRate * Double(rows) + 2) / count
        return 1.96 * (centre * (1 - centre) / count).squareRoot()
    }
}
