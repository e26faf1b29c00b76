import CheckpointStore
import Dispatch
import Foundation
public import Logging
public import ServiceLifecycle
import Synchronization

/// Brings what the store says is to be served into service, one load at a time, and keeps the last good versions when a
/// load fails.
///
/// The store holds the choices (active versions, aliases, changed items), so that every process that serves it and every
/// restart comes to the same; ``reconcile()`` compares them with what is served. Everything long happens on one background
/// thread: reading, checking, building, warming up, and giving back the memory of a replaced snapshot once no request uses
/// it any more. The event loops only ever see a finished ``RoutingTable``.
public final class ServingController: Service {
    let source: any CheckpointSource
    let configuration: ControllerConfiguration
    let logger: Logger
    let thread = BackgroundThread(name: "checkpoints")
    private let holder: RoutingHolder
    private let builder: SnapshotBuilder
    private let sampler: AnswerSampler?
    private let state = Mutex(ServedVersions())
    private let counts = Mutex(Report())
    private let isPolling = Mutex(false)
    /// Held while an item is changed in the store and in memory, so that the two agree.
    private let changing = Mutex(())
    private let canaries = CanaryWatch()
    private let folder: ImportFolder?

    /// What happened so far, for metrics.
    public struct Report: Sendable, Equatable {
        /// Versions that were brought into service.
        public var published = 0
        /// Versions that were refused.
        public var rejected = 0
        /// Rollbacks on request.
        public var rolledBack = 0
        /// Splits that an alias' guard ended.
        public var guardRollbacks = 0
        /// How long the last load took, warm-up included.
        public var loadSeconds: Double?
        /// Files of the import folder that became versions.
        public var imported = 0
        /// Files of the import folder that were refused.
        public var importsRejected = 0
    }

    /// A version in memory, for metrics and the control plane.
    public struct Resident: Sendable {
        /// Which it is.
        public let id: VersionID
        /// What it answers from.
        public let snapshot: ServingSnapshot
        /// What came of its requests.
        public let statistics: VersionStatistics
        /// When it was published, ISO 8601.
        public let createdAt: String
        /// Whether requests may reach it.
        public let isInUse: Bool
    }

    /// A controller that serves nothing yet.
    ///
    /// - Parameters:
    ///   - source: The store.
    ///   - configuration: What to serve, and how much of it to keep.
    ///   - holder: Where tables are published.
    ///   - builder: Makes snapshots.
    ///   - sampler: Knows histories to warm up with.
    ///   - logger: Told about every version that was published or rejected.
    public init(
        source: any CheckpointSource,
        configuration: ControllerConfiguration = ControllerConfiguration(),
        holder: RoutingHolder,
        builder: SnapshotBuilder,
        sampler: AnswerSampler? = nil,
        logger: Logger
    ) {
        self.source = source
        self.configuration = configuration
        self.holder = holder
        self.builder = builder
        self.sampler = sampler
        self.logger = logger
        folder = configuration.importFolder.map { ImportFolder(path: $0, source: source, logger: logger) }
    }

    /// What happened so far.
    public var report: Report { counts.withLock { $0 } }

    /// The versions in memory, by model and version.
    public var residents: [Resident] {
        state.withLock { state in
            state.residents.map { id, resident in
                Resident(
                    id: id,
                    snapshot: resident.snapshot,
                    statistics: resident.statistics,
                    createdAt: resident.createdAt,
                    isInUse: state.isInUse(id)
                )
            }
        }.sorted { ($0.id.model, $0.id.version) < ($1.id.model, $1.id.version) }
    }

    /// Where a version stands.
    public func state(of version: Int, model: String) -> VersionState {
        state.withLock { $0.state(of: VersionID(model, version)) }
    }

    /// Whether a version is in memory.
    public func isResident(_ version: Int, model: String) -> Bool {
        state.withLock { $0.residents[VersionID(model, version)] != nil }
    }

    // MARK: Life

    /// Polls until graceful shutdown or cancellation, without waiting for a load that is under way then.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.startPoll()
                try? await Task.sleep(for: self.configuration.pollInterval)
            }
        }
    }

    /// Polls now, and tries versions again that were rejected: what SIGHUP does.
    public func reload() {
        state.withLock { $0.rejected = [:] }
        startPoll()
    }

    /// Compares what is served with what the store says, and brings in what is missing.
    public func poll() async {
        await onThread { [self] in reconcile() }
    }

    /// Polls in the background, unless the last such poll is still at it.
    private func startPoll() {
        let isFree = isPolling.withLock { isPolling in
            defer { isPolling = true }
            return !isPolling
        }
        guard isFree else { return }
        thread.async { [self] in
            reconcile()
            isPolling.withLock { $0 = false }
        }
    }

    private func reconcile() {
        freeRetired()
        takeImports()
        do {
            let choices = state.withLock { $0.traffic.mapValues(\.choices) }
            let aliases = try servedAliases()
            for model in try servedModels(aliases) { try follow(model, choices[model] ?? 0) }
            try follow(aliases)
            try followItems()
        } catch {
            logger.error("the store could not be read", metadata: ["error": "\(error)"])
        }
        endFailedCanaries()
        freeRetired()
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
        let standard = names.first ?? (models.count == 1 ? models[0] : nil)
        state.withLock { state in
            state.names = names.isEmpty ? models : names
            state.standard = standard
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
        let (rejected, active) = state.withLock { ($0.rejected, $0.active(of: model)) }
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
        let served = state.withLock(\.aliases)
        for name in served.keys where !aliases.contains(where: { $0.name == name }) {
            publish { $0.aliases[name] = nil }
        }
        for alias in aliases {
            let missing = alias.split.map { VersionID(alias.model, $0.version) }.filter { id in
                state.withLock { $0.residents[id] == nil && $0.rejected[id] == nil }
            }
            if served[alias.name] == alias, missing.isEmpty { continue }
            for id in missing { _ = bringIn(id) }
            let isComplete = alias.split.allSatisfy { share in
                state.withLock { $0.residents[VersionID(alias.model, share.version)] != nil }
            }
            // With nothing to fall back to, the versions that could be loaded answer for the others.
            guard isComplete || served[alias.name] == nil else { continue }
            publish { $0.aliases[alias.name] = alias }
        }
    }

    // MARK: Loading

    /// Makes sure that a version is in memory, and says whether it is; a rejection is logged and remembered.
    func bringIn(_ id: VersionID) -> Bool {
        if state.withLock({ $0.residents[id] != nil }) { return true }
        guard begin(id) == nil else { return false }
        return (try? load(id)) != nil
    }

    /// Takes the one place for loading, or returns the version that holds it.
    func begin(_ id: VersionID) -> VersionID? {
        state.withLock { state in
            if let loading = state.loading { return loading.id }
            state.loading = (id, false)
            return nil
        }
    }

    /// Gives the place for loading back.
    func end(rejection: (id: VersionID, reason: String)? = nil) {
        state.withLock { state in
            state.loading = nil
            if let rejection { state.rejected[rejection.id] = rejection.reason }
        }
    }

    /// Loads a version into memory; the place for loading must have been taken, and is given back.
    func load(_ id: VersionID) throws(ServingError) {
        let clock = ContinuousClock()
        let start = clock.now
        // Room first, so that no more versions than are kept are ever in memory.
        evict(keeping: max(1, configuration.keepVersions - 1), of: id.model)
        freeRetired(within: .seconds(1))
        do {
            let checkpoint = try source.load(model: id.model, version: id.version)
            let createdAt = checkpoint.manifest.createdAt
            let generation = state.withLock { $0.nextGeneration() }
            let base = try builder.build(
                checkpoint,
                generation: generation,
                histories: sampler?.recentHistories ?? [],
                onWarming: { state.withLock { $0.loading = (id, true) } }
            )
            try changing.withLock { _ in
                let newest = try source.newestItemChange(of: id.model)
                let snapshot = base.applying(try source.itemChanges(of: id.model)).snapshot
                state.withLock { state in
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
        } catch {
            let reason = "\(error)"
            end(rejection: (id, reason))
            counts.withLock { $0.rejected += 1 }
            logger.error(
                "version rejected; what was in service stays",
                metadata: ["model.name": "\(id.model)", "model.version": "\(id.version)", "error": "\(reason)"]
            )
            throw .rejected(id, reason: reason)
        }
        end()
        let seconds = (clock.now - start) / .seconds(1)
        counts.withLock { $0.loadSeconds = seconds }
        logger.info(
            "version loaded",
            metadata: [
                "model.name": "\(id.model)", "model.version": "\(id.version)",
                "load.ms": "\(Int(seconds * 1000))",
            ]
        )
    }

    /// Changes what requests see, in one step, and logs which versions answer now.
    ///
    /// - Returns: What `change` returns.
    @discardableResult
    func publish<Result: Sendable>(_ change: (inout ServedVersions) -> Result) -> Result {
        let (result, chosen) = state.withLock { state in
            let before = state.traffic.mapValues(\.choices)
            let result = change(&state)
            holder.publish(state.table())
            let chosen = state.traffic.filter { $0.value.choices != before[$0.key] ?? 0 }
            return (result, chosen.compactMap { name, traffic in traffic.recent.first.map { VersionID(name, $0) } })
        }
        for id in chosen {
            counts.withLock { $0.published += 1 }
            logger.info(
                "version in service",
                metadata: ["model.name": "\(id.model)", "model.version": "\(id.version)"]
            )
        }
        return result
    }

    /// Looks at the state without changing it.
    func look<Result: Sendable>(_ body: (ServedVersions) -> Result) -> Result { state.withLock { body($0) } }

    /// Keeps what is being loaded for a model from being chosen when it is done.
    func supersedeLoads(of model: String) {
        state.withLock { $0.traffic[model]?.choices += 1 }
    }

    /// Counts something that happened.
    func count(_ change: (inout Report) -> Void) { counts.withLock { change(&$0) } }

    /// Lets go of what nothing needs any more, and gives back the memory of snapshots that no request holds; this thread
    /// holds each one's last reference.
    private func freeRetired() {
        evict(keeping: configuration.keepVersions, of: nil)
        _ = state.withLock { $0.takeUnused() }
    }

    private func evict(keeping count: Int, of model: String?) {
        state.withLock { state in
            if state.evict(keeping: count, of: model) { holder.publish(state.table()) }
        }
    }

    /// Waits for requests to let go of retired snapshots, for a while, and frees them.
    private func freeRetired(within limit: Duration) {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while true {
            _ = state.withLock { $0.takeUnused() }
            guard state.withLock({ !$0.retired.isEmpty }), clock.now < end else { return }
            Thread.sleep(forTimeInterval: 0.002)
        }
    }

    // MARK: Items, imports and canaries

    /// Changes an item in the store and in every version of the model that is in memory.
    func change(_ change: ItemChange) throws(ServingError) -> ItemChange {
        do {
            return try changing.withLock { _ in
                let active = state.withLock { state in
                    state.active(of: change.model).flatMap { state.residents[VersionID(change.model, $0)]?.snapshot }
                }
                guard let active else { throw ServingError.notReady(model: change.model) }
                var change = change
                change.version = active.version
                let completed = try active.completed(change)
                let before = try source.newestItemChange(of: change.model)
                try source.changeItem(completed)
                let after = try source.newestItemChange(of: change.model)
                for (id, resident) in look({ $0.residents }) where id.model == change.model {
                    let snapshot = resident.snapshot.applying([completed]).snapshot
                    // Where another process changed items too, the next poll reads them all again.
                    let isWhole = resident.newestChange == before && after == before + 1
                    let newest = isWhole ? after : resident.newestChange
                    publish { $0.replace(id, by: snapshot, newestChange: newest) }
                }
                return completed
            }
        } catch {
            throw ServingError(error)
        }
    }

    /// Brings in changes of items that another process wrote to the store.
    private func followItems() throws {
        for id in look({ $0.residents.keys.sorted { $0.version < $1.version } }) {
            let newest = try source.newestItemChange(of: id.model)
            guard look({ $0.residents[id]?.newestChange != newest }) else { continue }
            try changing.withLock { _ in
                let newest = try source.newestItemChange(of: id.model)
                guard let base = look({ $0.residents[id]?.base }) else { return }
                let snapshot = base.applying(try source.itemChanges(of: id.model)).snapshot
                publish { $0.replace(id, by: snapshot, newestChange: newest) }
            }
        }
    }

    private func takeImports() {
        guard let folder else { return }
        for result in folder.takeFiles(publishImported) {
            switch result {
            case .success(let id):
                counts.withLock { $0.imported += 1 }
                guard configuration.retainVersions > 0 else { continue }
                do {
                    _ = try source.prune(model: id.model, keeping: configuration.retainVersions)
                } catch {
                    logger.error("old versions stay in the store", metadata: ["error": "\(error)"])
                }
            case .failure:
                counts.withLock { $0.importsRejected += 1 }
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
        let (aliases, statistics) = state.withLock { ($0.aliases, $0.residents.mapValues(\.statistics)) }
        for alias in aliases.values {
            guard let finding = canaries.finding(of: alias, statistics), let stable = alias.split.first else {
                continue
            }
            var calm = alias
            calm.split = [Alias.Share(version: stable.version, percent: 100)]
            calm.shadow = 0
            calm.guard = nil
            counts.withLock { $0.guardRollbacks += 1 }
            logger.error(
                "guard ended a split",
                metadata: ["alias": "\(alias.name)", "model.name": "\(alias.model)", "error": "\(finding)"]
            )
            // Out of service at once, whether or not the store can be written.
            publish { $0.aliases[alias.name] = calm }
            do {
                let stored = try source.setAlias(calm, ifRevision: alias.revision)
                publish { $0.aliases[alias.name] = stored }
            } catch {
                logger.error("the store keeps the split", metadata: ["alias": "\(alias.name)", "error": "\(error)"])
            }
        }
    }

    // MARK: Threads

    /// Runs work behind whatever the background thread does.
    func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            thread.async { continuation.resume(returning: work()) }
        }
    }
}
