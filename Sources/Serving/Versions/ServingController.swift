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
    /// Held while the store and what requests see are changed together; see ``commit(_:)``.
    private let changing = Mutex(())
    let canaries = CanaryWatch()
    let storeWatch = StoreWatch()
    let folder: ImportFolder?

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
        /// Parts of the store that were damaged when it was last looked through.
        public var storeDamage = 0
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
            try commit {
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
        } catch  where ServingError.mayPass(error) {
            end()
            logger.warning("the store could not be read", metadata: ["version": "\(id)", "error": "\(error)"])
            throw .storeFailed("\(error)")
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

    /// Changes the state in what requests do not see.
    func note(_ change: (inout ServedVersions) -> Void) { state.withLock { change(&$0) } }

    /// Counts something that happened.
    func count(_ change: (inout Report) -> Void) { counts.withLock { change(&$0) } }

    /// Lets go of what nothing needs any more, and gives back the memory of snapshots that no request holds; this thread
    /// holds each one's last reference.
    func freeRetired() {
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

    // MARK: Changes

    /// Changes the store and what requests see as one: nobody else changes either in between.
    ///
    /// So the answer to a change names what is stored and served when it ends. Loads stay outside, because they take long;
    /// what was true before a load must be looked at again inside.
    func commit<Value: Sendable>(_ change: () throws -> Value) throws -> Value {
        try changing.withLock { _ in try change() }
    }

    // MARK: Threads

    /// Runs work behind whatever the background thread does.
    func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            thread.async { continuation.resume(returning: work()) }
        }
    }
}
