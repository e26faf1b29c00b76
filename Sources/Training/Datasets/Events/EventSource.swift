import CheckpointStore
import Foundation

/// A log of events: files in one order, standard input, or the rows of a query.
///
/// The parts are read one after another as if they were one file. So events of one user with equal times keep the
/// order of the parts, then the order of the rows.
public struct EventSource: Sendable, Equatable {
    /// One part of a log.
    enum Part: Sendable, Equatable {
        /// A file of separated values or of JSON Lines.
        case file(String)
        /// Standard input.
        case standardInput
        /// The rows of a query on a SQLite database.
        case query(String, database: String)

        /// The name for messages.
        var name: String {
            switch self {
            case .file(let path): path
            case .standardInput: "standard input"
            case .query(_, let database): "sqlite:\(database)"
            }
        }
    }

    /// The parts in the order in which they are read; at least one.
    let parts: [Part]

    /// One file, whatever its name.
    public init(file: String) {
        parts = [.file(file)]
    }

    /// One file, whatever its name, or the logs of a folder.
    ///
    /// - Throws: ``CSVError`` for a folder without logs.
    init(path: String) throws(CSVError) {
        if FilePattern.isFolder(path) == true { try self.init([path]) } else { self.init(file: path) }
    }

    /// The log that some names give together, in their order.
    ///
    /// A name is a file; a folder, for all of its logs in the order of their names, those in folders named
    /// `column=value` too; a pattern with `*`, `?` or `[...]`, for all files that match, in the order of their names;
    /// `-` for standard input; or `sqlite:FILE?query=SELECT`, where `%` and two hexadecimal digits stand for a byte.
    ///
    /// - Throws: ``CSVError`` for a pattern or folder without files, a file that is given twice, and a wrong query.
    public init(_ names: [String]) throws(CSVError) {
        precondition(!names.isEmpty, "a log without a name")
        var parts: [Part] = []
        for name in names { parts += try Self.parts(name) }
        var seen: Set<String> = []
        for part in parts {
            guard seen.insert(Self.identity(part)).inserted else { throw .repeatedFile(part.name) }
        }
        self.parts = parts
    }

    /// The log in a few words, for messages.
    public var name: String {
        guard let first = parts.first, let last = parts.last, parts.count > 1 else { return parts.first?.name ?? "" }
        return "\(parts.count) files, \(first.name) to \(last.name)"
    }

    /// The files of the log, without standard input and databases.
    public var files: [String] {
        parts.compactMap { part in
            if case .file(let path) = part { path } else { nil }
        }
    }

    // MARK: Names

    /// Endings of the logs in a folder, before the ending of a compressed file.
    private static let endings = [".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json"]
    private static let scheme = "sqlite:"

    private static func parts(_ name: String) throws(CSVError) -> [Part] {
        if name == "-" { return [.standardInput] }
        if name.hasPrefix(scheme) { return [try query(name)] }
        let isFolder = FilePattern.isFolder(name)
        if isFolder == true {
            let files = logs(in: name)
            guard !files.isEmpty else {
                let known = endings.joined(separator: ", ")
                let reason = "the folder holds no file whose name ends in \(known), or .gz or .zst after it"
                throw .noFiles(name, reason: reason)
            }
            return files.map(Part.file)
        }
        guard isFolder == nil, FilePattern.isPattern(name) else { return [.file(name)] }
        let files = FilePattern.files(matching: name)
        guard !files.isEmpty else { throw .noFiles(name, reason: "no file matches the pattern") }
        return files.map(Part.file)
    }

    /// The logs in a folder, in the order of their names.
    ///
    /// Folders named `column=value`, as Spark and Hive write them, are parts of it.
    private static func logs(in folder: String) -> [String] {
        FilePattern.names(in: folder).flatMap { name in
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            guard FilePattern.isFolder(path) == true else { return isLog(name) ? [path] : [] }
            return !name.hasPrefix(".") && name.dropFirst().contains("=") ? logs(in: path) : []
        }
    }

    private static func isLog(_ name: String) -> Bool {
        let compression = ByteSource.decompressors.keys.first(where: name.hasSuffix)
        let plain = compression.map { name.dropLast($0.count) } ?? name[...]
        return !name.hasPrefix(".") && endings.contains(where: plain.lowercased().hasSuffix)
    }

    private static func query(_ name: String) throws(CSVError) -> Part {
        let rest = name.dropFirst(scheme.count)
        guard let mark = rest.range(of: "?query=") else {
            throw .invalidQuery(name, reason: "'?query=' is missing")
        }
        guard let database = decoded(rest[..<mark.lowerBound]), let sql = decoded(rest[mark.upperBound...]) else {
            throw .invalidQuery(name, reason: "a percent sign without two hexadecimal digits of UTF-8 after it")
        }
        guard !database.isEmpty else { throw .invalidQuery(name, reason: "the database has no name") }
        guard !sql.allSatisfy(\.isWhitespace) else { throw .invalidQuery(name, reason: "the query is empty") }
        return .query(sql, database: database)
    }

    /// Resolves `%` with two hexadecimal digits; nil for other uses of `%`, and for bytes that are not UTF-8.
    private static func decoded(_ text: Substring) -> String? { String(text).removingPercentEncoding }

    private static func identity(_ part: Part) -> String {
        guard case .file(let path) = part else {
            if case .query(let sql, let database) = part { return "\(scheme)\(database)?\(sql)" }
            return "-"
        }
        return URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
}

extension EventSource.Part {
    /// Opens the part while `body` reads its rows.
    func read(
        _ request: ColumnRequest,
        _ body: (inout CSVReader) throws(CSVError) -> Void
    ) throws(CSVError) {
        switch self {
        case .file(let path):
            var reader = try request.open(path)
            try body(&reader)
        case .standardInput:
            var reader = try request.open(ByteSource(name: name, .standardInput))
            try body(&reader)
        case .query(let sql, let database):
            do {
                try QueryText.read(sql, in: database) { rows in
                    var reader = try request.open(ByteSource(name: name, rows))
                    try body(&reader)
                }
            } catch let error as CSVError {
                throw error
            } catch {
                throw .failedQuery(database: name, reason: ByteSource.reason(error))
            }
        }
    }
}
