public import Kernels

/// Builds indexes, and reads their saved form.
///
/// The saved form holds no vectors: those are in the checkpoint already. All numbers are little-endian: 8 bytes of magic,
/// format and kind (UInt32), items and dimension (UInt64); a partitioned index goes on with its partitions and default
/// effort (UInt64), list sizes and item numbers (Int32), and centroids (Float32).
public enum IndexFormat {
    private static let magic = Array("DIMERIDX".utf8)
    private static let version: UInt32 = 1

    /// What follows the header.
    enum Kind: UInt32 {
        case flat = 1
        case partitioned = 2
    }

    /// Builds the index that a configuration asks for.
    ///
    /// - Parameters:
    ///   - vectors: A unit vector an item, row `i` that of item `i`.
    ///   - configuration: Which index, and how.
    /// - Returns: The index; `auto` is exact below ``IndexConfiguration/autoPartitionsFrom`` items.
    /// - Throws: ``IndexError``, naming the item or the key.
    public static func build(
        vectors: Matrix,
        configuration: IndexConfiguration = IndexConfiguration()
    ) throws(IndexError) -> any VectorIndex {
        try configuration.validate()
        switch configuration.kind {
        case .partitioned: return try PartitionedIndex(vectors: vectors, configuration: configuration)
        case .auto where vectors.rows >= IndexConfiguration.autoPartitionsFrom:
            return try PartitionedIndex(vectors: vectors, configuration: configuration)
        case .flat, .auto: return try FlatIndex(vectors: vectors)
        }
    }

    /// Reads a saved index.
    ///
    /// - Parameters:
    ///   - bytes: What ``VectorIndex/serialised()`` gave.
    ///   - vectors: The vectors that the index was built from.
    /// - Returns: An index that answers as the saved one did.
    /// - Throws: ``IndexError`` for bytes that are no whole index of these vectors; nothing is allocated for numbers that
    ///   the bytes do not justify.
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
        guard dimension == vectors.columns else {
            throw .dimensionMismatch(index: dimension, vectors: vectors.columns)
        }
        let index: any VectorIndex =
            switch kind {
            case .flat: try FlatIndex(vectors: vectors)
            case .partitioned: try partitioned(&reader, vectors: vectors)
            }
        guard reader.remaining == 0 else { throw .damaged("\(reader.remaining) bytes follow its end") }
        return index
    }

    private static func partitioned(
        _ reader: inout LittleEndianReader,
        vectors: Matrix
    ) throws(IndexError) -> PartitionedIndex {
        guard let partitions = reader.count(), let effort = reader.count() else {
            throw .damaged("it ends inside its header")
        }
        guard partitions <= vectors.rows else {
            throw .damaged("\(partitions) partitions for \(vectors.rows) items")
        }
        guard let sizes = reader.int32s(partitions), let ids = reader.int32s(vectors.rows),
            let centroids = reader.matrix(rows: partitions, columns: vectors.columns)
        else { throw .damaged("it ends too early") }
        try requireUnitRows(vectors)
        return try PartitionedIndex(centroids: centroids, sizes: sizes, ids: ids, vectors: vectors, effort: effort)
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
