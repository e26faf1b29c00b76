import CheckpointStore
import Logging
import Synchronization

/// How the controller comes to what the store says: on its background thread, once a poll.
extension ServingController {
    /// Compares what is served with what the store says, and brings in what is missing; on the background thread.
    ///
    /// While the store's file is gone, what is served stays as it is.
    func reconcile() {
        freeRetired()
        guard storeIsInPlace() else { return }
        lookForDamage()
        attempt { () throws in
            for model in try servedModels(servedAliases()) { attempt { try follow(model) } }
            try followAliases()
            if look({ !$0.isSettled }) { publish { $0.isSettled = true } }
        }
        // Behind what is served already, which a file must not hold up.
        takeImports()
        for id in look({ $0.residents.keys.sorted { $0.version < $1.version } }) { attempt { try followItems(of: id) } }
        endFailedCanaries()
        freeRetired()
    }

    /// Does a part of a poll; what is wrong with one model keeps the others from nothing.
    private func attempt(_ work: () throws -> Void) {
        do { try work() } catch { logger.error("the store could not be read", metadata: ["error": "\(error)"]) }
    }

    private func storeIsInPlace() -> Bool {
        do {
            try source.reopenIfReplaced()
            if storeWatch.recovers() { logger.notice("the store's file is back") }
            return true
        } catch {
            if storeWatch.isNew("\(error)") {
                logger.error("the store's file is gone; what is served stays", metadata: ["error": "\(error)"])
            }
            return false
        }
    }

    /// Tells of damage that was not there before; everything else of the store is used.
    private func lookForDamage() {
        guard storeWatch.isDue else { return }
        attempt {
            let damage = try source.damage()
            count { $0.storeDamage = damage.count }
            for finding in storeWatch.news(of: damage) {
                logger.error(
                    "the store is damaged; the rest of it is used; run `dimerec models repair`",
                    metadata: ["damage.location": "\(finding.location)", "error": "\(finding.what)"]
                )
            }
        }
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
    /// rejected active version, the other versions are tried, the newest first, so that a bad newest checkpoint does not
    /// keep a restarted server from serving.
    private func follow(_ model: String) throws {
        while let id = try missingVersion(of: model) {
            if bringIn(id) { return try commit { try serve(id) } }
            // Nothing was loaded because another load holds the place, or because the version was rejected.
            guard look({ $0.rejected[id] != nil && $0.active(of: model) == nil }) else { return }
        }
    }

    /// The version of a model that is to be brought into service, or nil when the right one is there.
    private func missingVersion(of model: String) throws -> VersionID? {
        guard let wanted = try source.activeVersion(of: model) else { return nil }
        let (rejected, active) = look { ($0.rejected, $0.active(of: model)) }
        guard wanted != active else { return nil }
        if rejected[VersionID(model, wanted)] == nil { return VersionID(model, wanted) }
        guard active == nil else { return nil }
        return try source.inventory(of: model).map { VersionID(model, $0.number) }
            .last { rejected[$0] == nil }
    }

    /// Lets a version answer, unless the store says otherwise by now.
    private func serve(_ id: VersionID) throws {
        let wanted = try source.activeVersion(of: id.model)
        publish { state in
            let active = state.active(of: id.model)
            guard state.residents[id] != nil, active == nil || wanted == id.version, active != id.version else {
                return
            }
            state.choose(id)
        }
    }

    /// Brings the aliases into service as the store has them.
    private func followAliases() throws {
        for alias in try servedAliases() {
            if look({ $0.endedSplits[alias.name] == alias.revision }) {
                endSplit(of: alias)
                continue
            }
            let missing = alias.versions.filter { id in look { $0.residents[id] == nil && $0.rejected[id] == nil } }
            note { $0.hold(alias.versions) }
            defer { note { $0.release(alias.versions) } }
            for id in missing { _ = bringIn(id) }
            try commit { try serve(aliasNamed: alias.name) }
        }
        try commit {
            let aliases = try servedAliases()
            let gone = look(\.aliases).keys.filter { name in !aliases.contains { $0.name == name } }
            // One that is damaged goes on as it was.
            guard !gone.isEmpty, try !source.hasDamagedAliases() else { return }
            publish { state in for name in gone { state.removeAlias(name) } }
        }
    }

    /// Lets an alias answer as the store has it by now.
    private func serve(aliasNamed name: String) throws {
        guard let alias = try servedAliases().first(where: { $0.name == name }) else { return }
        let isComplete = alias.versions.allSatisfy { id in look { $0.residents[id] != nil } }
        let served = look { $0.aliases[name] }
        // With nothing to fall back to, the versions that could be loaded answer for the others.
        guard served != alias, isComplete || served == nil, look({ $0.endedSplits[name] != alias.revision }) else {
            return
        }
        publish { $0.aliases[name] = alias }
    }

    /// Brings in changes of items that another process wrote to the store.
    private func followItems(of id: VersionID) throws {
        let newest = try source.newestItemChange(of: id.model)
        guard look({ $0.residents[id]?.newestChange != newest }) else { return }
        try commit {
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
        try commit {
            try source.activate(model: id.model, version: id.version)
            publish { state in
                guard isServed, state.residents[id] != nil, state.active(of: id.model) != id.version else { return }
                state.choose(id)
            }
        }
    }

    /// Takes the traffic from versions that break their alias' guard.
    private func endFailedCanaries() {
        let (aliases, statistics) = look { ($0.aliases, $0.residents.mapValues(\.statistics)) }
        canaries.forget(allBut: Set(aliases.keys))
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
        do {
            try commit {
                // A change that came first is about another split.
                guard look({ $0.aliases[alias.name]?.revision == alias.revision }) else { return }
                publish { state in
                    state.aliases[alias.name] = calm
                    state.endedSplits[alias.name] = alias.revision
                }
                let stored = try source.setAlias(calm, ifRevision: alias.revision)
                publish { $0.aliases[alias.name] = stored }
            }
        } catch {
            logger.error("the store keeps the split", metadata: ["alias": "\(alias.name)", "error": "\(error)"])
        }
    }
}

extension Alias {
    /// The versions of the split.
    var versions: [VersionID] { split.map { VersionID(model, $0.version) } }
}
