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
    let builder: SnapshotBuilder
    let sampler: AnswerSampler?
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

    // MARK: State

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
    @discardableResult
    func note<Result: Sendable>(_ change: (inout ServedVersions) -> Result) -> Result {
        state.withLock { change(&$0) }
    }

    /// Counts an event.
    func count(_ change: (inout Report) -> Void) { counts.withLock { change(&$0) } }

    /// Unloads unneeded versions and frees the snapshots that no request holds; this thread holds the last reference
    /// of each.
    func freeRetired() {
        evict(keeping: configuration.keepVersions, of: nil)
        _ = state.withLock { $0.takeUnused() }
    }

    func evict(keeping count: Int, of model: String?) {
        state.withLock { state in
            if state.evict(keeping: count, of: model) { holder.publish(state.table()) }
        }
    }

    /// Waits a limited time for requests to release retired snapshots, and frees them.
    func freeRetired(within limit: Duration) {
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
