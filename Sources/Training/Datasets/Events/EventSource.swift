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
        /// The rows of a query on a database.
        case query(EventQuery)

        /// The name for messages.
        var name: String {
            switch self {
            case .file(let path): path
            case .standardInput: "standard input"
            case .query(let query): query.database.name
            }
        }
    }

    /// The parts in the order in which they are read; at least one.
    let parts: [Part]
    /// Files and folders in the named folders that are no parts of the log, without hidden ones and markers.
    let unread: [String]

    /// One file, whatever its name.
    public init(file: String) {
        (parts, unread) = ([.file(file)], [])
    }

    /// One file, whatever its name, or the logs of a folder.
    ///
    /// - Throws: ``CSVError`` for a folder without logs.
    init(path: String) throws(CSVError) {
        if FilePattern.isFolder(path) == true { try self.init([path]) } else { self.init(file: path) }
    }

    /// The log that some names give together, in their order.
    ///
    /// A name is one of these:
    /// - a file;
    /// - a folder, for all of its logs in the order of their names, also those in folders named `column=value`;
    /// - a pattern with `*`, `?` or `[...]`, for all files that match, in the order of their names;
    /// - `-` for standard input;
    /// - `sqlite:FILE?query=SELECT` or `postgres://HOST/DATABASE?query=SELECT` for the rows of a query, where `%` and
    ///   two hexadecimal digits stand for a byte.
    ///
    /// - Throws: ``CSVError`` for a pattern or folder without files, a file that is given twice, and a wrong query.
    public init(_ names: [String]) throws(CSVError) {
        precondition(!names.isEmpty, "a log without a name")
        var (parts, unread): ([Part], [String]) = ([], [])
        for name in names { parts += try Self.parts(name, &unread) }
        var seen: Set<String> = []
        for part in parts {
            guard seen.insert(Self.identity(part)).inserted else { throw .repeatedFile(part.name) }
        }
        (self.parts, self.unread) = (parts, unread)
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

    private static var knownEndings: String { endings.joined(separator: ", ") + ", or .gz or .zst after it" }

    /// A note about ``unread`` for the user; nil if everything is read.
    var note: String? {
        guard !unread.isEmpty else { return nil }
        return "warning: not read: \(Self.list(unread)); in a folder, only files are read whose name ends in "
            + "\(Self.knownEndings), and folders named column=value"
    }

    /// The first five names.
    private static func list(_ names: [String]) -> String {
        let more = names.count > 5 ? " and \(names.count - 5) more" : ""
        return names.prefix(5).map { "'\($0)'" }.joined(separator: ", ") + more
    }

    private static func parts(_ name: String, _ unread: inout [String]) throws(CSVError) -> [Part] {
        if name == "-" { return [.standardInput] }
        if let query = try EventQuery(name) { return [.query(query)] }
        let isFolder = FilePattern.isFolder(name)
        if isFolder == nil, let scheme = name.prefixMatch(of: /[a-zA-Z][-+.0-9a-zA-Z]*:\/\//) {
            // The rest of the name may hold a password.
            throw .unknownSource(String(scheme.output))
        }
        if isFolder == true {
            var others: [String] = []
            let files = logs(in: name, &others)
            guard !files.isEmpty else {
                let reason = "the folder holds no file whose name ends in \(knownEndings)"
                throw .noFiles(name, reason: reason + (others.isEmpty ? "" : "; it holds \(list(others))"))
            }
            unread += others
            return files.map(Part.file)
        }
        guard isFolder == nil, FilePattern.isPattern(name) else { return [.file(name)] }
        let files = FilePattern.files(matching: name)
        guard !files.isEmpty else { throw .noFiles(name, reason: "no file matches the pattern") }
        return files.map(Part.file)
    }

    /// The logs in a folder, in the order of their names.
    ///
    /// Folders named `column=value`, as Spark and Hive write them, are parts of it. Adds the names of other files and
    /// folders to `others`, without hidden ones and those that begin with `_`, such as `_SUCCESS`.
    private static func logs(in folder: String, _ others: inout [String]) -> [String] {
        var files: [String] = []
        for name in FilePattern.names(in: folder) where !name.hasPrefix(".") {
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            let isFolder = FilePattern.isFolder(path) == true
            if isFolder, name.dropFirst().contains("=") {
                files += logs(in: path, &others)
            } else if !isFolder, isLog(name) {
                files.append(path)
            } else if !name.hasPrefix("_") {
                others.append(isFolder ? path + "/" : path)
            }
        }
        return files
    }

    private static func isLog(_ name: String) -> Bool {
        let compression = ByteSource.decompressors.keys.first(where: name.hasSuffix)
        let plain = compression.map { name.dropLast($0.count) } ?? name[...]
        return endings.contains(where: plain.lowercased().hasSuffix)
    }

    private static func identity(_ part: Part) -> String {
        switch part {
        case .file(let path): URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
        case .standardInput: "-"
        case .query(let query): query.identity
        }
    }

    /// A name as ``init(_:)`` takes it, with its files relative to a folder.
    static func resolved(_ name: String, in folder: URL) -> String {
        if name == "-" { return name }
        if name.contains("://") || name.contains("?query=") { return EventQuery.resolved(name, in: folder.path) }
        return URL(filePath: name, relativeTo: folder).path
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
        case .query(let query):
            try query.read { (rows) throws(CSVError) in
                var reader = try request.open(rows)
                try body(&reader)
            }
        }
    }
}
