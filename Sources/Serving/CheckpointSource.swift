public import CheckpointStore

/// What the service needs of a store.
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

    /// The version that ``rollback(model:)`` would choose, or nil when there is none.
    func rollbackTarget(of model: String) throws -> Int?

    /// Takes back the last choice and returns the version that is to be served now.
    func rollback(model: String) throws -> Int

    /// Reads a version and checks it against its digests.
    func load(model: String, version: Int) throws -> Checkpoint

    /// Checks every stored byte of a version against its digests.
    func verify(model: String, version: Int) throws

    /// A digest over everything that a version holds, in hexadecimal.
    func digest(model: String, version: Int) throws -> String

    /// All aliases, by name.
    func aliases() throws -> [Alias]

    /// Stores an alias, if it has the given revision so far (nil: whatever it has; 0: if there is none), and returns it
    /// with its new revision.
    func setAlias(_ alias: Alias, ifRevision: Int?) throws -> Alias

    /// Removes an alias, if it has the given revision (nil: whatever it has).
    func removeAlias(_ name: String, ifRevision: Int?) throws

    /// The newest change of each item of a model, in the order in which they were made.
    func itemChanges(of model: String) throws -> [ItemChange]

    /// A number that rises with every change of a model's items, 0 before the first.
    func newestItemChange(of model: String) throws -> Int

    /// Stores a change of an item.
    func changeItem(_ change: ItemChange) throws

    /// Takes over an exported version, and maybe chooses it to be served; see `CheckpointStore.importVersion`.
    func importVersion(from path: String, activate: Bool) throws -> (model: String, version: Int, isNew: Bool)

    /// Removes a model's versions beyond the newest `keeping` that nothing needs, and returns them.
    func prune(model: String, keeping: Int) throws -> [Int]
}
