public import Kernels

/// Inverted lists of 4-bit codes over k-means partitions, with exact re-scoring of the candidates.
///
/// A search goes through four stages:
/// 1. Every partition gets a bound on its items' scores: the query's inner product with the mean of the items, plus
///    `widths.bound` spreads. The bound is soft: items above it are rare, but possible.
/// 2. Partitions are visited by falling bound. A list is scanned by integer inner products with its items' codes: the
///    rotated residuals to the mean, 4 bits per element. The `k`-th best estimate so far is the threshold. Items whose
///    estimate plus the margin of the codes' error is below the threshold are dropped at once.
/// 3. The search ends when the next bound is below the threshold, or after `effort` partitions. So a query inside a
///    clear group visits few lists and a query between groups many: less work than a fixed number at the same recall.
/// 4. The remaining candidates, two or three per answer, are scored with the float vectors.
///
/// A filter or exclusions may leave out most of the items near the query, so that the answers are spread over many lists.
/// A search notices this and starts again with wider bounds and margins, which leave out next to none of the answers.
///
/// With fewer than `k` candidates a search goes on to further lists, so fewer than `k` items are returned only if fewer
/// are eligible. If a filter leaves few items, these are scored exactly, without any list.
///
/// Sources: inverted lists, Sivic and Zisserman, "Video Google", ICCV 2003; scans of 4-bit codes with exact re-scoring,
/// Guo et al., "Accelerating Large-Scale Inference with Anisotropic Vector Quantization" (ScaNN), ICML 2020. The soft
/// bounds are ours. The page IndexResults of the documentation compares this index with graphs and other indexes.
///
/// Complexity: O(partitions * dimension + scanned * dimension / 2 + candidates * dimension) for a search. Memory
/// besides the vectors: `codes.dimension / 2 + 8` bytes per item, a tenth to a fifth of the vectors.
public struct PartitionedIndex: VectorIndex {
    /// The item vectors, row `i` for item `i`.
    public let vectors: Matrix
    /// The default limit of visited partitions for a search of 50 items; tuned at build.
    public var defaultEffort: Int { widths.effort }

    /// The number of dimensions of the items' codes after the rotation.
    public var codedDimension: Int { codes.dimension }
    /// The distance of a partition's bound above its mean's score, in spreads; tuned at build.
    public var boundWidth: Float { widths.bound }
    /// The largest distance of a candidate's estimate below the threshold, in spreads; tuned at build.
    public var marginWidth: Float { widths.margin }

    /// The mean of each partition's items, `[partitions, dimension]`.
    let means: Matrix
    /// The standard deviation of each partition's item scores, for a query in the span of the residuals.
    let spreads: [Float]
    /// Orthogonal, `[dimension, padded dimension]`; its first `codes.dimension` columns are the coded coordinates.
    let rotation: DenseLayer
    /// The number of items in each partition, at least 1.
    let sizes: [Int32]
    /// The items' coded residuals, list after list, each in whole blocks.
    let codes: NibbleCodes
    /// The search widths, tuned at build.
    private(set) var widths: SearchWidths

    /// List `p` has blocks `firstBlocks[p] ..< firstBlocks[p + 1]`.
    let firstBlocks: [Int]
    /// The rotated means.
    let codedMeans: ByteCodes

    /// The number of items in the index.
    public var count: Int { vectors.rows }
    /// The length of every vector and query.
    public var dimension: Int { vectors.columns }
    /// The number of partitions; a search with this effort or more is exact.
    public var partitions: Int { means.rows }

    /// The number of answers for which the default effort is tuned.
    static let tunedK = 50

    /// The saved form without the vectors; ``IndexFormat`` reads it.
    public func serialised() -> [UInt8] {
        var writer = IndexFormat.header(kind: .partitioned, count: count, dimension: dimension)
        IndexFormat.append(self, to: &writer)
        return writer.bytes
    }

    /// Checks the parts, and encodes the rotated means.
    ///
    /// - Throws: ``IndexError/damaged(_:)`` unless every item is in exactly one list and every number is in its range.
    init(
        vectors: Matrix,
        means: Matrix,
        spreads: [Float],
        rotation: Matrix,
        sizes: [Int32],
        codes: NibbleCodes,
        widths: SearchWidths
    ) throws(IndexError) {
        let padded = (vectors.columns + 7) / 8 * 8
        guard means.columns == vectors.columns, rotation.shape == [vectors.columns, padded],
            codes.dimension <= padded, spreads.count == means.rows, sizes.count == means.rows
        else {
            throw .damaged("parts of \(means.shape) and \(rotation.shape) do not fit vectors of \(vectors.shape)")
        }
        // Elements of unit vectors are at most 1 in magnitude; differences of unit vectors are at most 2 long.
        guard means.elements.allSatisfy({ $0.magnitude < 1.01 }), rotation.elements.allSatisfy({ $0.magnitude < 1.01 }),
            spreads.allSatisfy({ 0..<2.01 ~= $0 })
        else { throw .damaged("a mean, a spread or the rotation is out of range") }
        guard widths.isUsable(partitions: means.rows) else { throw .damaged("search widths \(widths)") }
        firstBlocks = try Self.firstBlocks(sizes, items: codes.items, count: vectors.rows)
        self.vectors = vectors
        self.means = means
        self.spreads = spreads
        self.rotation = DenseLayer(weights: rotation)
        self.sizes = sizes
        self.codes = codes
        self.widths = widths
        codedMeans = ByteCodes(Matrix.product(means, rotation), spreads: spreads)
    }

    /// This index with other widths.
    func with(_ widths: SearchWidths) -> PartitionedIndex {
        var index = self
        index.widths = widths
        return index
    }

    private static func firstBlocks(_ sizes: [Int32], items: [Int32], count: Int) throws(IndexError) -> [Int] {
        var firstBlocks = [0]
        firstBlocks.reserveCapacity(sizes.count + 1)
        var seen = ItemSet(bound: count)
        for (list, size) in sizes.enumerated() {
            guard size > 0 else { throw .damaged("list \(list) has \(size) items") }
            let start = firstBlocks[list] * NibbleCodes.block
            let end = firstBlocks[list] + (Int(size) + NibbleCodes.block - 1) / NibbleCodes.block
            guard end * NibbleCodes.block <= items.count else { throw .damaged("list \(list) ends beyond the codes") }
            for position in start..<start + Int(size) {
                let item = items[position]
                guard item >= 0, item < count else { throw .damaged("item \(item) of \(count) is in a list") }
                guard !seen.contains(item) else { throw .damaged("item \(item) is in two lists") }
                seen.insert(item)
            }
            for position in start + Int(size)..<end * NibbleCodes.block where items[position] != -1 {
                throw .damaged("list \(list) goes on after its end")
            }
            firstBlocks.append(end)
        }
        guard seen.count == count, firstBlocks[sizes.count] * NibbleCodes.block == items.count else {
            throw .damaged("lists hold \(seen.count) of \(count) items in \(items.count) places")
        }
        return firstBlocks
    }

    /// Throws unless every partition's mean is the mean of its items.
    package func checkInvariants() throws(IndexError) {
        for list in 0..<partitions {
            let start = firstBlocks[list] * NibbleCodes.block
            let members = vectors.gatheringRows(Array(codes.items[start..<start + Int(sizes[list])]))
            var mean = members.summedRows()
            mean.scale(by: 1 / Float(members.rows))
            for (ours, stored) in zip(mean.elements, means.row(list)) where abs(ours - stored) > 1e-4 {
                throw .damaged("the mean of list \(list) is \(ours) where \(stored) is stored")
            }
        }
    }
}

/// The search parameters that are tuned when an index is built.
struct SearchWidths: Equatable {
    /// The distance of a partition's bound above its mean's score, in spreads.
    var bound: Float
    /// The largest error of an estimate below the true score at which its item is still kept, in spreads.
    var margin: Float
    /// The largest number of visited partitions for 50 answers.
    var effort: Int

    /// Whether all values are in range.
    func isUsable(partitions: Int) -> Bool {
        (0...100).contains(bound) && (0...100).contains(margin) && (1...max(1, partitions)).contains(effort)
    }
}
