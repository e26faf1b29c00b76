import CheckpointStore
import Serving

extension RoutingTable {
    /// The active versions of some models of a store with the stored changes of their items, as a service would answer;
    /// requests without a model get the first.
    convenience init(store: CheckpointStore, models: [String], version: Int? = nil) throws {
        let builder = SnapshotBuilder.standard(warmUpRequests: 1, minRecall: 0)
        let routes = try models.enumerated().map { position, name in
            let checkpoint = try store.load(model: name, version: version)
            let built = try builder.build(checkpoint, generation: UInt64(position + 1))
            let changes = (items: try store.itemChanges(of: name), attributes: try store.attributeChanges(of: name))
            let snapshot = built.applying(changes.items, attributes: changes.attributes).snapshot
            return (name, TrafficRoute(name: name, arms: [TrafficArm(snapshot)]))
        }
        self.init(routes: Dictionary(routes) { first, _ in first }, standard: models.first, expected: [])
    }
}
