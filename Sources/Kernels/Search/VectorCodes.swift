import CKernels

/// A query as 8-bit integers, for inner products with codes.
public struct QuantisedQuery: Sendable {
    /// Elements divided by `step` and rounded, then zeros up to a multiple of 8.
    private(set) var codes: [Int8] = []
    /// The value of one unit of a code.
    private(set) var step: Float = 0
    /// The sum of the codes.
    private(set) var sum: Int32 = 0

    /// A query without elements.
    public init() {}

    /// Quantises the first `count` elements of a vector; storage is reused.
    public mutating func set(_ vector: [Float], count: Int) {
        precondition(count <= vector.count, "\(count) of \(vector.count) elements")
        let padded = (count + 7) / 8 * 8
        if codes.count != padded { codes = [Int8](repeating: 0, count: padded) }
        step = unsafe ck_quantise(vector, count, &codes, &sum)
    }
}

/// Vectors with 8 bits per element and one spread per vector, for upper bounds on the scores near each vector.
///
/// Each vector has its own scale. Memory: `dimension + 8` bytes per vector.
public struct ByteCodes: Sendable {
    /// The number of vectors.
    public let count: Int
    /// The length of a vector.
    public let dimension: Int

    private let codes: AlignedMemory<UInt8>
    private let scales: [Float]
    private let spreads: [Float]

    private var blocks: Int { (count + 15) / 16 }
    private var groups: Int { (dimension + 3) / 4 }

    /// Encodes the rows of a matrix; each has a spread of at least 0.
    public init(_ rows: Matrix, spreads: [Float]) {
        precondition(spreads.count == rows.rows, "\(spreads.count) spreads for \(rows.rows) rows")
        count = rows.rows
        dimension = rows.columns
        let padded = (count + 15) / 16 * 16
        let groups = (rows.columns + 3) / 4
        let memory = AlignedMemory<UInt8>(count: padded * groups * 4)
        var scales = [Float](repeating: 0, count: padded)
        rows.withPointer { source in
            memory.withPointer {
                unsafe ck_encode_bytes(source, rows.rows, rows.columns, rows.columns, groups, $0, &scales)
            }
        }
        codes = memory
        self.scales = scales
        self.spreads = spreads + [Float](repeating: 0, count: padded - count)
    }

    /// The number of values that ``bounds(of:width:scores:bounds:)`` writes: `count` rounded up to whole blocks of 16.
    public var paddedCount: Int { blocks * 16 }

    /// Inner products with a query, and the upper bounds `product + width * spread`.
    ///
    /// - Parameters:
    ///   - query: A query of `dimension` elements.
    ///   - width: The distance of a bound above its product, in spreads.
    ///   - scores: Receives the products in its first `count` places; it has at least `paddedCount` places.
    ///   - bounds: Receives the bounds, with the same sizes.
    /// - Returns: The largest bound; minus infinity if there are no vectors.
    public func bounds(
        of query: QuantisedQuery,
        width: Float,
        scores: inout [Float],
        bounds: inout [Float]
    ) -> Float {
        self.bounds(of: query, width: width, scores: &scores, bounds: &bounds, isPortable: false)
    }

    /// The same; `isPortable` avoids instructions that only some CPUs have.
    package func bounds(
        of query: QuantisedQuery,
        width: Float,
        scores: inout [Float],
        bounds: inout [Float],
        isPortable: Bool
    ) -> Float {
        precondition(
            query.codes.count >= groups * 4 && scores.count >= paddedCount && bounds.count >= paddedCount,
            "\(query.codes.count) query codes, \(scores.count) and \(bounds.count) places for \(count) of \(dimension)"
        )
        return codes.withPointer {
            unsafe (isPortable ? ck_portable_bounds : ck_bounds)(
                $0,
                scales,
                spreads,
                blocks,
                groups,
                query.codes,
                query.sum,
                query.step,
                width,
                &scores,
                &bounds
            )
        }
    }
}

/// Vectors with 4 bits per element and one factor per vector, in blocks of 16, for scans by integer inner products.
///
/// A vector is about `factor * (2 code - 15)`, with uniform levels. The scale of the levels maximises the cosine of
/// code and vector. The factor makes the estimate of the vector's own length exact (the corrected estimator of Gao
/// and Long, "RaBitQ", SIGMOD 2024, with their multi-bit extension of 2025). Memory: `dimension / 2 + 4` bytes per
/// vector.
public struct NibbleCodes: Sendable {
    /// The length of a vector, a multiple of 8.
    public let dimension: Int
    /// Item numbers by position; -1 at positions that pad a block.
    public let items: [Int32]
    /// All item numbers are below this bound.
    let itemBound: Int
    /// The number of positions, a multiple of ``block``.
    public var count: Int { items.count }
    /// Vectors in a block.
    public static let block = 16
    /// Extra places after the last vector, so that a prefetch never leaves the memory.
    private static let readAhead = 64

    private let codes: AlignedMemory<UInt8>
    private let factors: AlignedMemory<Float>

    /// The codes and factors of rows; the last block is padded with zeros.
    ///
    /// Encodes the first `dimension` elements of each row, a multiple of 8. Complexity: O(rows * dimension), times
    /// the 16 scales that are tried.
    public static func encode(_ rows: Matrix, dimension: Int) -> (codes: [UInt8], factors: [Float]) {
        precondition(
            dimension % 8 == 0 && dimension <= rows.columns,
            "codes of \(dimension) elements for rows of \(rows.columns)"
        )
        let padded = (rows.rows + block - 1) / block * block
        var codes = [UInt8](repeating: 0, count: padded * dimension / 2)
        var factors = [Float](repeating: 0, count: padded)
        rows.withPointer {
            unsafe ck_encode_nibbles($0, rows.rows, rows.columns, dimension, &codes, &factors)
        }
        return (codes, factors)
    }

    /// The vectors that codes and factors represent, `[factors, dimension]`.
    public static func decode(_ codes: [UInt8], _ factors: [Float], dimension: Int) -> Matrix {
        var rows = Matrix(rows: factors.count, columns: dimension)
        for (row, factor) in factors.enumerated() {
            let vector = row / block * block * dimension / 2 + row % block * 4
            for column in 0..<dimension {
                let byte = codes[vector + column / 8 * 64 + column % 4]
                rows[row, column] = factor * Float(2 * Int(column % 8 < 4 ? byte & 15 : byte >> 4) - 15)
            }
        }
        return rows
    }

    /// Takes over the joined results of one or more calls of ``encode(_:dimension:)``.
    ///
    /// `items` holds the item number of each position; numbers of padding are negative.
    public init(codes: some Collection<UInt8>, factors: [Float], items: [Int32], dimension: Int) {
        precondition(
            dimension % 8 == 0 && items.count % Self.block == 0 && factors.count == items.count
                && codes.count == factors.count * dimension / 2,
            "\(codes.count) bytes of codes and \(factors.count) factors for \(items.count) of \(dimension) elements"
        )
        self.dimension = dimension
        self.items = items
        itemBound = Int(items.max() ?? -1) + 1
        self.codes = AlignedMemory(Array(codes), count: codes.count + Self.readAhead * dimension / 2)
        self.factors = AlignedMemory(factors, count: factors.count + Self.readAhead)
    }

    /// Copies of the codes and factors, for saving them.
    public var saved: (codes: [UInt8], factors: [Float]) {
        (Array(codes.elements.prefix(count * dimension / 2)), Array(factors.elements.prefix(count)))
    }

    /// The estimated inner product of a query with every vector, by position.
    ///
    /// `isPortable` avoids instructions that only some CPUs have.
    package func estimates(of query: QuantisedQuery, isPortable: Bool = false) -> [Float] {
        precondition(query.codes.count >= dimension, "\(query.codes.count) query codes for \(dimension)")
        var scores = [Float](repeating: 0, count: count)
        var positions = [Int32](repeating: 0, count: count)
        codes.withPointer { codes in
            factors.withPointer { factors in
                _ = unsafe (isPortable ? ck_portable_scan : ck_scan)(
                    codes,
                    factors,
                    count / Self.block,
                    dimension / 8,
                    query.codes,
                    query.sum,
                    query.step,
                    0,
                    -.infinity,
                    0,
                    items,
                    &scores,
                    &positions
                )
            }
        }
        return scores
    }

    /// Prefetches the beginning of a block into the cache for the next scan.
    public func prefetch(block: Int) {
        let start = min(block * Self.block, count)
        codes.withPointer { unsafe ck_prefetch($0 + start * dimension / 2, 8 * dimension) }
        factors.withPointer { unsafe ck_prefetch($0 + start, 64) }
    }

    /// Writes the estimates in a range of blocks that reach a threshold, with their positions.
    ///
    /// `scores` and `positions` have room for all vectors of the range.
    ///
    /// - Returns: The number of written estimates.
    func scan(
        blocks: Range<Int>,
        _ query: QuantisedQuery,
        base: Float,
        threshold: Float,
        scores: UnsafeMutablePointer<Float>,
        positions: UnsafeMutablePointer<Int32>
    ) -> Int {
        precondition(
            blocks.lowerBound >= 0 && blocks.upperBound * Self.block <= count && query.codes.count >= dimension,
            "blocks \(blocks) of \(count) vectors, \(query.codes.count) query codes for \(dimension)"
        )
        let start = blocks.lowerBound * Self.block
        let width = dimension / 2
        return codes.withPointer { codes in
            factors.withPointer { factors in
                unsafe ck_scan(
                    codes + start * width,
                    factors + start,
                    blocks.count,
                    dimension / 8,
                    query.codes,
                    query.sum,
                    query.step,
                    base,
                    threshold,
                    Int32(start),
                    items,
                    scores,
                    positions
                )
            }
        }
    }
}
