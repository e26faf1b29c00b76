import Foundation
import GRDB
import Kernels

/// The content of one named blob of a bundle.
enum BlobContent {
    /// Little-endian Float32, row after row.
    case matrix(Matrix)
    /// The same, read while it is written.
    case rows(RowSource)
    /// Bytes in their owner's format.
    case bytes([UInt8])

    var format: String {
        switch self {
        case .matrix, .rows: "f32"
        case .bytes: "bytes"
        }
    }

    var shape: (rows: Int, columns: Int) {
        switch self {
        case .matrix(let matrix): (matrix.rows, matrix.columns)
        case .rows(let source): (source.rows, source.columns)
        case .bytes(let bytes): (bytes.count, 1)
        }
    }

    /// The bytes of a chunk that starts at `start`.
    func chunk(from start: Int, size: Int) throws -> [UInt8] {
        let elements = start / 4..<(start + size) / 4
        switch self {
        case .matrix(let matrix): return matrix.littleEndianBytes(ofElements: elements)
        case .rows(let source):
            let columns = source.columns
            let rows = elements.lowerBound / columns..<(elements.upperBound + columns - 1) / columns
            let first = rows.lowerBound * columns
            return try source.read(rows)
                .littleEndianBytes(ofElements: elements.lowerBound - first..<elements.upperBound - first)
        case .bytes(let bytes): return Array(bytes[start..<start + size])
        }
    }
}

/// A blob's entry in the bundle's list, without its content.
struct BlobEntry {
    var id = 0
    var name: String
    var format: String
    var rows: Int
    var columns: Int
    var digest: Data

    /// The size in bytes from the shape, or nil for an invalid shape.
    var size: Int? {
        guard rows >= 0, columns >= 0, format == "f32" || format == "bytes" else { return nil }
        let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
        let (size, overflowOfSize) = count.multipliedReportingOverflow(by: format == "f32" ? 4 : 1)
        return overflow || overflowOfSize ? nil : size
    }
}

extension Row {
    /// A blob column.
    func bytes(_ column: Int, _ what: String) throws -> Data {
        guard case .blob(let value) = (self[column] as DatabaseValue).storage else {
            throw CheckpointError.corrupted(what: "\(what) is not a blob", location: "the store")
        }
        return value
    }
}
