import Foundation
import Kernels

/// The record of the versions that the replicas of a store have pulled; a small file beside the store.
package struct PullRecord: Codable, Equatable {
    /// The release of a model that was taken last.
    package struct Taken: Codable, Equatable {
        var sequence: Int
        var sha256: String
        /// The version's number in this store.
        var version: Int
    }

    /// The release of each model that was taken last.
    package var taken: [String: Taken] = [:]
    /// Why files are never taken again, by SHA-256.
    package var refused: [String: String] = [:]

    package init() {}

    /// Reads a record; a missing file is an empty record.
    package init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else { return }
        self = try JSONDecoder().decode(PullRecord.self, from: data)
    }

    /// Replaces the file durably.
    package func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let part = "\(path).part"
        try encoder.encode(self).write(to: URL(filePath: part))
        try DurableFile.move(part, to: path)
    }
}
