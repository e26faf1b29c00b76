public import CheckpointStore
import Logging

/// Versions that arrive as files: from the import folder, or pulled from a store of checkpoints.
extension ServingController {
    /// The outcome of an attempt to take a version.
    public enum Taking: Sendable, Equatable {
        /// The version is in the store and active.
        case active(VersionID)
        /// The file is bad, or its version cannot be served; the service keeps its versions.
        case refused(reason: String)
        /// The store cannot be written now, or another load is in progress; try again.
        case later(reason: String)
    }

    /// Imports an exported version, activates it, and removes old versions from the store.
    ///
    /// It uses the path of a file in IMPORT_FOLDER, on the background thread. The file stays as it is.
    ///
    /// - Parameter path: The exported version.
    /// - Returns: The outcome.
    /// - Complexity: As the load of a version; it waits for work in progress.
    public func takeVersion(from path: String) async -> Taking {
        await onThread { [self] in
            do {
                let (id, _) = try importer.take(path, publishImported)
                pruneStore(of: id.model)
                return .active(id)
            } catch  where ServingError.mayPass(error) {
                return .later(reason: "\(error)")
            } catch {
                return .refused(reason: "\(error)")
            }
        }
    }

    /// Judges a version by a guard for as long as it is active; a version that breaks the guard is rolled back.
    ///
    /// - Parameters:
    ///   - id: The version; nothing happens unless it is active.
    ///   - bounds: The guard; nil ends the judgement.
    public func watch(_ id: VersionID, guard bounds: Alias.Guard?) {
        guard look({ $0.active(of: id.model) == id.version }) else { return }
        if let bounds { trials.begin(id, bounds: bounds) } else { trials.forget(id) }
    }

    /// Whether a version of a model answers requests.
    public func serves(_ model: String) -> Bool { look { $0.active(of: model) != nil } }

    /// Versions that a guard of ``watch(_:guard:)`` has rolled back.
    public var versionsEndedByGuard: Set<VersionID> { trials.ended }

    /// The outcome of an attempt to pull a version.
    public enum Pull: Sendable {
        /// A version was downloaded and activated.
        case taken
        /// A version was refused.
        case refused
        /// The index or a download failed and will be tried again.
        case failed
    }

    /// Counts an attempt to pull a version, for the metrics.
    public func count(_ pull: Pull) {
        count { report in
            switch pull {
            case .taken: report.pulled += 1
            case .refused: report.pullsRefused += 1
            case .failed: report.pullsFailed += 1
            }
        }
    }

    func takeImports() {
        guard let folder else { return }
        for result in folder.takeFiles(publishImported) {
            switch result {
            case .success(let id):
                count { $0.imported += 1 }
                pruneStore(of: id.model)
            case .failure:
                count { $0.importsRejected += 1 }
            }
        }
    }

    private func pruneStore(of model: String) {
        guard configuration.retainVersions > 0 else { return }
        do {
            _ = try source.prune(model: model, keeping: configuration.retainVersions)
        } catch {
            logger.error("old versions not removed from the store", metadata: ["error": "\(error)"])
        }
    }

    /// Activates an imported version; loads it first if this process serves the model.
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

    /// Rolls back the versions that break the guard under which they were taken.
    func endFailedTrials() {
        let statistics = look { $0.residents.mapValues(\.statistics) }
        for id in trials.versions {
            guard look({ $0.active(of: id.model) == id.version }) else {
                trials.forget(id)
                continue
            }
            guard let finding = trials.finding(of: id, statistics) else { continue }
            rollBack(id, finding)
        }
    }

    private func rollBack(_ id: VersionID, _ finding: String) {
        let name: Logger.Metadata = ["model.name": "\(id.model)", "model.version": "\(id.version)"]
        do {
            guard let target = try source.rollbackTarget(of: id.model).map({ VersionID(id.model, $0) }) else {
                logger.error(
                    "version breaks its guard, but there is no earlier one",
                    metadata: name.merging(["error": "\(finding)"]) { $1 }
                )
                return trials.forget(id)
            }
            try commit {
                try source.rollback(model: id.model, expecting: target.version)
                publish { state in if state.residents[target] != nil { state.choose(target) } }
            }
            trials.end(id)
            count { $0.guardRollbacks += 1 }
            logger.error("guard rolled a version back", metadata: name.merging(["error": "\(finding)"]) { $1 })
        } catch {
            logger.error("rollback by a guard not stored yet", metadata: name.merging(["error": "\(error)"]) { $1 })
        }
    }
}
