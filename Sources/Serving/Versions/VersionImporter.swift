import CheckpointStore
import Synchronization

/// Imports exported versions from files into the store and brings each into service.
///
/// The import folder and pulled versions share it.
final class VersionImporter: Sendable {
    private let source: any CheckpointSource
    /// Versions that were stored here but are not in service yet.
    private let unpublished = Mutex<Set<VersionID>>([])

    init(source: any CheckpointSource) { self.source = source }

    /// Imports a file, which stays as it is.
    ///
    /// A new version that cannot be served leaves the store again.
    ///
    /// - Parameters:
    ///   - path: The exported version.
    ///   - publish: Brings a version of the store into service.
    /// - Returns: The version in the store, and whether the store did not have it before.
    /// - Throws: The errors of the store and of `publish`.
    func take(_ path: String, _ publish: (VersionID) throws -> Void) throws -> (id: VersionID, isNew: Bool) {
        let (model, version, isNew) = try source.importVersion(from: path, activate: false)
        let id = VersionID(model, version)
        if isNew { unpublished.withLock { _ = $0.insert(id) } }
        do { try publish(id) } catch  where !ServingError.mayPass(error) {
            if unpublished.withLock({ $0.remove(id) }) != nil { try source.remove(model: model, version: version) }
            throw error
        }
        unpublished.withLock { _ = $0.remove(id) }
        return (id, isNew)
    }
}
