public import Kernels

extension PartitionedIndex {
    private static let recallTarget = 0.995
    private static let recallQueries = 256
    private static let recallAt = 50

    /// Partitions unit vectors; the same vectors and configuration give the same index, on any number of threads.
    ///
    /// - Parameters:
    ///   - vectors: A unit vector an item, row `i` that of item `i`.
    ///   - configuration: How many partitions, and the seed; its kind is ignored.
    /// - Throws: ``IndexError`` naming the first item whose vector is not finite, is zero, or is not of length one.
    /// - Complexity: O(items * partitions * dimension), on all cores.
    public init(vectors: Matrix, configuration: IndexConfiguration = IndexConfiguration()) throws(IndexError) {
        try configuration.validate()
        try requireUnitRows(vectors)
        let wanted = min(vectors.rows, configuration.partitions ?? Self.partitions(forItems: vectors.rows))
        let seeds = SphericalKMeans.centroids(of: vectors, partitions: wanted, seed: configuration.seed)
        let nearest = SphericalKMeans.assign(vectors, to: seeds).map(\.id)
        let (kept, sizes, ids) = Self.lists(nearest, partitions: seeds.rows)
        let centroids = seeds.gatheringRows(kept)
        try self.init(
            centroids: centroids,
            sizes: sizes,
            ids: ids,
            vectors: vectors,
            effort: Self.effort(vectors, centroids: centroids, sizes: sizes, ids: ids, seed: configuration.seed)
        )
    }

    /// Partitions for a catalogue when none are asked for.
    ///
    /// Measured with 64 dimensions on clustered vectors: of 1, 2, 4 and 6 times the square root, 4 searches fastest from
    /// 50,000 items on and is level below; the bound keeps the build of 10 million items within minutes.
    static func partitions(forItems items: Int) -> Int { max(1, min(8192, Int(4 * Double(items).squareRoot()))) }

    /// Sorts items into lists by counting; partitions that got no item are left out.
    private static func lists(_ nearest: [Int32], partitions: Int) -> (kept: [Int32], sizes: [Int32], ids: [Int32]) {
        var sizes = [Int32](repeating: 0, count: partitions)
        for partition in nearest { sizes[Int(partition)] += 1 }
        var next: [Int] = []
        next.reserveCapacity(partitions)
        var start = 0
        for size in sizes {
            next.append(start)
            start += Int(size)
        }
        var ids = [Int32](repeating: 0, count: nearest.count)
        for (item, partition) in nearest.enumerated() {
            ids[next[Int(partition)]] = Int32(item)
            next[Int(partition)] += 1
        }
        return ((0..<Int32(partitions)).filter { sizes[Int($0)] > 0 }, sizes.filter { $0 > 0 }, ids)
    }

    /// The fewest partitions that hold `recallTarget` of the exact answers to queries like items.
    ///
    /// A query is an item moved by noise of 0.3 of its length. For every item of its exact top 50, the rank of that
    /// item's partition says from which effort on a search finds it; no search has to run.
    private static func effort(
        _ vectors: Matrix,
        centroids: Matrix,
        sizes: [Int32],
        ids: [Int32],
        seed: UInt64
    ) -> Int {
        guard vectors.rows > 0 else { return 1 }
        var partitionOf = [Int32](repeating: 0, count: ids.count)
        var position = 0
        for (partition, size) in sizes.enumerated() {
            for id in ids[position..<position + Int(size)] { partitionOf[Int(id)] = Int32(partition) }
            position += Int(size)
        }
        let queries = itemLikeQueries(vectors, seed: seed)
        let centroidScores = Matrix.product(queries, transposed: false, centroids, transposed: true)
        var foundFrom = [Int](repeating: 0, count: centroids.rows)
        for (row, truth) in exactNeighbours(of: queries, in: vectors).enumerated() {
            for item in truth {
                foundFrom[centroidScores.rank(ofColumn: Int(partitionOf[Int(item.id)]), inRow: row)] += 1
            }
        }
        let needed = Int((Double(foundFrom.reduce(0, +)) * recallTarget).rounded(.up))
        var found = 0
        for (rank, items) in foundFrom.enumerated() {
            found += items
            if found >= needed { return rank + 1 }
        }
        return centroids.rows
    }

    private static func itemLikeQueries(_ vectors: Matrix, seed: UInt64) -> Matrix {
        let generator = CounterBasedGenerator(seed: seed, purpose: .clustering)
        let sample = min(recallQueries, vectors.rows)
        var queries = vectors.gatheringRows(
            SphericalKMeans.spreadSample(sample, of: vectors.rows, generator, stream: 2)
        )
        let streams = (0..<UInt64(sample)).map { 3 + $0 }
        let noise = generator.normalRows(streams: streams, columns: vectors.columns)
        queries.add(noise, scale: 0.3 / Float(vectors.columns).squareRoot())
        return queries.normalisedRows().unit
    }

    private static func exactNeighbours(of queries: Matrix, in vectors: Matrix) -> [[Scored]] {
        var best = [TopK](repeating: TopK(k: min(recallAt, vectors.rows)), count: queries.rows)
        let block = 4096
        for start in stride(from: 0, to: vectors.rows, by: block) {
            let rows = vectors.rows(start..<min(start + block, vectors.rows))
            let scores = Matrix.product(queries, transposed: false, rows, transposed: true)
            for query in 0..<queries.rows {
                best[query].offer(scores.row(query), count: rows.rows) { Int32(start + $0) }
            }
        }
        return best.map { $0.sorted() }
    }
}
