import Foundation
import GRDB
import Kernels

/// A header with named blobs, each with its SHA-256, and one more SHA-256 over the header and the list of blobs.
///
/// Contents are stored in chunks, because SQLite limits a value to 1 GB. They are hashed while they are read or
/// written, so that memory holds at most one chunk twice.
struct Bundle {
    /// The use of a bundle; part of its digest, so that a bundle cannot replace one of another kind.
    enum Kind: String {
        case version
        case trainingState
    }

    /// The owner's description of the bundle.
    let header: Data
    /// SHA-256 over header and list.
    let digest: Data
    /// The list of blobs, sorted by name.
    let entries: [BlobEntry]
    /// The bundle's name in messages.
    let location: String

    /// Names of all blobs, sorted.
    var names: [String] { entries.map(\.name) }

    /// Names and shapes of all blobs, sorted by name.
    var shapes: [(name: String, rows: Int, columns: Int)] { entries.map { ($0.name, $0.rows, $0.columns) } }

    /// The size of all blobs.
    let bytes: Int

    // MARK: Writing

    /// Stores a bundle and returns its number.
    static func insert(
        kind: Kind,
        header: Data,
        blobs: [String: BlobContent],
        chunkBytes: Int,
        into db: Database
    ) throws -> Int64 {
        let bundle = Int64(try db.nextNumber("bundle.id", "blob.bundle", "version.bundle", "training_state.bundle"))
        var entries: [BlobEntry] = []
        for name in sorted(blobs.keys) {
            guard let content = blobs[name] else { continue }
            guard !name.utf8.contains(0) else {
                throw CheckpointError.invalid(reason: "the name \(name.debugDescription) contains a NUL")
            }
            entries.append(try insert(content, named: name, bundle: bundle, chunkBytes: chunkBytes, into: db))
        }
        try db.execute(
            sql: "INSERT INTO bundle (id, kind, header, digest) VALUES (?, ?, ?, ?)",
            arguments: [bundle, kind.rawValue, header, digest(kind: kind, header: header, entries: entries)]
        )
        return bundle
    }

    private static func insert(
        _ content: BlobContent,
        named name: String,
        bundle: Int64,
        chunkBytes: Int,
        into db: Database
    ) throws -> BlobEntry {
        let (rows, columns) = content.shape
        var entry = BlobEntry(name: name, format: content.format, rows: rows, columns: columns, digest: Data())
        let id = Int64(try db.nextNumber("blob.id", "chunk.blob"))
        let insertion = try db.cachedStatement(sql: "INSERT INTO chunk (blob, position, data) VALUES (?, ?, ?)")
        var hash = SHA256()
        let size = entry.size ?? 0
        for (position, start) in stride(from: 0, to: size, by: chunkBytes).enumerated() {
            let chunk = Data(try content.chunk(from: start, size: min(chunkBytes, size - start)))
            hash.update(chunk.span)
            try insertion.execute(arguments: [id, position, chunk])
        }
        entry.digest = Data(hash.finalize())
        try db.execute(
            sql: "INSERT INTO blob (id, bundle, name, format, rows, columns, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [id, bundle, name, entry.format, rows, columns, entry.digest]
        )
        return entry
    }

    /// Removes a bundle with its blobs.
    static func delete(_ id: Int, from db: Database) throws {
        try db.execute(sql: "DELETE FROM bundle WHERE id = ?", arguments: [id])
    }

    // MARK: Reading

    /// Reads header and list, and verifies their digest; contents are read by name.
    ///
    /// - Parameters:
    ///   - id: The bundle's number.
    ///   - kind: The expected kind.
    ///   - location: The bundle's name in messages.
    ///   - db: The database.
    /// - Throws: ``CheckpointError/corrupted(what:location:)``.
    init(id: Int, kind: Kind, location: String, from db: Database) throws {
        self.location = location
        func damaged(_ what: String) -> CheckpointError { .corrupted(what: what, location: location) }
        guard
            let row = try Row.fetchOne(
                db,
                sql: "SELECT kind, header, digest FROM bundle WHERE id = ?",
                arguments: [id]
            ),
            try row.text(0, "bundle kind") == kind.rawValue
        else { throw damaged("its header is missing") }
        header = try row.bytes(1, "header")
        digest = try row.bytes(2, "header digest")
        let sql = "SELECT id, name, format, rows, columns, digest FROM blob WHERE bundle = ?"
        entries = try Row.fetchAll(db, sql: sql, arguments: [id]).map { row in
            BlobEntry(
                id: try row.integer(0, "blob number"),
                name: try row.text(1, "blob name"),
                format: try row.text(2, "blob format"),
                rows: try row.integer(3, "blob rows"),
                columns: try row.integer(4, "blob columns"),
                digest: try row.bytes(5, "blob digest")
            )
        }.sorted { Self.precedes($0.name, $1.name) }
        bytes = try entries.reduce(0) { sum, entry in
            let (total, overflow) = sum.addingReportingOverflow(entry.size ?? .max)
            guard entry.size != nil, !overflow else { throw damaged("'\(entry.name)' has an impossible size") }
            return total
        }
        guard digest == Self.digest(kind: kind, header: header, entries: entries) else {
            throw damaged("the digest of its header and list of blobs does not match")
        }
    }

    /// A version's row by the index, or by a scan when the index, which may be damaged, has none.
    static func row(of model: String, _ number: Int, in db: Database) throws -> Row? {
        for source in ["version", "version NOT INDEXED"] {
            let sql = "SELECT bundle FROM \(source) WHERE model = ? AND number = ?"
            let readable = try ReadableRows(db, sql: sql, arguments: [model, number], of: "version")
            if let row = readable.rows.first { return row }
        }
        return nil
    }

    /// Whether the header of a version is intact and belongs to that version.
    static func isReadable(_ model: String, _ number: Int, in db: Database) -> Bool {
        guard let row = try? Self.row(of: model, number, in: db),
            let id = try? row.integer(0, "bundle of a version"),
            let bundle = try? Bundle(id: id, kind: .version, location: "", from: db),
            let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: bundle.header)
        else { return false }
        return manifest.model == model && manifest.version == number
    }

    // MARK: Digest

    /// The digest of a version with these blobs under another header.
    func digest(withHeader header: Data) -> Data { Self.digest(kind: .version, header: header, entries: entries) }

    private static func digest(kind: Kind, header: Data, entries: [BlobEntry]) -> Data {
        var text = LittleEndianWriter()
        func append(_ part: some Collection<UInt8>) {
            text.append(UInt64(part.count))
            text.append(bytes: part)
        }
        append(Array("dimerec \(kind.rawValue) 1".utf8))
        append(header)
        for entry in entries {
            append(Array(entry.name.utf8))
            append(Array(entry.format.utf8))
            text.append(Int64(entry.rows))
            text.append(Int64(entry.columns))
            append(entry.digest)
        }
        return Data(SHA256.hash(text.bytes.span))
    }

    private static func sorted(_ names: some Sequence<String>) -> [String] { names.sorted(by: precedes) }

    /// Order by bytes, which is the same in every Unicode version.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension Database {
    /// One more than the highest number in any of the columns, so that no damaged row without an owner gets one.
    ///
    /// - Parameter columns: Columns as `table.column`.
    /// - Returns: The number, at least 1.
    /// - Throws: ``CheckpointError/corrupted(what:location:)`` when the numbers are used up.
    func nextNumber(_ columns: String...) throws -> Int {
        let numbers = try columns.map { column in
            let parts = column.split(separator: ".")
            return try Row.fetchOne(self, sql: "SELECT max(\(parts[1])) FROM \(parts[0])")?.optionalInteger(0, column)
                ?? 0
        }
        let (next, overflow) = max(0, numbers.max() ?? 0).addingReportingOverflow(1)
        guard !overflow else {
            throw CheckpointError.corrupted(what: "its numbers are used up", location: "'\(columns[0])'")
        }
        return next
    }
}
