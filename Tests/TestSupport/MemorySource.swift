package import CheckpointStore
import Foundation
import Serving
package import Synchronization

package enum StoreDoubleError: Error {
    case noItems
    case damaged
    case unknown
}

/// A store in memory whose versions can be damaged and whose loads can be blocked.
package final class MemorySource: CheckpointSource {
    package struct State {
        package var checkpoints: [Int: Checkpoint] = [:]
        package var activations: [Int] = []
        /// Models besides `m`, without a version.
        package var otherModels: [String] = []
        package var aliases: [String: Alias] = [:]
        package var changes: [ItemChange] = []
        package var attributeChanges: [AttributeChange] = []
        package var newestChange = 0
        package var damaged: Set<Int> = []
        package var loads = 0
        package var isHeld = false
        /// The error of the next loads.
        package var loadError: CheckpointError?
        /// The error of the next load alone.
        package var passingLoadError: CheckpointError?
        /// The error of the next writes.
        package var refusal: CheckpointError?
        /// The error of ``reopenIfReplaced()``.
        package var replacement: CheckpointError?

        package var active: Int? { activations.last }

        fileprivate func revision(of alias: String, expected: Int?) throws -> Int {
            let found = aliases[alias]?.revision ?? 0
            guard expected == nil || expected == found else {
                throw CheckpointError.revisionMismatch(alias: alias, expected: expected ?? 0, found: found)
            }
            return found
        }
    }

    package let state = Mutex(State())

    package init(_ versions: [Int], active: Int?) {
        state.withLock { state in
            for version in versions { state.checkpoints[version] = makeCheckpoint(version: version) }
            state.activations = active.map { [$0] } ?? []
        }
    }

    package func modelNames() -> [String] {
        state.withLock { ($0.checkpoints.isEmpty ? [] : ["m"]) + $0.otherModels }
    }

    package func inventory(of model: String) -> [StoredVersion] {
        guard model == "m" else { return [] }
        return state.withLock { state in
            state.checkpoints.values.map(\.manifest).sorted { $0.version < $1.version }.map { manifest in
                StoredVersion(
                    number: manifest.version,
                    summary: .success(
                        VersionSummary(
                            manifest: manifest,
                            isActive: manifest.version == state.active,
                            bytes: 1,
                            digest: "digest-\(manifest.version)"
                        )
                    )
                )
            }
        }
    }

    package func activeVersion(of model: String) -> Int? { model == "m" ? state.withLock(\.active) : nil }

    package func activate(model: String, version: Int) throws {
        try write { state in if state.active != version { state.activations.append(version) } }
    }

    package func rollbackTarget(of model: String) -> Int? { state.withLock { $0.activations.dropLast().last } }

    package func rollback(model: String, expecting version: Int) throws {
        try write { state in
            guard let target = state.activations.dropLast().last else { throw StoreDoubleError.unknown }
            guard target == version else {
                throw CheckpointError.rollbackTargetChanged(model: model, expected: version, found: target)
            }
            state.activations.removeLast()
        }
    }

    package func load(model: String, version: Int) throws -> Checkpoint {
        state.withLock { $0.loads += 1 }
        while state.withLock(\.isHeld) { Thread.sleep(forTimeInterval: 0.001) }
        if let error = state.withLock(\.loadError) { throw error }
        if let error = state.withLock({ $0.passingLoadError.take() }) { throw error }
        try verify(model: model, version: version)
        guard let checkpoint = state.withLock({ $0.checkpoints[version] }) else { throw StoreDoubleError.unknown }
        return checkpoint
    }

    package func verify(model: String, version: Int) throws {
        guard !state.withLock({ $0.damaged.contains(version) }) else { throw StoreDoubleError.damaged }
    }

    package func aliases() -> [Alias] { state.withLock { $0.aliases.values.sorted { $0.name < $1.name } } }

    package func hasDamagedAliases() -> Bool { false }

    package func damage() -> [StoreDamage] { [] }

    package func reopenIfReplaced() throws {
        if let error = state.withLock(\.replacement) { throw error }
    }

    package func remove(model: String, version: Int) throws {
        try write { state in state.checkpoints[version] = nil }
    }

    package func setAlias(_ alias: Alias, ifRevision: Int?) throws -> Alias {
        if let contradiction = alias.contradiction { throw CheckpointError.invalid(reason: contradiction) }
        return try write { state in
            var alias = alias
            alias.revision = try state.revision(of: alias.name, expected: ifRevision) + 1
            state.aliases[alias.name] = alias
            return alias
        }
    }

    package func removeAlias(_ name: String, ifRevision: Int?) throws {
        try write { state in
            guard state.aliases[name] != nil else { throw CheckpointError.aliasNotFound(alias: name, available: []) }
            _ = try state.revision(of: name, expected: ifRevision)
            state.aliases[name] = nil
        }
    }

    package func itemChanges(of model: String) -> [ItemChange] { state.withLock(\.changes) }

    package func newestItemChange(of model: String) -> Int { state.withLock(\.newestChange) }

    package func attributeChanges(of model: String) -> [AttributeChange] { state.withLock(\.attributeChanges) }

    package func attributeChange(of item: String, in model: String) -> AttributeChange? {
        state.withLock { $0.attributeChanges.first { $0.item == item } }
    }

    package func changeItem(_ change: ItemChange, attributes: AttributeChange? = nil) throws -> RecordedChanges {
        let previous = try write { state in
            state.changes.removeAll { $0.item == change.item }
            state.changes.append(change)
            state.newestChange += 1
            return state.newestChange - 1
        }
        let recorded = try changeAttributes(attributes.map { [$0] } ?? [], of: change.model)
        return RecordedChanges(previous: previous, newest: recorded.newest)
    }

    package func changeAttributes(_ changes: [AttributeChange], of model: String) throws -> RecordedChanges {
        try write { state in
            let previous = state.newestChange
            for change in changes {
                var values: [String: AttributeValue?] = [:]
                if !change.replaces, let earlier = state.attributeChanges.first(where: { $0.item == change.item }) {
                    values = earlier.values
                }
                values.merge(change.values) { $1 }
                state.attributeChanges.removeAll { $0.item == change.item }
                state.attributeChanges.append(AttributeChange(model: change.model, item: change.item, values: values))
                state.newestChange += 1
            }
            return RecordedChanges(previous: previous, newest: state.newestChange)
        }
    }

    /// Imports a file whose text is a version's number, and rejects any other.
    package func importVersion(from path: String, activate: Bool) throws -> (model: String, version: Int, isNew: Bool) {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let version = Int(text) else { throw CheckpointError.notAStore(path: path) }
        return try write { state in
            let isNew = state.checkpoints[version] == nil
            if isNew { state.checkpoints[version] = makeCheckpoint(version: version) }
            if activate { state.activations.append(version) }
            return ("m", version, isNew)
        }
    }

    package func prune(model: String, keeping: Int) throws -> [Int] {
        try write { state in
            let removed = state.checkpoints.keys.sorted().dropLast(keeping).filter { $0 != state.active }
            for version in removed { state.checkpoints[version] = nil }
            return removed
        }
    }

    private func write<Value>(_ body: (inout State) throws -> Value) throws -> Value {
        try state.withLock { state in
            if let refusal = state.refusal { throw refusal }
            return try body(&state)
        }
    }
}
