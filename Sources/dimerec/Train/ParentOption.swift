import ArgumentParser
import CheckpointStore
import Training

/// A version to continue from, as `MODEL`, `MODEL@active` or `MODEL@VERSION`.
struct ParentOption: ExpressibleByArgument {
    /// The name in the store.
    let model: String
    /// The version; nil for the active one.
    let version: Int?

    init?(argument: String) {
        let parts = argument.split(separator: "@", omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty, parts.count <= 2 else { return nil }
        model = String(name)
        guard parts.count == 2, parts[1] != "active" else {
            version = nil
            return
        }
        guard let number = Int(parts[1]), number >= 1 else { return nil }
        version = number
    }

    /// Reads the version and checks every stored byte of it.
    ///
    /// - Throws: `CheckpointError`, or ``ConfigurationError`` for its recipe.
    func load(from store: CheckpointStore) throws -> ParentVersion {
        try ParentVersion(store.load(model: model, version: version))
    }
}
