import Dispatch
import Kernels
import Synchronization

/// Clusters unit vectors by direction: each belongs to the centroid with the largest inner product.
///
/// Lloyd's iterations; each scales the centroids back to length one (Dhillon and Modha, "Concept decompositions for
/// large sparse text data using clustering", 2001). Deterministic for a seed, on any number of threads.
enum SphericalKMeans {
    private static let iterations = 10
    private static let samplePerPartition = 48
    /// Scores per block of assignments: 4 MB.
    private static let blockScores = 1 << 20

    /// Unit centroids of at most `partitions` partitions, found on a sample of the vectors.
    ///
    /// - Complexity: O(iterations * sample * partitions * dimension), with a sample of 48 vectors per partition.
    static func centroids(of vectors: Matrix, partitions: Int, seed: UInt64) -> Matrix {
        let generator = CounterBasedGenerator(seed: seed, purpose: .clustering)
        let size = min(vectors.rows, partitions * samplePerPartition)
        let sample = vectors.gatheringRows(spreadSample(size, of: vectors.rows, generator, stream: 0))
        var centroids = sample.gatheringRows(spreadSample(min(partitions, size), of: size, generator, stream: 1))
        for _ in 0..<iterations {
            let nearest = assign(sample, to: centroids)
            centroids = update(centroids, sample: sample, nearest: nearest)
        }
        return centroids
    }

    /// The best centroid of each vector and their inner product; ties go to the lower centroid.
    ///
    /// - Complexity: O(vectors * centroids * dimension), on all cores.
    static func assign(_ vectors: Matrix, to centroids: Matrix) -> [Scored] {
        let rows = max(16, blockScores / max(1, centroids.rows))
        let blocks = (vectors.rows + rows - 1) / rows
        let results = Mutex([[Scored]](repeating: [], count: blocks))
        DispatchQueue.concurrentPerform(iterations: blocks) { block in
            let range = block * rows..<min((block + 1) * rows, vectors.rows)
            let scores = Matrix.product(vectors.rows(range), transposed: false, centroids, transposed: true)
            let best = largest(inRowsOf: scores)
            results.withLock { $0[block] = best }
        }
        return results.withLock { Array($0.joined()) }
    }

    /// `count` numbers below `total`, one from each of `count` equal ranges, ascending.
    static func spreadSample(_ count: Int, of total: Int, _ source: CounterBasedGenerator, stream: UInt64) -> [Int32] {
        guard count < total else { return (0..<Int32(total)).map { $0 } }
        return source.uniforms(stream: stream, count: count).enumerated().map { index, position in
            let (low, high) = (index * total / count, (index + 1) * total / count)
            return Int32(min(high - 1, low + Int(position * Double(high - low))))
        }
    }

    private static func largest(inRowsOf scores: Matrix) -> [Scored] {
        let (elements, columns) = (scores.elements, scores.columns)
        return (0..<scores.rows).map { row in
            let start = row * columns
            var best = Scored(id: 0, score: elements[start])
            for column in 1..<max(1, columns) where elements[start + column] > best.score {
                best = Scored(id: Int32(column), score: elements[start + column])
            }
            return best
        }
    }

    /// The means of the members, scaled to length one.
    ///
    /// A partition whose mean has no direction restarts at one of the vectors that are farthest from their centroids.
    private static func update(_ centroids: Matrix, sample: Matrix, nearest: [Scored]) -> Matrix {
        var sums = Matrix(rows: centroids.rows, columns: centroids.columns)
        sums.scatterAddRows(sample, at: nearest.map(\.id))
        var (updated, norms) = sums.normalisedRows()
        let lost = norms.indices.filter { norms[$0] < 1e-3 }
        guard !lost.isEmpty else { return updated }
        var farthest = TopK(k: lost.count)
        for (row, entry) in nearest.enumerated() { farthest.offer(Scored(id: Int32(row), score: -entry.score)) }
        for (partition, entry) in zip(lost, farthest.sorted()) {
            updated.setRow(partition, to: sample.row(Int(entry.id)))
        }
        return updated
    }
}
