import CheckpointStore
import Dispatch
import Foundation
public import Logging
public import ServiceLifecycle
import Synchronization

/// Brings the store's choices into service, one load at a time, and keeps the last good versions when a load fails.
///
/// The store holds the choices (active versions, aliases, changed items), so all processes of a store agree, also
/// after a restart. ``reconcile()`` compares the choices with the service. All long work runs on one background
/// thread: reading, checking, building, warming up, and freeing a replaced snapshot once no request uses it. The
/// event loops only see a finished ``RoutingTable``.
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
    /// Held while the store and the routing table change together; see ``commit(_:)``.
    private let changing = Mutex(())
    let canaries = CanaryWatch()
    let trials = VersionTrials()
    let storeWatch = StoreWatch()
    let importer: VersionImporter
    let folder: ImportFolder?

    /// A controller that serves nothing yet.
    ///
    /// - Parameters:
    ///   - source: The store.
    ///   - configuration: The models to serve, and the memory and store limits.
    ///   - holder: Receives the routing tables.
    ///   - builder: Makes snapshots.
    ///   - sampler: Provides histories to warm up with.
    ///   - logger: Logs every version that was published or rejected.
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
        let importer = VersionImporter(source: source)
        self.importer = importer
        folder = configuration.importFolder.map { ImportFolder(path: $0, importer: importer, logger: logger) }
    }

    /// Counts of events so far.
    public var report: Report { counts.withLock { $0 } }

    /// How the searches of each server outside of the process went; empty if searches do not go there.
    public var searchOutcomes: [SearchOutcomes] { builder.searchOutcomes }

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

    /// The state of a version.
    public func state(of version: Int, model: String) -> VersionState {
        state.withLock { $0.state(of: VersionID(model, version)) }
    }

    /// Whether a version is in memory.
    public func isResident(_ version: Int, model: String) -> Bool {
        state.withLock { $0.residents[VersionID(model, version)] != nil }
    }

    // MARK: Life

    /// Polls until graceful shutdown or cancellation, without waiting for a load in progress.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.startPoll()
                try? await Task.sleep(for: self.configuration.pollInterval)
            }
        }
    }

    /// Polls now, and tries rejected versions again; SIGHUP calls it.
    public func reload() {
        state.withLock { $0.rejected = [:] }
        startPoll()
    }

    /// Compares the service with the store and loads missing versions.
    public func poll() async {
        await onThread { [self] in reconcile() }
    }

    /// Polls in the background, unless the last such poll is still running.
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

    // MARK: Loading

    /// Loads a version unless it is in memory, and returns whether it is there; logs and remembers a rejection.
    func bringIn(_ id: VersionID) -> Bool {
        if state.withLock({ $0.residents[id] != nil }) { return true }
        guard begin(id) == nil else { return false }
        return (try? load(id)) != nil
    }

    /// Starts a load, or returns the version of the load in progress.
    func begin(_ id: VersionID) -> VersionID? {
        state.withLock { state in
            if let loading = state.loading { return loading.id }
            state.loading = (id, false)
            return nil
        }
    }

    /// Ends the load in progress.
    func end(rejection: (id: VersionID, reason: String)? = nil) {
        state.withLock { state in
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
            let checkpoint = try source.load(model: id.model, version: id.version)
            let createdAt = checkpoint.manifest.createdAt
            let generation = state.withLock { $0.nextGeneration() }
            let base = try builder.build(
                checkpoint,
                generation: generation,
                histories: sampler?.recentHistories ?? [],
                onWarming: { state.withLock { $0.loading = (id, true) } }
            )
            try commit {
                let newest = try source.newestItemChange(of: id.model)
                let snapshot = try replayed(on: base)
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
        } catch  where ServingError.mayPass(error) {
            end()
            logger.warning("the version could not be read", metadata: ["version": "\(id)", "error": "\(error)"])
            throw ServingError(error)
        } catch {
            let reason = "\(error)"
            end(rejection: (id, reason))
            if case SnapshotError.notSearchable = error { note { _ = $0.unsearchable.insert(id) } }
            counts.withLock { $0.rejected += 1 }
            logger.error(
                "version rejected; the service keeps its versions",
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

    /// Checks that a version can be searched outside of the process, if searches go there.
    func requireSearchable(_ id: VersionID) throws {
        try builder.requireSearchable { try source.inventory(of: id.model).first { $0.number == id.version } }
    }

    /// Changes the routing table in one step, and logs newly active versions.
    ///
    /// - Returns: The result of `change`.
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

    /// Reads the state.
    func look<Result: Sendable>(_ body: (ServedVersions) -> Result) -> Result { state.withLock { body($0) } }

    /// Changes the state where the routing table does not depend on it.
    func note(_ change: (inout ServedVersions) -> Void) { state.withLock { change(&$0) } }

    /// Counts an event.
    func count(_ change: (inout Report) -> Void) { counts.withLock { change(&$0) } }

    /// Unloads unneeded versions and frees the snapshots that no request holds; this thread holds the last reference
    /// of each.
    func freeRetired() {
        evict(keeping: configuration.keepVersions, of: nil)
        _ = state.withLock { $0.takeUnused() }
    }

    private func evict(keeping count: Int, of model: String?) {
        state.withLock { state in
            if state.evict(keeping: count, of: model) { holder.publish(state.table()) }
        }
    }

    /// Waits a limited time for requests to release retired snapshots, and frees them.
    private func freeRetired(within limit: Duration) {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while true {
            _ = state.withLock { $0.takeUnused() }
            guard state.withLock({ !$0.retired.isEmpty }), clock.now < end else { return }
            Thread.sleep(forTimeInterval: 0.002)
        }
    }

    // MARK: Changes

    /// Changes the store and the routing table together; no other change comes in between.
    ///
    /// So a change's answer names the stored and served state at its end. Loads stay outside, because they take
    /// long. Check again inside whatever was checked before a load.
    func commit<Value: Sendable>(_ change: () throws -> Value) throws -> Value {
        try changing.withLock { _ in try change() }
    }

    // MARK: Threads

    /// Runs work on the background thread, after its queued work.
    func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            thread.async { continuation.resume(returning: work()) }
        }
    }
}
