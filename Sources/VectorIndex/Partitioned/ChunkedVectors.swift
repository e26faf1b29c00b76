import Kernels

/// Vectors of numbered items in chunks, without an order; copies share all unchanged chunks.
///
/// Positions have no gaps: position `p` is row `p % chunkRows` of chunk `p / chunkRows`, and a removal moves the last
/// row into the gap. Complexity: a change of a shared value copies the list of chunks, the table of positions and at
/// most two chunks; a change of an unshared value copies nothing.
struct ChunkedVectors: Sendable {
    /// Rows per chunk: 64 KB with 64 dimensions, so a copy takes microseconds and a scan has few chunks.
    static let chunkRows = 256

    struct Chunk: Sendable {
        /// The item of each row in use.
        var items: [Int32] = []
        /// `chunkRows` rows; rows from `items.count` on are unused.
        var vectors: Matrix
    }

    /// The chunks; only the last may be partly filled.
    private(set) var chunks: [Chunk] = []
    /// The position of each item's vector.
    private var positions: [Int32: Int32] = [:]
    /// The number of vectors.
    var count: Int { positions.count }
    let dimension: Int

    /// No vectors.
    init(dimension: Int) {
        self.dimension = dimension
    }

    /// The position of an item's vector.
    func position(of item: Int32) -> Int? { positions[item].map { Int($0) } }

    /// Adds the vector of an item that has none yet.
    mutating func append(_ vector: [Float], of item: Int32) {
        let position = count
        if position == chunks.count * Self.chunkRows {
            chunks.append(Chunk(vectors: Matrix(rows: Self.chunkRows, columns: dimension)))
        }
        chunks[chunks.count - 1].items.append(item)
        write(vector, of: item, at: position)
    }

    /// Overwrites the item and vector at a position.
    mutating func write(_ vector: [Float], of item: Int32, at position: Int) {
        let (chunk, row) = (position / Self.chunkRows, position % Self.chunkRows)
        chunks[chunk].items[row] = item
        chunks[chunk].vectors.setRow(row, to: vector)
        positions[item] = Int32(position)
    }

    /// Removes the item and vector at a position.
    mutating func remove(at position: Int) {
        let last = chunks.count - 1
        let row = chunks[last].items.count - 1
        let isLast = position == count - 1
        positions[chunks[position / Self.chunkRows].items[position % Self.chunkRows]] = nil
        if !isLast {
            write(chunks[last].vectors.row(row), of: chunks[last].items[row], at: position)
        }
        if row == 0 { chunks.removeLast() } else { chunks[last].items.removeLast() }
    }
}

extension SearchWorkspace {
    /// Fetching rows singly is as fast as scoring a whole chunk when one row in this many is wanted.
    private static let gatherBelow = 4

    /// Adds the eligible items of `delta` to `results`, and leaves the best `k` of both.
    ///
    /// Every row is scored unless a filter leaves few. The k-th best of the base's results refuses nearly all rows,
    /// 64 at a time. All item numbers are below `bound`.
    func merge(
        _ delta: borrowing ChunkedVectors,
        _ query: Span<Float>,
        k: Int,
        among eligible: borrowing Eligibility,
        bound: Int
    ) {
        best.reset(k: k)
        for found in results { best.offer(found) }
        if scores.count < ChunkedVectors.chunkRows {
            scores = [Float](repeating: 0, count: ChunkedVectors.chunkRows)
        }
        let allowed = eligible.allowed
        withExclusions(eligible.excluded, items: bound) {
            if let allowed, allowed.count * Self.gatherBelow < bound {
                for chunk in delta.chunks { scanSingly(chunk, query, allowed) }
            } else {
                for chunk in delta.chunks { scanWhole(chunk, query, allowed) }
            }
        }
        best.drainSorted(into: &results)
    }

    private func scanWhole(_ chunk: borrowing ChunkedVectors.Chunk, _ query: Span<Float>, _ allowed: ItemSet?) {
        let items = chunk.items
        chunk.vectors.scores(of: query, inRows: 0..<items.count, into: &scores)
        best.offer(scores, count: items.count) { row in
            let item = items[row]
            return excluded.contains(item) || allowed?.contains(item) == false ? nil : item
        }
    }

    private func scanSingly(_ chunk: borrowing ChunkedVectors.Chunk, _ query: Span<Float>, _ allowed: ItemSet) {
        let items = chunk.items
        rows.removeAll(keepingCapacity: true)
        for (row, item) in items.enumerated() where allowed.contains(item) && !excluded.contains(item) {
            rows.append(Int32(row))
        }
        if rows.isEmpty { return }
        chunk.vectors.scores(of: query, atRows: rows, into: &scores)
        best.offer(scores, count: rows.count) { items[Int(rows[$0])] }
    }
}
