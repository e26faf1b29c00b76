import CheckpointStore
import Dispatch
public import Logging
public import ServiceLifecycle
import Synchronization

/// Brings the store's active version into service, one load at a time, and keeps the last good one when a load fails.
///
/// Everything long happens on one background thread: reading, checking, building, warming up, and giving back the memory of
/// a replaced snapshot once no request uses it any more. The event loops only ever see a finished snapshot.
public final class CheckpointWatcher: Service {
    private struct State {
        var model: String?
        var loading: Int?
        var isPolling = false
        var rejected: [Int: String] = [:]
        var generation: UInt64 = 0
        var retired: [ServingSnapshot] = []
    }

    private let source: any CheckpointSource
    private let holder: SnapshotHolder
    private let builder: SnapshotBuilder
    private let pollInterval: Duration
    private let logger: Logger
    private let state: Mutex<State>
    private let thread = BackgroundThread(name: "checkpoints")

    /// A watcher of one model.
    ///
    /// - Parameters:
    ///   - source: The store.
    ///   - model: The model to serve; nil serves the store's only one.
    ///   - holder: Where snapshots are published.
    ///   - builder: Makes snapshots.
    ///   - pollInterval: How often the store is asked for its active version.
    ///   - logger: Told about every version that was published or rejected.
    public init(
        source: any CheckpointSource,
        model: String?,
        holder: SnapshotHolder,
        builder: SnapshotBuilder,
        pollInterval: Duration = .seconds(1),
        logger: Logger
    ) {
        self.source = source
        self.holder = holder
        self.builder = builder
        self.pollInterval = pollInterval
        self.logger = logger
        state = Mutex(State(model: model))
    }

    /// The name of the served model, once it is known.
    public var model: String? { state.withLock(\.model) }

    /// Polls until graceful shutdown or cancellation, without waiting for a load that is under way then.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.startPoll()
                try? await Task.sleep(for: self.pollInterval)
            }
        }
    }

    /// Where a version of the served model stands.
    public func state(of version: Int, model: String) -> VersionState {
        let current = holder.current
        return state.withLock { state in
            guard model == state.model else { return .available }
            if state.loading == version { return .loading }
            if current?.version == version { return .active }
            if let reason = state.rejected[version] { return .rejected(reason: reason) }
            return .available
        }
    }

    /// Loads the store's active version if it is not the one in service, and frees snapshots that nobody uses any more.
    ///
    /// A version that was rejected is not tried again until it is activated by name. With nothing in service yet and a
    /// rejected active version, the newest other version is tried, so that a bad newest checkpoint does not keep a
    /// restarted server from serving.
    public func poll() async {
        await onThread { [self] in pollOnThread() }
    }

    /// Polls in the background, unless the last such poll is still at it.
    private func startPoll() {
        let isFree = state.withLock { state in
            defer { state.isPolling = true }
            return !state.isPolling
        }
        guard isFree else { return }
        thread.async { [self] in
            pollOnThread()
            state.withLock { $0.isPolling = false }
        }
    }

    private func pollOnThread() {
        freeRetired()
        do {
            guard let model = try servedModel(), let version = try wantedVersion(of: model) else { return }
            guard holder.current?.version != version, begin(version) == nil else { return }
            try load(model: model, version: version, choose: false)
        } catch is ActivationError {
            // Logged and remembered where it was found.
        } catch {
            logger.error("the store could not be read", metadata: ["error": "\(error)"])
        }
    }

    /// Makes a version the store's active one and the one in service.
    ///
    /// The order is load, check, warm up, record the choice in the store, publish: a version that cannot be served is never
    /// chosen. Activating the version in service only records the choice.
    ///
    /// - Parameters:
    ///   - model: The served model's name.
    ///   - version: The version to activate.
    ///   - wait: Whether to return only when the version is in service.
    /// - Returns: Whether it is in service now.
    /// - Throws: ``ActivationError``; without `wait`, a rejection shows in ``state(of:model:)`` instead.
    public func activate(model: String, version: Int, wait: Bool) async throws(ActivationError) -> Bool {
        let checked = await onStoreThread { [self] () throws(ActivationError) in try checkExists(model, version) }
        try checked.get()
        if let busy = begin(version) { throw .busyLoading(version: busy) }
        let isServed = holder.current.map { $0.model == model && $0.version == version } ?? false
        let work: @Sendable () -> Result<Void, ActivationError> = { [self] in
            Result { () throws(ActivationError) in
                if isServed {
                    defer { end(version, rejection: nil) }
                    try choose(model: model, version: version)
                } else {
                    try load(model: model, version: version, choose: true)
                }
            }
        }
        guard wait || isServed else {
            thread.async { _ = work() }
            return false
        }
        try await onThread(work).get()
        return true
    }

    /// The served model: the configured one, or the store's only one.
    private func servedModel() throws -> String? {
        if let model = state.withLock(\.model) { return model }
        let names = try source.modelNames()
        guard names.count <= 1 else {
            logger.error("the store holds several models; name one", metadata: ["models": "\(names)"])
            return nil
        }
        state.withLock { $0.model = names.first }
        return names.first
    }

    private func wantedVersion(of model: String) throws -> Int? {
        let rejected = state.withLock(\.rejected)
        let active = try source.activeVersion(of: model)
        if let active, rejected[active] == nil { return active }
        guard active != nil, holder.current == nil else { return nil }
        return try source.manifests(of: model).map(\.version).filter { rejected[$0] == nil }.max()
    }

    private func checkExists(_ model: String, _ version: Int) throws(ActivationError) {
        do {
            let served = try servedModel()
            guard served == model else { throw ActivationError.modelNotServed(model, served: served) }
            guard try source.manifests(of: model).contains(where: { $0.version == version }) else {
                throw ActivationError.versionNotFound(model: model, version: version)
            }
        } catch let error as ActivationError {
            throw error
        } catch {
            throw .storeFailed("\(error)")
        }
    }

    private func choose(model: String, version: Int) throws(ActivationError) {
        do {
            try source.activate(model: model, version: version)
        } catch {
            throw .storeFailed("\(error)")
        }
    }

    /// Takes the one place for loading, or returns the version that holds it.
    private func begin(_ version: Int) -> Int? {
        state.withLock { state in
            if let loading = state.loading { return loading }
            state.loading = version
            return nil
        }
    }

    private func end(_ version: Int, rejection: String?) {
        state.withLock { state in
            state.loading = nil
            state.rejected[version] = rejection
        }
    }

    /// Loads and publishes a version; the place for loading must have been taken, and is given back.
    private func load(model: String, version: Int, choose isChosen: Bool) throws(ActivationError) {
        let clock = ContinuousClock()
        let start = clock.now
        let generation = state.withLock { state in
            state.generation += 1
            return state.generation
        }
        let snapshot: ServingSnapshot
        do {
            let checkpoint = try source.load(model: model, version: version)
            snapshot = try builder.build(checkpoint, generation: generation)
        } catch {
            let reason = "\(error)"
            end(version, rejection: reason)
            logger.error(
                "checkpoint rejected; the previous one stays in service",
                metadata: ["model.name": "\(model)", "model.version": "\(version)", "error": "\(reason)"]
            )
            throw .rejected(model: model, version: version, reason: reason)
        }
        defer { end(version, rejection: nil) }
        if isChosen { try choose(model: model, version: version) }
        let replaced = holder.publish(snapshot).replaced
        if let replaced { state.withLock { $0.retired.append(replaced) } }
        logger.info(
            "snapshot published",
            metadata: [
                "model.name": "\(model)", "model.version": "\(version)", "snapshot.generation": "\(generation)",
                "index.items": "\(snapshot.itemCount)", "load.ms": "\((clock.now - start) / .milliseconds(1))",
            ]
        )
    }

    /// Gives back the memory of replaced snapshots that no request holds; this thread holds each one's last reference.
    private func freeRetired() {
        var unused: [ServingSnapshot] = []
        state.withLock { state in
            for position in state.retired.indices.reversed()
            where isKnownUniquelyReferenced(&state.retired[position]) {
                unused.append(state.retired.remove(at: position))
            }
        }
    }

    private func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            thread.async { continuation.resume(returning: work()) }
        }
    }

    /// Asks the store without queueing behind a load.
    private func onStoreThread<Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Void
    ) async -> Result<Void, Failure> {
        await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async { continuation.resume(returning: Result(catching: work)) }
        }
    }
}
