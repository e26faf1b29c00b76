import Foundation
import Logging
import Synchronization

/// A folder from which exported versions are imported and activated.
///
/// A trainer renames a file with the suffix `.sqlite` into the folder, so that it is complete. The process checks
/// it, imports it into the store, activates its version, and removes the file. A file moves to the subfolder
/// `rejected`, beside a file with the reason, if it is bad or its version cannot be served. Files wait while the
/// store cannot be written. A crash in between loses nothing, because the store recognises content that it already
/// has.
final class ImportFolder: Sendable {
    /// A file that changed this lately may still be written to.
    private static let settlingSeconds = 1.0

    private let path: String
    private let importer: VersionImporter
    private let logger: Logger
    /// Finished files that could not be removed, and whether the folder could be read last time.
    private let state = Mutex((done: Set<String>(), isReadable: true))

    /// Watches a folder, and creates it if it is missing.
    init(path: String, importer: VersionImporter, logger: Logger) {
        self.path = path
        self.importer = importer
        self.logger = logger
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Imports the new files, oldest first.
    ///
    /// - Parameter publish: Brings a version of the store into service.
    /// - Returns: The outcome of each file that was imported or rejected.
    func takeFiles(_ publish: (VersionID) throws -> Void) -> [Result<VersionID, any Error>] {
        files().compactMap { file in
            let key = "\(file.path) \(Self.changeTime(of: file)?.timeIntervalSince1970 ?? 0)"
            guard !state.withLock({ $0.done.contains(key) }) else { return nil }
            let name: Logger.Metadata = ["file": "\(file.lastPathComponent)"]
            do {
                let (id, isNew) = try importer.take(file.path, publish)
                logger.info(
                    "file imported",
                    metadata: name.merging(
                        ["model.name": "\(id.model)", "model.version": "\(id.version)", "version.isNew": "\(isNew)"]
                    ) { $1 }
                )
                remove(file, key)
                return .success(id)
            } catch  where ServingError.mayPass(error) {
                logger.warning("file not imported yet", metadata: name.merging(["error": "\(error)"]) { $1 })
                return nil
            } catch {
                logger.error("file rejected", metadata: name.merging(["error": "\(error)"]) { $1 })
                reject(file, key, "\(error)")
                return .failure(error)
            }
        }
    }

    private func files() -> [URL] {
        let folder = URL(fileURLWithPath: path, isDirectory: true)
        let urls = try? FileManager.default.contentsOfDirectory(
            at: folder,
            includingPropertiesForKeys: nil,
            options: .skipsHiddenFiles
        )
        let wasReadable = state.withLock { state in
            defer { state.isReadable = urls != nil }
            return state.isReadable
        }
        guard let urls else {
            if wasReadable { logger.error("IMPORT_FOLDER cannot be read", metadata: ["folder": "\(path)"]) }
            return []
        }
        let now = Date.now
        return urls.compactMap { url -> (URL, Date)? in
            guard url.pathExtension == "sqlite", let changed = Self.changeTime(of: url),
                // A clock that was set back must not delay a file for ever.
                abs(now.timeIntervalSince(changed)) > Self.settlingSeconds
            else { return nil }
            return (url, changed)
        }
        .sorted { ($0.1, $0.0.lastPathComponent) < ($1.1, $1.0.lastPathComponent) }
        .map(\.0)
    }

    /// When a regular file was last changed; nil for anything else.
    private static func changeTime(of file: URL) -> Date? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
        return attributes?[.modificationDate] as? Date
    }

    private func remove(_ file: URL, _ key: String) {
        do {
            try FileManager.default.removeItem(at: file)
        } catch {
            logger.error("imported file not removed", metadata: ["file": "\(file.path)", "error": "\(error)"])
            state.withLock { _ = $0.done.insert(key) }
        }
    }

    private func reject(_ file: URL, _ key: String, _ reason: String) {
        let manager = FileManager.default
        let folder = file.deletingLastPathComponent().appendingPathComponent("rejected", isDirectory: true)
        let target = folder.appendingPathComponent(file.lastPathComponent)
        do {
            try manager.createDirectory(at: folder, withIntermediateDirectories: true)
            try? manager.removeItem(at: target)
            try manager.moveItem(at: file, to: target)
            try Data((reason + "\n").utf8).write(to: target.appendingPathExtension("reason"))
        } catch {
            logger.error("rejected file not moved", metadata: ["file": "\(file.path)", "error": "\(error)"])
            state.withLock { _ = $0.done.insert(key) }
        }
    }
}
