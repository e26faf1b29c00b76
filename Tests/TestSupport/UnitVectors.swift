public import Kernels

/// Random directions, and directions clustered around centres, as trained item vectors are.
public enum UnitVectors {
    /// Uniform directions.
    public static func uniform(_ count: Int, dimension: Int, seed: UInt64 = 1) -> Matrix {
        CounterBasedGenerator(seed: seed, purpose: .simulation)
            .normalRows(streams: (0..<UInt64(count)).map { $0 }, columns: dimension)
            .normalisedRows().unit
    }

    /// Directions around `clusters` uniform centres, moved by noise of about `spread` of their length.
    public static func clustered(
        _ count: Int,
        dimension: Int,
        clusters: Int,
        spread: Float = 0.5,
        seed: UInt64 = 1
    ) -> Matrix {
        let centres = uniform(clusters, dimension: dimension, seed: seed)
        let generator = CounterBasedGenerator(seed: seed &+ 1, purpose: .simulation)
        var vectors = centres.gatheringRows(generator.integers(below: clusters, stream: .max, count: count))
        let noise = generator.normalRows(streams: (0..<UInt64(count)).map { $0 }, columns: dimension)
        vectors.add(noise, scale: spread / Float(dimension).squareRoot())
        return vectors.normalisedRows().unit
    }
}

/// Item numbers by falling inner product in Double, ties by the lower number: the simplest oracle of a search.
public func bruteForceNeighbours(
    of query: [Float],
    in vectors: Matrix,
    k: Int,
    excluding: Set<Int32> = []
) -> [(id: Int32, score: Double)] {
    let scored = (0..<vectors.rows).filter { !excluding.contains(Int32($0)) }.map { item in
        (Int32(item), zip(query, vectors.row(item)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) })
    }
    return Array(scored.sorted { $0.1 != $1.1 ? $0.1 > $1.1 : $0.0 < $1.0 }.prefix(k))
}
