public import CheckpointStore

/// What the watcher and the control plane need of a store.
///
/// All calls may block on the disk: never call them on an event loop of the data plane.
public protocol CheckpointSource: Sendable {
    /// The names of all models.
    func modelNames() throws -> [String]

    /// The manifests of a model's versions, oldest first; empty for an unknown model.
    func manifests(of model: String) throws -> [CheckpointManifest]

    /// The version that is to be served, or nil when none was chosen.
    func activeVersion(of model: String) throws -> Int?

    /// Chooses the version that is to be served.
    func activate(model: String, version: Int) throws

    /// Reads a version and checks it against its digests.
    func load(model: String, version: Int) throws -> Checkpoint

    /// Checks every stored byte of a version against its digests.
    func verify(model: String, version: Int) throws

    /// A digest over everything that a version holds, in hexadecimal.
    func digest(model: String, version: Int) throws -> String
}
