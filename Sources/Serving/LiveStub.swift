public import CheckpointStore

struct ItemChangeError: Error { var field = "", message = "" }
extension ServingSnapshot {
    func applying(_ changes: [ItemChange]) -> (snapshot: ServingSnapshot, skipped: [Int]) { (self, []) }
    func completed(_ change: ItemChange) throws(ItemChangeError) -> ItemChange { change }
    public var tombstones: Int { 0 }
    public var addedItems: Int { 0 }
}
extension ServingError {
    init(_ error: ItemChangeError, item: String) { self = .invalidItem(field: error.field, message: error.message) }
}
extension CheckpointStore {
    public func rollbackTarget(of model: String) throws -> Int? { nil }
    public func rollback(model: String) throws -> Int { 0 }
    public func aliases() throws -> [Alias] { [] }
    public func setAlias(_ alias: Alias, ifRevision: Int?) throws -> Alias { alias }
    public func removeAlias(_ name: String, ifRevision: Int?) throws {}
    public func itemChanges(of model: String) throws -> [ItemChange] { [] }
    public func changeItem(_ change: ItemChange) throws {}
    public func importVersion(from path: String, activate: Bool) throws -> (model: String, version: Int, isNew: Bool) {
        ("", 0, false)
    }
    public func prune(model: String, keeping: Int) throws -> [Int] { [] }
}
extension CheckpointError {
    static func aliasNotFoundStub() {}
}
extension CheckpointStore { public func newestItemChange(of model: String) throws -> Int { 0 } }
