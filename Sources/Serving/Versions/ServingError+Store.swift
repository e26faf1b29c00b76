import CheckpointStore

extension ServingError {
    /// Whether an error is about the store's present state, not about a version or file, so a retry may succeed.
    static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case CheckpointError.locked, CheckpointError.diskFull, CheckpointError.readOnly, CheckpointError.inputOutput,
            CheckpointError.replaced, SnapshotError.searchUnavailable, ServingError.storeFailed,
            ServingError.searchUnavailable, ServingError.busyLoading:
            true
        default: false
        }
    }

    /// The service's error for an error of the store or of an item change.
    package init(_ error: any Error) {
        switch error {
        case let error as ServingError:
            self = error
        case SnapshotError.searchUnavailable(let reason):
            self = .searchUnavailable(reason)
        case ItemChangeError.unknownItem(let item):
            self = .itemNotFound(item)
        case let error as ItemChangeError:
            self = .invalidItem(field: error.field, message: error.description)
        case CheckpointError.modelNotFound(let model, let available):
            self = .modelNotServed(model, served: available)
        case CheckpointError.versionNotFound(let model, let version, _):
            self = .versionNotFound(VersionID(model, version))
        case CheckpointError.aliasNotFound(let alias, _):
            self = .aliasNotFound(alias)
        case CheckpointError.revisionMismatch(let alias, _, let found):
            self = .aliasChanged(name: alias, revision: found)
        case CheckpointError.nothingToRollBackTo(let model, _):
            self = .nothingToRollBackTo(model: model)
        case CheckpointError.invalid(let reason):
            self = .invalidAlias(reason)
        default:
            self = .storeFailed("\(error)")
        }
    }
}
