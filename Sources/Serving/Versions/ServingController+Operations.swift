public import CheckpointStore
import Dispatch
import Logging
import Synchronization

/// The operator's commands; each one changes both the store and the service completely, or changes nothing.
extension ServingController {
    /// Makes a version the active one, in the store and in service.
    ///
    /// It loads, checks and warms up the version, then records the choice in the store and publishes it. So the
    /// store never chooses a version that cannot be served. A version in memory is in service at once. Activating
    /// the active version only records the choice.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - version: The version to activate.
    ///   - wait: Whether to return only when the version is in service.
    /// - Returns: Whether it is in service now.
    /// - Throws: ``ServingError``; without `wait`, ``state(of:model:)`` shows a rejection instead.
    public func activate(model: String, version: Int, wait: Bool) async throws(ServingError) -> Bool {
        let id = VersionID(model, version)
        let choices = try await offThread { [self] () throws(ServingError) -> Int? in
            try checkServed(model)
            try checkExists(id)
            if try choose(id) { return nil }
            if let busy = begin(id) { throw .busyLoading(busy) }
            return look { $0.traffic[model]?.choices ?? 0 }
        }
        guard let choices else { return true }
        let work: @Sendable () -> Result<Void, ServingError> = { [self] in
            Result { () throws(ServingError) in
                try holding([id]) { () throws(ServingError) in
                    try load(id)
                    guard try choose(id, ifChoices: choices) else { throw .superseded(id) }
                }
            }
        }
        guard wait else {
            thread.async { [logger] in
                guard case .failure(let error) = work() else { return }
                logger.warning("version not activated", metadata: ["version": "\(id)", "error": "\(error)"])
            }
            return false
        }
        try await onThread(work).get()
        return true
    }

    /// Returns a model to the version that was active before.
    ///
    /// A version in memory is back at once, even during another load. A version that is not in memory is loaded
    /// after that load. In both cases the version of that load stays out of service. If another change comes first,
    /// the rollback follows the store's state after that change.
    ///
    /// - Parameter model: The model's name.
    /// - Returns: The version that is active again.
    /// - Throws: ``ServingError``.
    public func rollback(model: String) async throws(ServingError) -> Int {
        try await offThread { [self] () throws(ServingError) in
            try checkServed(model)
            _ = try rollbackTarget(of: model)
            // The version of a load in progress stays out of service.
            note { $0.traffic[model]?.choices += 1 }
        }
        while true {
            let (id, isBack) = try await offThread { [self] () throws(ServingError) -> (VersionID, Bool) in
                let id = try rollbackTarget(of: model)
                return (id, try rollBack(to: id))
            }
            guard !isBack else { return id.version }
            let work: @Sendable () -> Result<Bool, ServingError> = { [self] in
                Result { () throws(ServingError) in
                    try holding([id]) { () throws(ServingError) in
                        if look({ $0.residents[id] == nil }) {
                            guard begin(id) == nil else { return false }
                            try load(id)
                        }
                        return try rollBack(to: id)
                    }
                }
            }
            if try await onThread(work).get() { return id.version }
            await Task.yield()
        }
    }

    /// Frees the memory of a version that answers no requests.
    ///
    /// - Returns: The version's state now.
    /// - Throws: ``ServingError``.
    public func unload(model: String, version: Int) async throws(ServingError) -> VersionState {
        let id = VersionID(model, version)
        return try await offThread { [self] () throws(ServingError) in
            try checkExists(id)
            let isNeeded = try committed {
                publish { state in
                    guard !state.isNeeded(id) else { return true }
                    state.unload(id)
                    return false
                }
            }
            guard !isNeeded else { throw .inUse(id) }
            thread.async { [self] in _ = publish { $0.takeUnused() } }
            return state(of: version, model: model)
        }
    }

    /// All aliases, by name.
    public func aliases() async throws(ServingError) -> [Alias] {
        try await offThread { [self] () throws(ServingError) in try onStore { try $0.aliases() } }
    }

    /// Creates or changes an alias: loads its versions, records it, and publishes it in one step.
    ///
    /// - Parameters:
    ///   - alias: The new content.
    ///   - ifRevision: The revision that the caller changes; nil changes any, 0 only creates.
    /// - Returns: The alias with its new revision.
    /// - Throws: ``ServingError``.
    public func setAlias(_ alias: Alias, ifRevision: Int?) async throws(ServingError) -> Alias {
        try await offThread { [self] () throws(ServingError) in
            if let contradiction = alias.contradiction { throw .invalidAlias(contradiction) }
            // An alias in MODEL makes its model a served one.
            if !configuration.models.contains(alias.name) { try checkServed(alias.model) }
            for id in alias.versions { try checkExists(id) }
        }
        let work: @Sendable () -> Result<Alias, ServingError> = { [self] in
            Result { () throws(ServingError) in
                let stored = try holding(alias.versions) { () throws(ServingError) in
                    for id in alias.versions where look({ $0.residents[id] == nil }) {
                        if let busy = begin(id) { throw .busyLoading(busy) }
                        try load(id)
                    }
                    return try committed {
                        let stored = try source.setAlias(alias, ifRevision: ifRevision)
                        publish { $0.aliases[alias.name] = stored }
                        return stored
                    }
                }
                // An alias that follows a model's active version may be the first that needs it.
                if stored.split.isEmpty { reconcile() }
                return stored
            }
        }
        return try await onThread(work).get()
    }

    /// Removes an alias; later requests that name it get an error.
    ///
    /// - Throws: ``ServingError``.
    public func removeAlias(_ name: String, ifRevision: Int?) async throws(ServingError) {
        try await offThread { [self] () throws(ServingError) in
            try committed {
                try source.removeAlias(name, ifRevision: ifRevision)
                publish { $0.removeAlias(name) }
            }
        }
    }

    // MARK: Parts

    /// A model by its name, or the one for requests without a model.
    func named(_ model: String?) throws(ServingError) -> String {
        if let model { return model }
        let (standard, alias, names) = look { state in
            (state.standard, state.standard.flatMap { state.aliases[$0]?.model }, state.names)
        }
        guard let name = alias ?? standard else { throw .modelNotNamed(served: names) }
        return name
    }

    /// Records a choice in the store and makes it; if the store refuses, does neither.
    ///
    /// - Parameters:
    ///   - id: The version.
    ///   - choices: How many choices there must be so far; nil is any number.
    /// - Returns: False, and nothing changed, when the version is not in memory or another choice was made.
    /// - Throws: ``ServingError`` when the store refuses.
    private func choose(_ id: VersionID, ifChoices choices: Int? = nil) throws(ServingError) -> Bool {
        // Another model's load, or this one's, makes room meanwhile.
        try holding([id]) { () throws(ServingError) in
            try committed {
                let (isResident, made) = look { ($0.residents[id] != nil, $0.traffic[id.model]?.choices ?? 0) }
                guard isResident, choices == nil || choices == made else { return false }
                try source.activate(model: id.model, version: id.version)
                publish { state in if state.active(of: id.model) != id.version { state.choose(id) } }
                return true
            }
        }
    }

    /// The version that a rollback would return to now.
    private func rollbackTarget(of model: String) throws(ServingError) -> VersionID {
        guard let target = try onStore({ try $0.rollbackTarget(of: model) }) else {
            throw .nothingToRollBackTo(model: model)
        }
        return VersionID(model, target)
    }

    /// Rolls back to a version.
    ///
    /// - Returns: False, and nothing changed, when the version is not in memory or is not the rollback's target now.
    /// - Throws: ``ServingError`` when the store refuses.
    private func rollBack(to id: VersionID) throws(ServingError) -> Bool {
        try holding([id]) { () throws(ServingError) in
            try committed {
                guard look({ $0.residents[id] != nil }) else { return false }
                do {
                    try source.rollback(model: id.model, expecting: id.version)
                } catch CheckpointError.rollbackTargetChanged {
                    return false
                }
                publish { $0.choose(id) }
                count { $0.rolledBack += 1 }
                return true
            }
        }
    }

    /// Runs work while the versions that it needs stay in memory.
    private func holding<Value: Sendable>(
        _ ids: [VersionID],
        _ work: () throws(ServingError) -> Value
    ) throws(ServingError) -> Value {
        note { $0.hold(ids) }
        defer { note { $0.release(ids) } }
        return try work()
    }

    /// A ``commit(_:)`` that throws the service's errors.
    func committed<Value: Sendable>(_ change: () throws -> Value) throws(ServingError) -> Value {
        do { return try commit(change) } catch { throw ServingError(error) }
    }

    func checkServed(_ model: String) throws(ServingError) {
        let models = try onStore { try $0.modelNames() }
        let names = configuration.models
        let aliased =
            names.isEmpty ? [] : try onStore { try $0.aliases() }.filter { names.contains($0.name) }.map(\.model)
        guard models.contains(model), names.isEmpty || names.contains(model) || aliased.contains(model) else {
            let served = names.isEmpty ? models : models.filter { names.contains($0) || aliased.contains($0) }
            throw .modelNotServed(model, served: served)
        }
    }

    private func checkExists(_ id: VersionID) throws(ServingError) {
        guard try onStore({ try $0.inventory(of: id.model) }).contains(where: { $0.number == id.version }) else {
            throw .versionNotFound(id)
        }
    }

    func onStore<Value>(_ body: (any CheckpointSource) throws -> Value) throws(ServingError) -> Value {
        do { return try body(source) } catch { throw ServingError(error) }
    }

    /// Runs work that may wait for the disk, but not for a load.
    func offThread<Value: Sendable>(
        _ work: @escaping @Sendable () throws(ServingError) -> Value
    ) async throws(ServingError) -> Value {
        let result: Result<Value, ServingError> = await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async { continuation.resume(returning: Result(catching: work)) }
        }
        return try result.get()
    }
}
