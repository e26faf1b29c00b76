import CheckpointStore
import Foundation

/// Stores and files of the tests of export and import.
extension TemporaryDirectory {
    /// The names of all files in the directory, hidden ones too, except for the logs of the two stores.
    func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: url.path)
            .filter { !["store.sqlite-", "target.sqlite-"].contains(where: $0.hasPrefix) }.sorted()
    }

    func target(busyTimeout: Double = 10, pageLimit: Int? = nil) throws -> CheckpointStore {
        try CheckpointStore(
            path: path("target.sqlite"),
            readOnly: false,
            chunkBytes: 128,
            busyTimeout: busyTimeout,
            pageLimit: pageLimit
        )
    }

    /// A store with versions 1 to `count` of "ml" besides another model's, and version `version` exported to `name`.
    func exported(_ version: Int = 2, of count: Int = 3, to name: String = "e.sqlite") throws -> String {
        let store = try self.store()
        for tag in 1...count { _ = try store.publish(Fixtures.checkpoint(tag)) }
        _ = try store.publish(Fixtures.checkpoint(50, model: "other"))
        _ = try store.setAlias(Alias(name: "stable", model: "ml"))
        try store.changeItem(ItemChange(model: "ml", item: "i1", version: 1, content: nil))
        try store.export(model: "ml", version: version, to: path(name))
        try store.close()
        return path(name)
    }
}
