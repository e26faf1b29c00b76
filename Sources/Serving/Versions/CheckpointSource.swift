public import CheckpointStore

/// What the service needs of a store.
///
/// All calls may block on the disk: never call them on an event loop of the data plane.
public protocol CheckpointSource: Sendable {
    /// The names of all models.
    func modelNames() throws -> [String]

    /// A model's versions, oldest first, damaged ones with the reason; empty for an unknown model.
    func inventory(of model: String) throws -> [StoredVersion]

    /// The version that is to be served, or nil when none was chosen.
    func activeVersion(of model: String) throws -> Int?

    /// Chooses the version that is to be served.
    func activate(model: String, version: Int) throws

    /// The version that ``rollback(model:)`` would choose, or nil when there is none.
    func rollbackTarget(of model: String) throws -> Int?

    /// Takes back the last choice, if that leads to the expected version; else throws
    /// `CheckpointError.rollbackTargetChanged`.
    func rollback(model: String, expecting version: Int) throws

    /// Reads a version and checks it against its digests.
    func load(model: String, version: Int) throws -> Checkpoint

    /// Checks every stored byte of a version against its digests.
    func verify(model: String, version: Int) throws

    /// All intact aliases, by name.
    func aliases() throws -> [Alias]

    /// Whether there are aliases that ``aliases()`` leaves out, because they are damaged.
    func hasDamagedAliases() throws -> Bool

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

    /// Removes a version that is neither active nor named by an alias.
    func remove(model: String, version: Int) throws

    /// Everything outside of the versions' contents that is damaged.
    func damage() throws -> [StoreDamage]

    /// Makes sure that the store's file is the one that was opened; opens one that has taken its place.
    func reopenIfReplaced() throws

    /// Removes a model's versions beyond the newest `keeping` that nothing needs, and returns them.
    func prune(model: String, keeping: Int) throws -> [Int]
}
