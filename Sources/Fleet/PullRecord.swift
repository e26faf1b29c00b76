import Foundation
import Kernels

/// What the replicas of a store have pulled; a small file beside the store.
struct PullRecord: Codable, Equatable {
    /// The release of a model that was taken last.
    struct Taken: Codable, Equatable {
        var sequence: Int
        var sha256: String
        /// The version's number in this store.
        var version: Int
    }

    /// The release of each model that was taken last.
    var taken: [String: Taken] = [:]
    /// Why files are never taken again, by SHA-256.
    var refused: [String: String] = [:]

    init() {}

    /// Reads a record; a missing file is an empty record.
    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else { return }
        self = try JSONDecoder().decode(PullRecord.self, from: data)
    }

    /// Replaces the file durably.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let part = "\(path).part"
        try encoder.encode(self).write(to: URL(filePath: part))
        try DurableFile.move(part, to: path)
    }
}
