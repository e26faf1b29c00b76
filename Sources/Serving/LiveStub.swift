import CheckpointStore

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
