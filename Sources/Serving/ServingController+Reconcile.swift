import CheckpointStore
import Logging
import Synchronization

/// How the controller comes to what the store says: on its background thread, once a poll.
extension ServingController {
    /// Compares what is served with what the store says, and brings in what is missing; on the background thread.
    func reconcile() {
        freeRetired()
        takeImports()
        let choices = look { $0.traffic.mapValues(\.choices) }
        attempt { () throws in
            let aliases = try servedAliases()
            for model in try servedModels(aliases) { attempt { try follow(model, choices[model] ?? 0) } }
            try follow(aliases)
            if look({ !$0.isSettled }) { publish { $0.isSettled = true } }
        }
        for id in look({ $0.residents.keys.sorted { $0.version < $1.version } }) { attempt { try followItems(of: id) } }
        endFailedCanaries()
        freeRetired()
    }

    /// Does a part of a poll; what is wrong with one model keeps the others from nothing.
    private func attempt(_ work: () throws -> Void) {
        do { try work() } catch { logger.error("the store could not be read", metadata: ["error": "\(error)"]) }
    }

    /// The aliases that this process answers: those of the models it was told to serve, or all.
    private func servedAliases() throws -> [Alias] {
        let aliases = try source.aliases()
        let names = configuration.models
        guard !names.isEmpty else { return aliases }
        let models = Set(try source.modelNames()).intersection(names)
        return aliases.filter { names.contains($0.name) || models.contains($0.model) }
    }

    /// The models whose active version this process answers with.
    private func servedModels(_ aliases: [Alias]) throws -> [String] {
        let models = try source.modelNames()
        let names = configuration.models
        let asked = names.isEmpty ? models : names
        if look({ $0.names != asked }) {
            publish { state in
                state.names = asked
                // Requests that name no model go on being answered when the store gets a second one.
                state.standard = names.first ?? state.standard ?? (models.count == 1 ? models[0] : nil)
            }
        }
        guard !names.isEmpty else { return models }
        return models.filter { model in
            names.contains(model) || aliases.contains { $0.model == model && $0.split.isEmpty }
        }
    }

    /// Brings a model's active version into service if it is not.
    ///
    /// A version that was rejected is not tried again until it is activated by name. With nothing in service yet and a
    /// rejected active version, the newest other version is tried, so that a bad newest checkpoint does not keep a
    /// restarted server from serving.
    private func follow(_ model: String, _ choices: Int) throws {
        guard let wanted = try source.activeVersion(of: model) else { return }
        let (rejected, active) = look { ($0.rejected, $0.active(of: model)) }
        var version: Int? = wanted
        if rejected[VersionID(model, wanted)] != nil {
            guard active == nil else { return }
            version = try source.manifests(of: model).map(\.version)
                .filter { rejected[VersionID(model, $0)] == nil }.max()
        }
        guard let version, version != active else { return }
        let id = VersionID(model, version)
        guard bringIn(id) else { return }
        // A choice that was made in the meantime is newer than what was read.
        publish { state in
            guard (state.traffic[model]?.choices ?? 0) == choices, state.residents[id] != nil else { return }
            state.choose(id)
        }
    }

    /// Brings the aliases into service as the store has them.
    private func follow(_ aliases: [Alias]) throws {
        let served = look(\.aliases)
        for name in served.keys where !aliases.contains(where: { $0.name == name }) {
            publish { $0.aliases[name] = nil }
        }
        for alias in aliases {
            if look({ $0.endedSplits[alias.name] == alias.revision }) {
                endSplit(of: alias)
                continue
            }
            let missing = alias.versions.filter { id in look { $0.residents[id] == nil && $0.rejected[id] == nil } }
            if served[alias.name] == alias, missing.isEmpty { continue }
            note { $0.awaited = Set(alias.versions) }
            defer { note { $0.awaited = [] } }
            for id in missing { _ = bringIn(id) }
            let isComplete = alias.versions.allSatisfy { id in look { $0.residents[id] != nil } }
            // With nothing to fall back to, the versions that could be loaded answer for the others.
            guard isComplete || served[alias.name] == nil else { continue }
            publish { $0.aliases[alias.name] = alias }
        }
    }

    /// Brings in changes of items that another process wrote to the store.
    private func followItems(of id: VersionID) throws {
        let newest = try source.newestItemChange(of: id.model)
        guard look({ $0.residents[id]?.newestChange != newest }) else { return }
        try changing.withLock { _ in
            let newest = try source.newestItemChange(of: id.model)
            guard let base = look({ $0.residents[id]?.base }) else { return }
            let snapshot = base.applying(try source.itemChanges(of: id.model)).snapshot
            publish { $0.replace(id, by: snapshot, newestChange: newest) }
        }
    }

    private func takeImports() {
        guard let folder else { return }
        for result in folder.takeFiles(publishImported) {
            switch result {
            case .success(let id):
                count { $0.imported += 1 }
                guard configuration.retainVersions > 0 else { continue }
                do {
                    _ = try source.prune(model: id.model, keeping: configuration.retainVersions)
                } catch {
                    logger.error("old versions stay in the store", metadata: ["error": "\(error)"])
                }
            case .failure:
                count { $0.importsRejected += 1 }
            }
        }
    }

    /// Makes an imported version its model's active one, after a load where this process serves the model.
    private func publishImported(_ id: VersionID) throws {
        let isServed = try servedModels(servedAliases()).contains(id.model)
        if isServed, !look({ $0.residents[id] != nil }) {
            if let busy = begin(id) { throw ServingError.busyLoading(busy) }
            try load(id)
        }
        try source.activate(model: id.model, version: id.version)
        publish { state in
            guard isServed, state.residents[id] != nil, state.active(of: id.model) != id.version else { return }
            state.choose(id)
        }
    }

    /// Takes the traffic from versions that break their alias' guard.
    private func endFailedCanaries() {
        let (aliases, statistics) = look { ($0.aliases, $0.residents.mapValues(\.statistics)) }
        for alias in aliases.values {
            guard let finding = canaries.finding(of: alias, statistics) else { continue }
            count { $0.guardRollbacks += 1 }
            logger.error(
                "guard ended a split",
                metadata: ["alias": "\(alias.name)", "model.name": "\(alias.model)", "error": "\(finding)"]
            )
            endSplit(of: alias)
        }
    }

    /// Gives all of an alias to its first version: out of service at once, whether or not the store can be written; if not,
    /// the next poll tries again.
    private func endSplit(of alias: Alias) {
        guard let stable = alias.split.first else { return }
        let calm = Alias(
            name: alias.name,
            model: alias.model,
            split: [Alias.Share(version: stable.version, percent: 100)],
            revision: alias.revision
        )
        publish { state in
            state.aliases[alias.name] = calm
            state.endedSplits[alias.name] = alias.revision
        }
        do {
            let stored = try source.setAlias(calm, ifRevision: alias.revision)
            publish { $0.aliases[alias.name] = stored }
        } catch {
            logger.error("the store keeps the split", metadata: ["alias": "\(alias.name)", "error": "\(error)"])
        }
    }
}

extension Alias {
    /// The versions of the split.
    var versions: [VersionID] { split.map { VersionID(model, $0.version) } }
}
