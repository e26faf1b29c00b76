public import CheckpointStore

/// Changes of items, in the store and in all versions of a model at once.
extension ServingController {
    /// New values of the attributes of one item.
    public struct AttributeEdit: Sendable {
        /// The item's id in the catalogue.
        public var item: String
        /// The new values by attribute; nil means that the item has no value.
        public var values: [String: AttributeValue?]
        /// Whether earlier changed values are forgotten.
        public var replaces: Bool

        /// Describes new values.
        public init(item: String, values: [String: AttributeValue?], replaces: Bool) {
            self.item = item
            self.values = values
            self.replaces = replaces
        }
    }

    /// The result of a change of attributes.
    public struct AttributeOutcome: Sendable {
        /// The model whose items changed.
        public let model: String
        /// The version whose attributes the values were checked against.
        public let version: Int
        /// How many items changed.
        public let changed: Int
        /// Ids that no version in memory knows; they were ignored.
        public let unknown: [String]
    }

    /// The item changes of a model since the training of its versions.
    ///
    /// - Parameter model: The model; nil is the one for requests without a model.
    /// - Returns: The newest change of each item, in the order of the changes, and the changed values of attributes.
    /// - Throws: ``ServingError``.
    public func itemChanges(
        of model: String?
    ) async throws(ServingError) -> (items: [ItemChange], attributes: [AttributeChange]) {
        try await offThread { [self] () throws(ServingError) in
            let name = try named(model)
            try checkServed(name)
            return try onStore { (try $0.itemChanges(of: name), try $0.attributeChanges(of: name)) }
        }
    }

    /// Adds, replaces or removes an item, in the store and in all versions of the model at once.
    ///
    /// - Parameters:
    ///   - item: The item's id in the catalogue.
    ///   - content: The item's new content; nil removes it.
    ///   - attributes: The item's values, instead of earlier changed ones; nil leaves them.
    ///   - model: The model; nil is the one for requests without a model.
    /// - Returns: The recorded change.
    /// - Throws: ``ServingError``.
    public func changeItem(
        _ item: String,
        to content: ItemChange.Content?,
        attributes: [String: AttributeValue?]? = nil,
        model: String?
    ) async throws(ServingError) -> ItemChange {
        try await offThread { [self] () throws(ServingError) in
            let name = try named(model)
            try checkServed(name)
            return try committed {
                let active = try snapshotInService(of: name)
                let change = ItemChange(model: name, item: item, version: active.version, content: content)
                let completed = try active.completed(change)
                let values = try attributes.map { values in
                    let checked = try active.filters.attributes.checked(values, at: "attributes")
                    return AttributeChange(model: name, item: item, values: checked, replaces: true)
                }
                // A version that did not know the item until now has none of its stored values yet.
                let known = try values ?? source.attributeChange(of: item, in: name)
                try record(of: name) {
                    try source.changeItem(completed, attributes: values)
                } applying: { snapshot in
                    snapshot.applying([completed], attributes: known.map { [$0] } ?? []).snapshot
                }
                return completed
            }
        }
    }

    /// Gives attributes of many items new values, in the store and in all versions of the model at once.
    ///
    /// - Parameters:
    ///   - edits: The new values; of several for one item and attribute the last counts.
    ///   - model: The model; nil is the one for requests without a model.
    /// - Returns: What changed. Items that no version in memory knows are ignored.
    /// - Throws: ``ServingError/invalidAttribute(field:message:)`` with a path such as `items/3/attributes/price`, and
    ///   other ``ServingError``; then nothing changed.
    /// - Complexity: O(edits), and O(items) for each changed attribute of numbers.
    public func changeAttributes(
        _ edits: [AttributeEdit],
        model: String?
    ) async throws(ServingError) -> AttributeOutcome {
        try await offThread { [self] () throws(ServingError) in
            let name = try named(model)
            try checkServed(name)
            return try committed {
                let active = try snapshotInService(of: name)
                let snapshots = look { state in state.residents.values.map(\.snapshot).filter { $0.model == name } }
                var changes: [AttributeChange] = []
                var unknown: [String] = []
                for (position, edit) in edits.enumerated() {
                    let values = try active.filters.attributes.checked(
                        edit.values,
                        at: "items/\(position)/attributes"
                    )
                    guard snapshots.contains(where: { $0.number(of: edit.item) != nil }) else {
                        unknown.append(edit.item)
                        continue
                    }
                    changes.append(
                        AttributeChange(model: name, item: edit.item, values: values, replaces: edit.replaces)
                    )
                }
                if !changes.isEmpty {
                    try record(of: name) {
                        try source.changeAttributes(changes, of: name)
                    } applying: { snapshot in
                        snapshot.applying([], attributes: changes).snapshot
                    }
                }
                return AttributeOutcome(
                    model: name,
                    version: active.version,
                    changed: changes.count,
                    unknown: unknown
                )
            }
        }
    }

    /// The snapshot that checks and completes changes.
    private func snapshotInService(of model: String) throws(ServingError) -> ServingSnapshot {
        let active = look { state in
            // If only aliases serve the model, the newest version of theirs completes the change.
            let served = state.residents.keys.filter { $0.model == model && state.isInUse($0) }
            let version = state.active(of: model) ?? served.map(\.version).max()
            return version.flatMap { state.residents[VersionID(model, $0)]?.snapshot }
        }
        guard let active else { throw .notReady(model: model) }
        return active
    }

    /// Stores changes and then applies them to every version of the model that is in memory.
    private func record(
        of model: String,
        _ store: () throws -> RecordedChanges,
        applying: (ServingSnapshot) -> ServingSnapshot
    ) throws {
        let recorded = try store()
        for (id, resident) in look({ $0.residents }) where id.model == model {
            let snapshot = applying(resident.snapshot)
            // If another process changed items too, the next poll reads all changes again.
            let isWhole = resident.newestChange == recorded.previous
            let newest = isWhole ? recorded.newest : resident.newestChange
            publish { $0.replace(id, by: snapshot, newestChange: newest) }
        }
    }
}
