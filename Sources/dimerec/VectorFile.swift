import Foundation
import Kernels

/// Vectors in a `.fvecs` file: for each an Int32 dimension, then that many Float32, little-endian.
enum VectorFile {
    /// Writes the rows of a matrix, replacing what is there.
    static func write(_ vectors: Matrix, to path: String) throws(VectorFileError) {
        var bytes = Data(capacity: vectors.rows * (4 + 4 * vectors.columns))
        let dimension = UInt32(vectors.columns)
        for row in 0..<vectors.rows {
            for word in [dimension] + vectors.row(row).map(\.bitPattern) {
                for shift in stride(from: 0, to: 32, by: 8) {
                    bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(shift)))
                }
            }
        }
        guard FileManager.default.createFile(atPath: path, contents: bytes) else { throw .unwritable(path) }
    }

    /// The vectors of a file, one a row.
    static func read(_ path: String) throws(VectorFileError) -> Matrix {
        guard let data = FileManager.default.contents(atPath: path) else { throw .unreadable(path) }
        let bytes = [UInt8](data)
        func word(_ offset: Int) -> UInt32 {
            UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
                | UInt32(bytes[offset + 3]) << 24
        }
        guard bytes.count >= 4 else { throw .malformed(path, offset: 0) }
        let dimension = Int(Int32(bitPattern: word(0)))
        let stride = 4 + 4 * max(0, min(dimension, 1 << 20))
        guard dimension > 0, bytes.count % stride == 0 else { throw .malformed(path, offset: 0) }
        var elements: [Float] = []
        elements.reserveCapacity(bytes.count / stride * dimension)
        for row in 0..<bytes.count / stride {
            guard Int(word(row * stride)) == dimension else { throw .malformed(path, offset: row * stride) }
            for column in 0..<dimension {
                elements.append(Float(bitPattern: word(row * stride + 4 + column * 4)))
            }
        }
        return Matrix(rows: bytes.count / stride, columns: dimension, elements: elements)
    }
}

/// A vector file that cannot be used.
enum VectorFileError: Error, Equatable, CustomStringConvertible {
    case unreadable(String)
    case unwritable(String)
    case malformed(String, offset: Int)
    case dimensions(path: String, expected: Int, found: Int)

    var description: String {
        switch self {
        case .unreadable(let path): "No readable file at '\(path)'."
        case .unwritable(let path): "'\(path)' cannot be written; is there such a folder, and room?"
        case .malformed(let path, let offset):
            "'\(path)' is not .fvecs at byte \(offset): each vector is an Int32 dimension and that many Float32."
        case .dimensions(let path, let expected, let found):
            "'\(path)' holds vectors of \(found) dimensions, the base has \(expected)."
        }
    }
}
