public import Kernels

/// Builds indexes, and reads their saved form.
///
/// The saved form holds no vectors, because the checkpoint has them. All numbers are little-endian. The header is: 8
/// bytes of magic, format and kind (UInt32), items and dimension (UInt64). Then follow for a partitioned index:
/// partitions, positions, coded dimension and effort (UInt64); widths of bound and margin, means, spreads and rotation
/// (Float32); list sizes and item numbers by position (Int32); factors (Float32); codes. The bytes do not depend on the
/// CPU that wrote them.
public enum IndexFormat {
    private static let magic = Array("DIMERIDX".utf8)
    private static let version: UInt32 = 2

    /// The kind of index in the header.
    enum Kind: UInt32 {
        case flat = 1
        case partitioned = 2
        case scores = 3
    }

    /// Builds the index of a configuration.
    ///
    /// - Parameters:
    ///   - vectors: One unit vector per item, row `i` for item `i`.
    ///   - configuration: The kind of index and its build options.
    ///   - queries: Typical queries to tune the effort; nil uses item vectors with added noise.
    /// - Returns: The index; `auto` is exact below ``IndexConfiguration/autoPartitionsFrom`` items.
    /// - Throws: ``IndexError`` with the item or the key.
    public static func build(
        vectors: Matrix,
        configuration: IndexConfiguration = IndexConfiguration(),
        queries: Matrix? = nil
    ) throws(IndexError) -> any VectorIndex {
        try configuration.validate()
        switch configuration.kind {
        case .partitioned: return try PartitionedIndex(vectors: vectors, configuration: configuration, queries: queries)
        case .auto where vectors.rows >= IndexConfiguration.autoPartitionsFrom:
            return try PartitionedIndex(vectors: vectors, configuration: configuration, queries: queries)
        case .flat, .auto: return try FlatIndex(vectors: vectors)
        }
    }

    /// Reads a saved index.
    ///
    /// - Parameters:
    ///   - bytes: The result of ``VectorIndex/serialised()``.
    ///   - vectors: The vectors that the index was built from.
    /// - Returns: An index that gives the same answers as the saved one.
    /// - Throws: ``IndexError`` if the bytes are not a complete index of these vectors. Damaged sizes never cause large
    ///   allocations.
    public static func load(_ bytes: [UInt8], vectors: Matrix) throws(IndexError) -> any VectorIndex {
        var reader = LittleEndianReader(bytes)
        guard let start = reader.bytes(magic.count), Array(start) == magic else { throw .notAnIndex }
        guard let format = reader.integer(UInt32.self) else { throw .damaged("it ends inside its header") }
        guard format == version else { throw .unsupportedFormat(found: Int(format), supported: Int(version)) }
        guard let number = reader.integer(UInt32.self), let count = reader.count(), let dimension = reader.count()
        else {
            throw .damaged("it ends inside its header")
        }
        guard let kind = Kind(rawValue: number) else { throw .damaged("kind \(number) is unknown") }
        guard count == vectors.rows else { throw .countMismatch(index: count, vectors: vectors.rows) }
        guard dimension == (kind == .scores ? count : vectors.columns) else {
            throw .dimensionMismatch(index: dimension, vectors: vectors.columns)
        }
        let index: any VectorIndex =
            switch kind {
            case .flat: try FlatIndex(vectors: vectors)
            case .partitioned: try partitioned(&reader, vectors: vectors)
            case .scores: ScoreIndex(count: count)
            }
        guard reader.remaining == 0 else { throw .damaged("\(reader.remaining) bytes follow its end") }
        return index
    }

    /// Writes a partitioned index without its header.
    static func append(_ index: PartitionedIndex, to writer: inout LittleEndianWriter) {
        let (codes, factors) = index.codes.saved
        for number in [index.partitions, index.codes.count, index.codes.dimension, index.defaultEffort] {
            writer.append(UInt64(number))
        }
        writer.append([index.widths.bound, index.widths.margin])
        writer.append(index.means)
        writer.append(index.spreads)
        writer.append(index.rotation.weights)
        writer.append(index.sizes)
        writer.append(index.codes.items)
        writer.append(factors)
        writer.append(bytes: codes)
    }

    private static func partitioned(
        _ reader: inout LittleEndianReader,
        vectors: Matrix
    ) throws(IndexError) -> PartitionedIndex {
        guard let partitions = reader.count(), let positions = reader.count(), let coded = reader.count(),
            let effort = reader.count()
        else { throw .damaged("it ends inside its header") }
        let columns = vectors.columns
        guard partitions <= vectors.rows, coded <= columns + 7, coded % 8 == 0, positions % NibbleCodes.block == 0,
            positions <= NibbleCodes.block * vectors.rows
        else { throw .damaged("\(partitions) partitions, \(positions) positions of \(coded) codes do not fit") }
        guard let widths = reader.floats(2),
            let means = reader.matrix(rows: partitions, columns: columns),
            let spreads = reader.floats(partitions),
            let rotation = reader.matrix(rows: columns, columns: (columns + 7) / 8 * 8),
            let sizes = reader.int32s(partitions), let items = reader.int32s(positions),
            let factors = reader.floats(positions), let codes = reader.bytes(positions * coded / 2)
        else { throw .damaged("it ends too early") }
        guard factors.allSatisfy({ 0..<2.01 ~= $0 }) else { throw .damaged("a factor is out of range") }
        try requireUnitRows(vectors)
        return try PartitionedIndex(
            vectors: vectors,
            means: means,
            spreads: spreads,
            rotation: rotation,
            sizes: sizes,
            codes: NibbleCodes(codes: codes, factors: factors, items: items, dimension: coded),
            widths: SearchWidths(bound: widths[0], margin: widths[1], effort: effort)
        )
    }

    /// The start of every saved index.
    static func header(kind: Kind, count: Int, dimension: Int) -> LittleEndianWriter {
        var writer = LittleEndianWriter()
        writer.append(bytes: magic)
        writer.append(version)
        writer.append(kind.rawValue)
        writer.append(UInt64(count))
        writer.append(UInt64(dimension))
        return writer
    }
}
