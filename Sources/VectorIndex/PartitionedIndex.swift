import Kernels

/// Scores only the items of the partitions nearest to the query: inverted lists over spherical k-means partitions.
///
/// Each partition's vectors lie together, so that a list is read as one stream. A search ranks the centroids, then scans
/// the best `effort` lists; with `effort` equal to `partitions` it is exact. When these lists hold too few items that are
/// not excluded, it goes on to further lists: fewer than `k` items come back only when fewer exist. Source: the inverted
/// file of Sivic and Zisserman, "Video Google", ICCV 2003.
///
/// Complexity: O((partitions + effort * items / partitions) * dimension) for a search.
public struct PartitionedIndex: VectorIndex {
    /// How many partitions there are; the largest useful `effort`.
    public var partitions: Int { centroids.rows }
    /// Partitions that a search visits unless told otherwise; measured at build for a recall@50 of 0.99.
    public let defaultEffort: Int

    /// Unit rows, one a partition.
    let centroids: Matrix
    /// List `p` occupies positions `offsets[p] ..< offsets[p + 1]`.
    let offsets: [Int]
    /// Item numbers by position.
    let ids: [Int32]
    /// Positions by item number: the inverse of `ids`.
    let positions: [Int32]
    /// Item vectors by position.
    let vectors: Matrix

    /// How many items can be found.
    public var count: Int { ids.count }

    /// The length of every vector and query.
    public var dimension: Int { vectors.columns }

    /// Finds the best `k` eligible items among those of the `effort` nearest partitions.
    public func search(
        _ query: Span<Float>,
        k: Int,
        effort: Int?,
        among eligible: borrowing Eligibility,
        in workspace: SearchWorkspace
    ) {
        precondition(query.count == dimension, "a query of \(query.count) elements against \(dimension)")
        var best = TopK(k: min(k, count))
        let (allowed, removed) = (eligible.allowed, eligible.removed)
        workspace.withExclusions(eligible.excluded, items: count) {
            if best.k == 0 { return }
            var scores: [Float] = []
            var centroidScores: [Float] = []
            centroids.scores(of: query, into: &centroidScores)
            let effort = max(1, min(effort ?? defaultEffort, partitions))
            for (visited, list) in ranked(centroidScores, count: partitions).enumerated() {
                if visited >= effort, best.threshold > -.infinity { return }
                let range = offsets[Int(list.id)]..<offsets[Int(list.id) + 1]
                if scores.count < range.count { scores = [Float](repeating: 0, count: range.count) }
                vectors.scores(of: query, inRows: range, into: &scores)
                best.offer(scores, count: range.count) { position in
                    let item = ids[range.lowerBound + position]
                    let isLeftOut = workspace.excluded.contains(item) || removed?.contains(item) == true
                    return isLeftOut || allowed?.contains(item) == false ? nil : item
                }
            }
        }
        best.drainSorted(into: &workspace.results)
    }

    /// The built structure without the vectors, for storing beside them; ``IndexFormat`` reads it.
    public func serialised() -> [UInt8] {
        var writer = IndexFormat.header(kind: .partitioned, count: count, dimension: dimension)
        writer.append(UInt64(partitions))
        writer.append(UInt64(defaultEffort))
        writer.append(zip(offsets, offsets.dropFirst()).map { Int32($1 - $0) })
        writer.append(ids)
        writer.append(centroids)
        return writer.bytes
    }

    private func ranked(_ centroidScores: [Float], count: Int) -> [Scored] {
        var best = TopK(k: count)
        best.offer(centroidScores, count: centroidScores.count) { Int32($0) }
        return best.sorted()
    }

    /// Lays out lists whose parts were checked to fit together.
    private init(centroids: Matrix, offsets: [Int], ids: [Int32], positions: [Int32], vectors: Matrix, effort: Int) {
        self.centroids = centroids
        self.offsets = offsets
        self.ids = ids
        self.positions = positions
        self.vectors = vectors.gatheringRows(ids)
        defaultEffort = effort
    }

    /// Lists of `sizes` items over unit vectors given by item number.
    ///
    /// - Throws: ``IndexError/damaged(_:)`` unless every item is in exactly one list and every number is in its range.
    init(centroids: Matrix, sizes: [Int32], ids: [Int32], vectors: Matrix, effort: Int) throws(IndexError) {
        guard sizes.count == centroids.rows, centroids.columns == vectors.columns else {
            throw .damaged("\(sizes.count) lists for centroids of shape \(centroids.shape)")
        }
        var offsets = [0]
        offsets.reserveCapacity(sizes.count + 1)
        for (list, size) in sizes.enumerated() {
            guard size > 0 else { throw .damaged("list \(list) has \(size) items") }
            offsets.append(offsets[list] + Int(size))
        }
        guard ids.count == vectors.rows, offsets[sizes.count] == ids.count else {
            throw .damaged("lists of \(offsets[sizes.count]) items hold \(ids.count) for \(vectors.rows) vectors")
        }
        var positions = [Int32](repeating: -1, count: ids.count)
        for (position, id) in ids.enumerated() {
            guard id >= 0, id < ids.count else { throw .damaged("item \(id) of \(ids.count) is in a list") }
            guard positions[Int(id)] < 0 else { throw .damaged("item \(id) is in two lists") }
            positions[Int(id)] = Int32(position)
        }
        guard effort >= 1, effort <= max(1, sizes.count) else {
            throw .damaged("effort \(effort) with \(sizes.count) partitions")
        }
        do {
            try requireUnitRows(centroids)
        } catch {
            throw .damaged("a centroid is not a unit vector (row by item number: \(error))")
        }
        self.init(
            centroids: centroids,
            offsets: offsets,
            ids: ids,
            positions: positions,
            vectors: vectors,
            effort: effort
        )
    }

    /// Throws unless the index is whole: every item in one list, the inverse right, each item with its best centroid.
    package func checkInvariants() throws(IndexError) {
        for item in positions.indices where Int(ids[Int(positions[item])]) != item {
            throw .damaged("item \(item) is not where its position says")
        }
        guard Set(ids).count == count, offsets.first == 0, offsets.last == count, positions.count == count else {
            throw .damaged("the lists do not hold every item once")
        }
        for list in 0..<partitions {
            guard offsets[list] < offsets[list + 1] else { throw .damaged("list \(list) is empty") }
            let members = vectors.rows(offsets[list]..<offsets[list + 1])
            for (member, best) in zip(0..., SphericalKMeans.assign(members, to: centroids)) {
                let score = dot(members.row(member).span, centroids.row(list).span)
                guard score >= best.score - 1e-5 else {
                    throw .damaged("item \(ids[offsets[list] + member]) is nearer to partition \(best.id) than \(list)")
                }
            }
        }
    }
}
