import Foundation
import Kernels

/// Reads and writes `.fvecs` files: each vector is an Int32 dimension, then that many Float32, little-endian.
enum VectorFile {
    /// Size of the read buffer, in bytes.
    private static let chunkBytes = 1 << 22

    /// Writes the rows of a matrix and replaces an existing file.
    static func write(_ vectors: Matrix, to path: String) throws(VectorFileError) {
        let columns = vectors.columns
        var writer = LittleEndianWriter(reserving: vectors.rows * (4 + 4 * columns))
        for row in 0..<vectors.rows {
            writer.append(UInt32(columns))
            writer.append(bytes: vectors.littleEndianBytes(ofElements: row * columns..<(row + 1) * columns))
        }
        let isWritten = FileManager.default.createFile(atPath: path, contents: Data(writer.bytes))
        guard isWritten else { throw .unwritable(path) }
    }

    /// The vectors of a file, one a row.
    static func read(_ path: String) throws(VectorFileError) -> Matrix {
        guard let file = FileHandle(forReadingAtPath: path), let end = try? file.seekToEnd(),
            (try? file.seek(toOffset: 0)) != nil
        else { throw .unreadable(path) }
        guard end >= 4 else { throw .malformed(path, offset: 0) }
        guard let head = try? file.read(upToCount: 4), (try? file.seek(toOffset: 0)) != nil else {
            throw .unreadable(path)
        }
        let header = [UInt8](head)
        var reader = LittleEndianReader(header)
        guard let stated = reader.integer(Int32.self), 1...1 << 20 ~= stated else { throw .malformed(path, offset: 0) }
        let (size, dimension) = (Int(end), Int(stated))
        let stride = 4 + 4 * dimension
        guard size % stride == 0 else { throw .malformed(path, offset: size - size % stride) }
        var vectors = Matrix(rows: size / stride, columns: dimension)
        var row = 0
        while row < vectors.rows {
            let count = min(vectors.rows - row, max(1, chunkBytes / stride))
            guard let data = try? file.read(upToCount: count * stride), data.count == count * stride else {
                throw .unreadable(path)
            }
            let chunk = [UInt8](data)
            for start in Swift.stride(from: 0, to: chunk.count, by: stride) {
                guard chunk[start..<start + 4] == header[...] else { throw .malformed(path, offset: row * stride) }
                let elements = chunk.span.extracting(start + 4..<start + stride)
                vectors.setElements(from: row * dimension, littleEndian: elements)
                row += 1
            }
        }
        return vectors
    }
}

/// Why a vector file cannot be used.
enum VectorFileError: Error, Equatable, CustomStringConvertible {
    case unreadable(String)
    case unwritable(String)
    case malformed(String, offset: Int)
    case dimensions(path: String, expected: Int, found: Int)
    case notFinite(String, row: Int)

    var description: String {
        switch self {
        case .unreadable(let path): "No readable file at '\(path)'."
        case .unwritable(let path): "Cannot write '\(path)'; check its folder and the free space."
        case .malformed(let path, let offset):
            "'\(path)' is not .fvecs at byte \(offset): each vector is an Int32 dimension and that many Float32."
        case .dimensions(let path, let expected, let found):
            "'\(path)' has vectors of \(found) dimensions, but the base has \(expected)."
        case .notFinite(let path, let row):
            "Vector \(row) of '\(path)' has an element that is not a finite number; remove the vector."
        }
    }
}
