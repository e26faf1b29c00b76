import CheckpointStore
import Logging
import Synchronization

/// Follows the store's choices, on the background thread, once a poll.
extension ServingController {
    /// Compares the service with the store and loads missing versions; runs on the background thread.
    ///
    /// While the store's file is gone, the service stays as it is.
    func reconcile() {
        freeRetired()
        guard storeIsInPlace() else { return }
        lookForDamage()
        retryUnsearchable()
        attempt { () throws in
            let aliases = try servedAliases()
            tellOfNames(of: aliases)
            for model in try servedModels(aliases) { attempt { try follow(model) } }
            try followAliases()
            if look({ !$0.isSettled }) { publish { $0.isSettled = true } }
        }
        // Imports come last, so that a file cannot delay versions of the store.
        takeImports()
        for id in look({ $0.residents.keys.sorted { $0.version < $1.version } }) { attempt { try followItems(of: id) } }
        endFailedCanaries()
        endFailedTrials()
        freeRetired()
    }

    /// Runs a part of a poll; an error in one model does not stop the others.
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
                logger.error("the store's file is gone; the service goes on", metadata: ["error": "\(error)"])
            }
            return false
        }
    }

    /// Logs new damage; the rest of the store stays in use.
    private func lookForDamage() {
        guard storeWatch.isDue else { return }
        attempt {
            let damage = try source.damage()
            count { $0.storeDamage = damage.count }
            for finding in storeWatch.news(of: damage) {
                logger.error(
                    "the store is damaged; its other parts stay in use; run `dimerec models repair`",
                    metadata: ["damage.location": "\(finding.location)", "error": "\(finding.what)"]
                )
            }
        }
    }

    /// Lets versions be tried again that were rejected because the search servers did not have them, and now do.
    private func retryUnsearchable() {
        for id in look(\.unsearchable) {
            do { try requireSearchable(id) } catch { continue }
            note { state in
                state.rejected[id] = nil
                state.unsearchable.remove(id)
            }
        }
    }

    /// The aliases that this process serves: those in MODEL and those of models in MODEL, or all.
    func servedAliases() throws -> [Alias] {
        let aliases = try source.aliases()
        let names = configuration.models
        guard !names.isEmpty else { return aliases }
        let models = Set(try source.modelNames()).intersection(names)
        return aliases.filter { names.contains($0.name) || models.contains($0.model) }
    }

    /// The models whose active version this process serves.
    func servedModels(_ aliases: [Alias]) throws -> [String] {
        let models = try source.modelNames()
        let names = configuration.models
        let asked = names.isEmpty ? models : names
        if look({ $0.names != asked }) {
            publish { state in
                state.names = asked
                // Keep answering requests without a model when the store gets a second one.
                state.standard = names.first ?? state.standard ?? (models.count == 1 ? models[0] : nil)
            }
        }
        guard !names.isEmpty else { return models }
        tellOfAbsent(names.filter { name in !models.contains(name) && !aliases.contains { $0.name == name } }, models)
        return models.filter { model in
            names.contains(model)
                || aliases.contains { alias in
                    alias.model == model && alias.split.isEmpty || alias.blend?.models.contains(model) == true
                }
        }
    }

    /// Warns once of models that the service was told to serve and that the store does not have.
    private func tellOfAbsent(_ names: [String], _ models: [String]) {
        let absent = names.isEmpty ? nil : AbsentModels(names: names, available: models)
        guard look({ $0.absent != absent }) else { return }
        publish { $0.absent = absent }
        if let absent {
            logger.warning(
                "a model to serve is missing; requests for it get 503 until it is there",
                metadata: ["reason": "\(absent.description)"]
            )
        }
    }

    /// Warns once of aliases whose names no new alias may have.
    private func tellOfNames(of aliases: [Alias]) {
        let faults = Dictionary(aliases.compactMap { alias in alias.nameFault.map { (alias.name, $0) } }) { $1 }
        let told = look(\.faultyAliases)
        guard told != Set(faults.keys) else { return }
        note { $0.faultyAliases = Set(faults.keys) }
        for (name, fault) in faults.sorted(by: { $0.key < $1.key }) where !told.contains(name) {
            logger.warning(
                "an alias has a name that new aliases may not have; create another one and remove it",
                metadata: ["alias": "\(name)", "reason": "\(fault)"]
            )
        }
    }

    /// Brings a model's active version into service if it is not.
    ///
    /// A rejected version is not tried again until it is activated by name. If nothing is in service yet and the
    /// active version was rejected, it tries the other versions, newest first. So a bad newest checkpoint does not
    /// keep a restarted server from serving.
    private func follow(_ model: String) throws {
        while let id = try missingVersion(of: model) {
            if bringIn(id) { return try commit { try serve(id) } }
            // Nothing was loaded, because another load is in progress or the version was rejected.
            guard look({ $0.rejected[id] != nil && $0.active(of: model) == nil }) else { return }
        }
    }

    /// The version of a model to bring into service, or nil when the right one is there.
    private func missingVersion(of model: String) throws -> VersionID? {
        guard let wanted = try source.activeVersion(of: model) else { return nil }
        let (rejected, active) = look { ($0.rejected, $0.active(of: model)) }
        guard wanted != active else { return nil }
        if rejected[VersionID(model, wanted)] == nil { return VersionID(model, wanted) }
        guard active == nil else { return nil }
        return try source.inventory(of: model).map { VersionID(model, $0.number) }
            .last { rejected[$0] == nil }
    }

    /// Makes a loaded version the active one, unless the store's choice has changed.
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

    /// Makes the aliases in service those of the store.
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
            // A damaged alias keeps its routes.
            guard !gone.isEmpty, try !source.hasDamagedAliases() else { return }
            publish { state in for name in gone { state.removeAlias(name) } }
        }
    }

    /// Serves an alias as the store has it now.
    private func serve(aliasNamed name: String) throws {
        guard let alias = try servedAliases().first(where: { $0.name == name }) else { return }
        let isComplete = alias.versions.allSatisfy { id in look { $0.residents[id] != nil } }
        let served = look { $0.aliases[name] }
        // A new alias has no earlier split, so its loaded versions answer for the others.
        guard served != alias, isComplete || served == nil, look({ $0.endedSplits[name] != alias.revision }) else {
            return
        }
        publish { $0.aliases[name] = alias }
    }

    /// Applies item changes that another process wrote to the store.
    private func followItems(of id: VersionID) throws {
        let newest = try source.newestItemChange(of: id.model)
        guard look({ $0.residents[id]?.newestChange != newest }) else { return }
        try commit {
            let newest = try source.newestItemChange(of: id.model)
            guard let base = look({ $0.residents[id]?.base }) else { return }
            let snapshot = try replayed(on: base)
            publish { $0.replace(id, by: snapshot, newestChange: newest) }
        }
    }

    /// A built snapshot with all stored changes of its model.
    func replayed(on base: ServingSnapshot) throws -> ServingSnapshot {
        let items = try source.itemChanges(of: base.model)
        return base.applying(items, attributes: try source.attributeChanges(of: base.model)).snapshot
    }

    /// Ends the splits with versions that break their alias' guard.
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

    /// Gives an alias' whole traffic to its first version at once, even if the store cannot be written; then the
    /// next poll tries the store again.
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
                // A later change set another split.
                guard look({ $0.aliases[alias.name]?.revision == alias.revision }) else { return }
                publish { state in
                    state.aliases[alias.name] = calm
                    state.endedSplits[alias.name] = alias.revision
                }
                let stored = try source.setAlias(calm, ifRevision: alias.revision)
                publish { $0.aliases[alias.name] = stored }
            }
        } catch {
            logger.error("ended split not stored yet", metadata: ["alias": "\(alias.name)", "error": "\(error)"])
        }
    }
}

extension Alias {
    /// The versions of the split.
    var versions: [VersionID] { split.map { VersionID(model, $0.version) } }
}
