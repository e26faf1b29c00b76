import CKernels

/// A query as 8-bit integers, for inner products with codes.
public struct QuantisedQuery: Sendable {
    /// Elements divided by `step` and rounded, then zeros up to a multiple of 8.
    private(set) var codes: [Int8] = []
    /// What one unit of a code is worth.
    private(set) var step: Float = 0
    /// The sum of the codes.
    private(set) var sum: Int32 = 0

    /// A query without elements.
    public init() {}

    /// Takes over the first `count` elements of a vector; storage is reused.
    public mutating func set(_ vector: [Float], count: Int) {
        precondition(count <= vector.count, "\(count) of \(vector.count) elements")
        let padded = (count + 7) / 8 * 8
        if codes.count != padded { codes = [Int8](repeating: 0, count: padded) }
        step = unsafe ck_quantise(vector, count, &codes, &sum)
    }
}

/// Vectors of 8 bits an element with a spread each, and bounds on what lies around them.
///
/// Each vector has its own scale. Memory: `dimension + 8` bytes a vector.
public struct ByteCodes: Sendable {
    /// How many vectors there are.
    public let count: Int
    /// The length of a vector.
    public let dimension: Int

    private let codes: AlignedMemory<UInt8>
    private let scales: [Float]
    private let spreads: [Float]

    private var blocks: Int { (count + 15) / 16 }
    private var groups: Int { (dimension + 3) / 4 }

    /// Codes the rows of a matrix, with a spread of at least 0 for each.
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

    /// Places that ``bounds(of:width:scores:bounds:)`` writes: `count` rounded up to whole blocks of 16.
    public var paddedCount: Int { blocks * 16 }

    /// Inner products with a query, and the upper bounds `product + width * spread`.
    ///
    /// - Parameters:
    ///   - query: A query of `dimension` elements.
    ///   - width: How many spreads a bound lies above its product.
    ///   - scores: Receives the products in its first `count` places; it has `paddedCount`.
    ///   - bounds: Receives the bounds likewise.
    /// - Returns: The largest bound (an empty set of vectors: minus infinity).
    public func bounds(
        of query: QuantisedQuery,
        width: Float,
        scores: inout [Float],
        bounds: inout [Float]
    ) -> Float {
        self.bounds(of: query, width: width, scores: &scores, bounds: &bounds, isPortable: false)
    }

    /// The same, if wanted without the instructions that only some CPUs have.
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

/// Vectors of 4 bits an element and a factor each, in blocks of 16, to be scanned by integer inner products.
///
/// A vector is near `factor * (2 code - 15)`: uniform levels, their scale chosen for each vector so that code and vector
/// have the largest cosine, and the factor so that the estimate of the vector's own length is right (the corrected
/// estimator of Gao and Long, "RaBitQ", SIGMOD 2024, with their multi-bit extension of 2025). Memory: `dimension / 2 + 4`
/// bytes a vector.
public struct NibbleCodes: Sendable {
    /// The length of a vector, a multiple of 8.
    public let dimension: Int
    /// Item numbers by position; -1 at positions that fill up blocks.
    public let items: [Int32]
    /// Item numbers are below it.
    let itemBound: Int
    /// How many positions there are, a multiple of the block.
    public var count: Int { items.count }
    /// Vectors in a block.
    public static let block = 16
    /// Places that a scan may prefetch beyond the last: kept, so that no address lies outside.
    private static let readAhead = 64

    private let codes: AlignedMemory<UInt8>
    private let factors: AlignedMemory<Float>

    /// The codes and factors of rows, the last block filled up with zeros.
    ///
    /// Of each row the first `dimension` elements are coded, a multiple of 8. Complexity: O(rows * dimension), times 16
    /// scales that are tried.
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

    /// The vectors that codes and factors stand for, `[factors, dimension]`.
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

    /// Takes over what ``encode(_:dimension:)`` gave, once or put together, with the item number of each position (negative
    /// where there is none).
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

    /// The estimated inner product of a query with every vector, by position, if wanted without the instructions that only
    /// some CPUs have.
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

    /// Fetches the beginning of a block into the cache, for a scan that comes soon.
    public func prefetch(block: Int) {
        let start = min(block * Self.block, count)
        codes.withPointer { unsafe ck_prefetch($0 + start * dimension / 2, 8 * dimension) }
        factors.withPointer { unsafe ck_prefetch($0 + start, 64) }
    }

    /// Writes the estimate and position of every vector of a range of blocks whose estimate reaches a threshold.
    ///
    /// - Returns: How many were written; there is room for all.
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
