import CheckpointStore
import Foundation
import Logging
import Synchronization

/// A folder where a trainer drops exported versions to be published.
///
/// A file that appears (by a rename, so that it is whole) with a name ending in `.sqlite` is checked, taken over into the
/// store, made its model's active version, and removed. One that is bad, or whose version cannot be served, goes to the
/// folder `rejected` beside it, with the reason in a file of its own; while the store cannot be written it waits. A crash
/// in between loses nothing: content that the store has already is recognised.
final class ImportFolder: Sendable {
    /// A file that changed this lately may still be written to.
    private static let settlingSeconds = 1.0

    private let path: String
    private let source: any CheckpointSource
    private let logger: Logger
    /// Files that are done with but could not be removed, and whether the folder could be read at last.
    private let state = Mutex((done: Set<String>(), isReadable: true))
    /// Versions that were stored here and have not come into service yet.
    private let unpublished = Mutex<Set<VersionID>>([])

    /// A watched folder, which is made if it is missing.
    init(path: String, source: any CheckpointSource, logger: Logger) {
        self.path = path
        self.source = source
        self.logger = logger
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Takes over the files that have appeared, oldest first.
    ///
    /// - Parameter publish: Brings a version of the store into service.
    /// - Returns: For each file that was taken over or rejected what came of it.
    func takeFiles(_ publish: (VersionID) throws -> Void) -> [Result<VersionID, any Error>] {
        files().compactMap { file in
            let key = "\(file.path) \(Self.changeTime(of: file)?.timeIntervalSince1970 ?? 0)"
            guard !state.withLock({ $0.done.contains(key) }) else { return nil }
            let name: Logger.Metadata = ["file": "\(file.lastPathComponent)"]
            do {
                let (model, version, isNew) = try source.importVersion(from: file.path, activate: false)
                let id = VersionID(model, version)
                if isNew { unpublished.withLock { _ = $0.insert(id) } }
                do { try publish(id) } catch  where !ServingError.mayPass(error) {
                    if unpublished.withLock({ $0.remove(id) }) != nil {
                        try source.remove(model: model, version: version)
                    }
                    throw error
                }
                unpublished.withLock { _ = $0.remove(id) }
                logger.info(
                    "file imported",
                    metadata: name.merging(
                        ["model.name": "\(model)", "model.version": "\(version)", "version.isNew": "\(isNew)"]
                    ) { $1 }
                )
                remove(file, key)
                return .success(id)
            } catch  where ServingError.mayPass(error) {
                logger.warning("file waits", metadata: name.merging(["error": "\(error)"]) { $1 })
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
                // A clock that was set back must not hold a file up for ever.
                abs(now.timeIntervalSince(changed)) > Self.settlingSeconds
            else { return nil }
            return (url, changed)
        }
        .sorted { ($0.1, $0.0.lastPathComponent) < ($1.1, $1.0.lastPathComponent) }
        .map(\.0)
    }

    /// When a regular file was changed last; nil for what is none.
    private static func changeTime(of file: URL) -> Date? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
        return attributes?[.modificationDate] as? Date
    }

    private func remove(_ file: URL, _ key: String) {
        do {
            try FileManager.default.removeItem(at: file)
        } catch {
            logger.error("an imported file stays", metadata: ["file": "\(file.path)", "error": "\(error)"])
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
            logger.error("a rejected file stays", metadata: ["file": "\(file.path)", "error": "\(error)"])
            state.withLock { _ = $0.done.insert(key) }
        }
    }
}
