import Foundation
import Kernels

/// Creates a folder of CSV files atomically: the folder appears complete or not at all.
///
/// Files go to a hidden folder next to the target. It is renamed when everything is on the disk.
struct DatasetFolder {
    private let folder: URL
    private let source: String
    private let users: InternTable
    private let items: InternTable
    private var isKnownUser: [Bool]
    private var isKnownItem: [Bool]
    private var parts: [ImportSummary.Part] = []

    /// Checks that a folder is missing or empty; call it before any long work.
    static func requireFree(_ path: String) throws(ImportError) {
        guard FileManager.default.fileExists(atPath: path) else { return }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path), names.isEmpty else {
            throw .folderInUse(path)
        }
    }

    /// Creates a folder with the files that `body` writes into it.
    ///
    /// - Parameters:
    ///   - path: The folder; its parents must exist.
    ///   - source: The raw file, for errors.
    ///   - rows: Number of rows read from the raw file.
    ///   - users: Ids of the users of the interactions.
    ///   - items: Ids of the items of the interactions.
    ///   - body: Writes the files.
    /// - Returns: Counts of the written data.
    /// - Throws: ``ImportError``, `SystemCallError` or any error of `body`. Nothing is left behind then.
    static func create(
        _ path: String,
        source: String,
        rows: Int,
        users: InternTable,
        items: InternTable,
        _ body: (inout DatasetFolder) throws -> Void
    ) throws -> ImportSummary {
        try requireFree(path)
        let final = URL(filePath: path, directoryHint: .isDirectory).standardizedFileURL
        let part = final.deletingLastPathComponent().appending(path: ".\(final.lastPathComponent).part")
        // A killed import may have left this folder behind.
        try? FileManager.default.removeItem(at: part)
        do {
            try FileManager.default.createDirectory(at: part, withIntermediateDirectories: false)
        } catch {
            throw ImportError.unwritable(path: part.path, reason: ByteSource.reason(error))
        }
        do {
            var folder = DatasetFolder(folder: part, source: source, users: users, items: items)
            try body(&folder)
            try DurableFile.move(part.path, to: final.path)
            return folder.summary(rows: rows)
        } catch {
            try? FileManager.default.removeItem(at: part)
            throw error
        }
    }

    private init(folder: URL, source: String, users: InternTable, items: InternTable) {
        self.folder = folder
        self.source = source
        self.users = users
        self.items = items
        isKnownUser = [Bool](repeating: false, count: users.count)
        isKnownItem = [Bool](repeating: false, count: items.count)
    }

    /// Writes one file of interactions, in the order given.
    mutating func write(_ interactions: some Sequence<Interaction>, as name: String) throws(ImportError) {
        var writer = try CSVWriter(path: path(name), header: ["user", "item", "timestamp"])
        var isUser = [Bool](repeating: false, count: users.count)
        var isItem = [Bool](repeating: false, count: items.count)
        var events = 0
        for interaction in interactions {
            writer.append(users[interaction.user])
            writer.append(items[interaction.item])
            writer.append(interaction.timestamp)
            try writer.endRow()
            isUser[Int(interaction.user)] = true
            isItem[Int(interaction.item)] = true
            events += 1
        }
        guard events > 0 else { throw .emptyPart(name, source: source) }
        try writer.close()
        parts.append(
            ImportSummary.Part(
                name: name,
                users: isUser.count { $0 },
                items: isItem.count { $0 },
                events: events
            )
        )
        for user in isUser.indices where isUser[user] { isKnownUser[user] = true }
        for item in isItem.indices where isItem[item] { isKnownItem[item] = true }
    }

    /// Writes `items.csv`: a row for each item of the files written so far, by first appearance in the raw file.
    ///
    /// - Parameters:
    ///   - texts: The texts of the items.
    ///   - hasNames: Whether the file has columns of titles and categories.
    /// - Throws: ``ImportError`` if the file cannot be written.
    func writeItems(_ texts: ItemTexts, hasNames: Bool = true) throws(ImportError) {
        let header = (hasNames ? ["item", "title", "categories"] : ["item"]) + texts.attributes.map(\.header)
        var writer = try CSVWriter(path: path("items"), header: header)
        for item in isKnownItem.indices where isKnownItem[item] {
            let number = Int32(item)
            writer.append(items[number])
            if hasNames {
                writer.append(Array((texts.titles[number] ?? "").utf8))
                writer.append(Array((texts.categories[number] ?? "").utf8))
            }
            for attribute in texts.attributes { writer.append(Array((attribute.values[number] ?? "").utf8)) }
            try writer.endRow()
        }
        try writer.close()
    }

    private func path(_ name: String) -> String { folder.appending(path: "\(name).csv").path }

    private func summary(rows: Int) -> ImportSummary {
        ImportSummary(rows: rows, parts: parts, users: isKnownUser.count { $0 }, items: isKnownItem.count { $0 })
    }
}
