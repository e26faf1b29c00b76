import CheckpointStore
import Foundation
import Logging

extension ServingController {
    /// Loads a version unless it is in memory, and returns whether it is there; logs and remembers a rejection.
    func bringIn(_ id: VersionID) -> Bool {
        if look({ $0.residents[id] != nil }) { return true }
        guard begin(id) == nil else { return false }
        return (try? load(id)) != nil
    }

    /// Starts a load, or returns the version of the load in progress.
    func begin(_ id: VersionID) -> VersionID? {
        note { state in
            if let loading = state.loading { return loading.id }
            state.loading = (id, false)
            return nil
        }
    }

    /// Ends the load in progress.
    func end(rejection: (id: VersionID, reason: String)? = nil) {
        note { state in
            state.loading = nil
            if let rejection { state.rejected[rejection.id] = rejection.reason }
        }
    }

    /// Loads a version into memory; ``begin(_:)`` must have started the load, and this call ends it.
    func load(_ id: VersionID) throws(ServingError) {
        let clock = ContinuousClock()
        let start = clock.now
        // Unload first, so that memory never holds more versions than configured.
        evict(keeping: max(1, configuration.keepVersions - 1), of: id.model)
        freeRetired(within: .seconds(1))
        do {
            try requireSearchable(id)
            let checkpoint = try read(id)
            let createdAt = checkpoint.manifest.createdAt
            let generation = note { $0.nextGeneration() }
            let base = try builder.build(
                checkpoint,
                generation: generation,
                histories: sampler?.recentHistories ?? [],
                onWarming: { note { $0.loading = (id, true) } }
            )
            try commit {
                let newest = try source.newestItemChange(of: id.model)
                let snapshot = try replayed(on: base)
                note { state in
                    state.insert(
                        id,
                        ServedVersions.Resident(
                            base: base,
                            snapshot: snapshot,
                            newestChange: newest,
                            statistics: VersionStatistics(),
                            createdAt: createdAt
                        )
                    )
                }
            }
        } catch  where ServingError.mayPass(error) {
            end()
            logger.warning("the version could not be read", metadata: ["version": "\(id)", "error": "\(error)"])
            throw ServingError(error)
        } catch {
            let reason = "\(error)"
            end(rejection: (id, reason))
            if case SnapshotError.notSearchable = error { note { _ = $0.unsearchable.insert(id) } }
            count { $0.rejected += 1 }
            logger.error(
                "version rejected; the service keeps its versions",
                metadata: ["model.name": "\(id.model)", "model.version": "\(id.version)", "error": "\(reason)"]
            )
            throw .rejected(id, reason: reason)
        }
        end()
        let seconds = (clock.now - start) / .seconds(1)
        count { $0.loadSeconds = seconds }
        logger.info(
            "version loaded",
            metadata: [
                "model.name": "\(id.model)", "model.version": "\(id.version)",
                "load.ms": "\(Int(seconds * 1000))",
            ]
        )
    }

    /// Reads a version, and one that looks damaged a second time.
    ///
    /// A disk that fails a single read may make a sound version look damaged.
    private func read(_ id: VersionID) throws -> Checkpoint {
        do {
            return try source.load(model: id.model, version: id.version)
        } catch CheckpointError.corrupted(let what, _) {
            logger.warning(
                "a version looks damaged; the service reads it again",
                metadata: ["model.name": "\(id.model)", "model.version": "\(id.version)", "error": "\(what)"]
            )
            return try source.load(model: id.model, version: id.version)
        }
    }

    /// Checks that a version can be searched outside of the process, if searches go there.
    func requireSearchable(_ id: VersionID) throws {
        try builder.requireSearchable { try source.inventory(of: id.model).first { $0.number == id.version } }
    }
}
