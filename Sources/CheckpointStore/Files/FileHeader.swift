import Foundation

/// The facts in the first bytes of an SQLite file, read without SQLite.
struct FileHeader {
    /// The size of the file in bytes; 0 if nothing was written yet.
    let size: Int
    /// Whether the file has a write-ahead log, which is then part of the database.
    let hasLog: Bool

    /// Reads a file's header; nil when there is no file.
    ///
    /// - Throws: ``CheckpointError`` for a path that is no regular file, a file that is no database, and a file that
    ///   is shorter than its header says. With a write-ahead log, SQLite judges file and log together.
    init?(path: String) throws(CheckpointError) {
        let resolved = URL(filePath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: resolved) else { return nil }
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw .cannotOpen(path: path, reason: "it is a directory or a device")
        }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw .cannotOpen(path: path, reason: "no permission to read it")
        }
        defer { try? file.close() }
        let header: [UInt8]
        do {
            header = try Array(file.read(upToCount: 100) ?? Data())
            size = try Int(clamping: file.seekToEnd())
        } catch {
            throw .inputOutput(path: path, reason: "\(error)")
        }
        if size == 0 {
            hasLog = false
            return
        }
        guard header.count == 100, header.starts(with: "SQLite format 3\u{0}".utf8) else {
            throw .notADatabase(path: path)
        }
        func bigEndian(_ range: Range<Int>) -> Int { header[range].reduce(0) { $0 << 8 | Int($1) } }
        hasLog = header[18] == 2 || header[19] == 2
        let logSize = (try? FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int) ?? 0
        let pageSize = bigEndian(16..<18) == 1 ? 65536 : bigEndian(16..<18)
        let countIsValid = bigEndian(24..<28) == bigEndian(92..<96)
        let expected = pageSize * bigEndian(28..<32)
        if logSize == 0, countIsValid, size < expected {
            throw .truncated(path: path, expectedBytes: expected, foundBytes: size)
        }
    }
}
