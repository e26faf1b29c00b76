import Foundation
import GRDB
import Kernels

extension Bundle {
    /// The matrix of a blob.
    func matrix(_ name: String, from db: Database) throws -> Matrix {
        let (entry, size) = try entry(name, format: "f32", in: db)
        var matrix = Matrix(rows: 0, columns: 0)
        try eachChunk(of: entry, size: size, in: db) { start, chunk in
            if start == 0 { matrix = Matrix(rows: entry.rows, columns: entry.columns) }
            guard start % 4 == 0, chunk.count % 4 == 0 else {
                throw CheckpointError.corrupted(what: "a chunk of '\(name)' splits an element", location: location)
            }
            matrix.setElements(from: start / 4, littleEndian: chunk.span)
        }
        return size == 0 ? Matrix(rows: entry.rows, columns: entry.columns) : matrix
    }

    /// Calls `body` with the rows of each of some consecutive ranges, which cover the matrix of a blob.
    func eachRows(
        of name: String,
        in ranges: [Range<Int>],
        from db: Database,
        _ body: (Matrix) throws -> Void
    ) throws {
        let (entry, size) = try entry(name, format: "f32", in: db)
        precondition(ranges.last?.upperBound ?? 0 == entry.rows, "ranges \(ranges) of \(entry.rows) rows")
        var left = ranges[...]
        var bytes = Data()
        /// Gives away all ranges that are complete.
        func drain() throws {
            while let range = left.first, bytes.count >= 4 * range.count * entry.columns {
                var rows = Matrix(rows: range.count, columns: entry.columns)
                rows.setElements(from: 0, littleEndian: bytes.prefix(4 * rows.count).span)
                bytes = Data(bytes.dropFirst(4 * rows.count))
                left = left.dropFirst()
                try body(rows)
            }
        }
        try eachChunk(of: entry, size: size, in: db) { _, chunk in
            bytes.append(chunk)
            try drain()
        }
        try drain()
    }

    /// The bytes of a blob.
    func bytes(_ name: String, from db: Database) throws -> [UInt8] {
        let (entry, size) = try entry(name, format: "bytes", in: db)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        try eachChunk(of: entry, size: size, in: db) { _, chunk in bytes.append(contentsOf: chunk) }
        return bytes
    }

    /// Finds a blob, and checks that the stored bytes match its shape before anything is allocated.
    private func entry(_ name: String, format: String, in db: Database) throws -> (BlobEntry, size: Int) {
        guard let entry = entries.first(where: { $0.name == name }) else {
            throw CheckpointError.corrupted(what: "'\(name)' is missing", location: location)
        }
        let sql = "SELECT coalesce(sum(length(data)), 0) FROM chunk WHERE blob = ?"
        let stored = try Row.fetchOne(db, sql: sql, arguments: [entry.id])?.integer(0, "size of '\(name)'")
        guard entry.format == format, let size = entry.size, size == stored else {
            throw CheckpointError.corrupted(
                what: "'\(name)' holds \(stored ?? 0) bytes for \(entry.format)[\(entry.rows), \(entry.columns)]",
                location: location
            )
        }
        return (entry, size)
    }

    /// Calls `body` with a blob's chunks in order and their first byte's position; throws if the digest does not
    /// match.
    private func eachChunk(
        of entry: BlobEntry,
        size: Int,
        in db: Database,
        _ body: (Int, Data) throws -> Void
    ) throws {
        func damaged(_ what: String) -> CheckpointError {
            .corrupted(what: "'\(entry.name)' \(what)", location: location)
        }
        var hash = SHA256()
        var (position, start) = (0, 0)
        let sql = "SELECT position, data FROM chunk WHERE blob = ? ORDER BY position"
        let rows = try Row.fetchCursor(db, sql: sql, arguments: [entry.id])
        while let row = try rows.next() {
            let chunk = try row.bytes(1, "a chunk of '\(entry.name)'")
            guard try row.integer(0, "chunk position") == position, chunk.count <= size - start else {
                throw damaged("has a chunk too many or too few")
            }
            hash.update(chunk.span)
            if !chunk.isEmpty { try body(start, chunk) }
            position += 1
            start += chunk.count
        }
        guard start == size else { throw damaged("ends after \(start) of \(size) bytes") }
        guard Data(hash.finalize()) == entry.digest else { throw damaged("does not match its SHA-256") }
    }
}
