public import CheckpointStore

/// The operations of a store that the service needs.
///
/// All calls may block on the disk: never call them on an event loop of the data plane.
public protocol CheckpointSource: Sendable {
    /// The names of all models.
    func modelNames() throws -> [String]

    /// A model's versions, oldest first, damaged ones with the reason; empty for an unknown model.
    func inventory(of model: String) throws -> [StoredVersion]

    /// The version that the store wants served, or nil when none was chosen.
    func activeVersion(of model: String) throws -> Int?

    /// Chooses the version to serve.
    func activate(model: String, version: Int) throws

    /// The version that ``rollback(model:)`` would choose, or nil when there is none.
    func rollbackTarget(of model: String) throws -> Int?

    /// Undoes the last choice if that leads to the expected version, else throws
    /// `CheckpointError.rollbackTargetChanged`.
    func rollback(model: String, expecting version: Int) throws

    /// Reads a version and checks it against its digests.
    func load(model: String, version: Int) throws -> Checkpoint

    /// Checks every stored byte of a version against its digests.
    func verify(model: String, version: Int) throws

    /// All intact aliases, by name.
    func aliases() throws -> [Alias]

    /// Whether ``aliases()`` omits aliases because they are damaged.
    func hasDamagedAliases() throws -> Bool

    /// Stores an alias and returns it with its new revision, if its stored revision is the given one (nil: any; 0:
    /// no alias yet).
    func setAlias(_ alias: Alias, ifRevision: Int?) throws -> Alias

    /// Removes an alias, if its revision is the given one (nil: any).
    func removeAlias(_ name: String, ifRevision: Int?) throws

    /// The newest change of each item of a model, in the order of the changes.
    func itemChanges(of model: String) throws -> [ItemChange]

    /// The changed values of the attributes of each item of a model.
    func attributeChanges(of model: String) throws -> [AttributeChange]

    /// The changed values of the attributes of one item; nil if there are none.
    func attributeChange(of item: String, in model: String) throws -> AttributeChange?

    /// The number of the newest change of an item or of its attributes, which no later change repeats; 0 before the
    /// first.
    func newestItemChange(of model: String) throws -> Int

    /// Stores a change of an item, and new values of its attributes if there are any, in one step.
    func changeItem(_ change: ItemChange, attributes: AttributeChange?) throws -> RecordedChanges

    /// Stores new values of attributes, in order and in one step.
    func changeAttributes(_ changes: [AttributeChange], of model: String) throws -> RecordedChanges

    /// Imports an exported version and optionally activates it; see `CheckpointStore.importVersion`.
    func importVersion(from path: String, activate: Bool) throws -> (model: String, version: Int, isNew: Bool)

    /// Removes a version that is neither active nor named by an alias.
    func remove(model: String, version: Int) throws

    /// All damage outside of the versions' contents.
    func damage() throws -> [StoreDamage]

    /// Checks that the store's file is the one that was opened, and opens its replacement if there is one.
    func reopenIfReplaced() throws

    /// Removes and returns a model's unneeded versions beyond the newest `keeping`.
    func prune(model: String, keeping: Int) throws -> [Int]
}
