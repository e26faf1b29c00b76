import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("ServingController") struct ServingControllerTests {
    let holder = RoutingHolder()

    @Test("polling brings the store's active version into service")
    func follows() async throws {
        let source = MemorySource([1, 2], active: nil)
        let controller = ServingController(source, in: holder)
        await controller.poll()
        #expect(holder.snapshot == nil)
        try source.activate(model: "m", version: 1)
        await controller.poll()
        #expect(holder.snapshot?.version == 1)
        try source.activate(model: "m", version: 2)
        await controller.poll()
        await controller.poll()
        #expect(holder.snapshot?.version == 2)
        #expect(source.state.withLock(\.loads) == 2)
        #expect(controller.state(of: 2, model: "m") == .active && controller.state(of: 1, model: "m") == .available)
    }

    @Test("activating loads a version and records the choice, also of an older version")
    func activates() async throws {
        let source = MemorySource([1, 2], active: 2)
        let controller = ServingController(source, in: holder)
        await controller.poll()
        #expect(try await controller.activate(model: "m", version: 1, wait: true))
        #expect(holder.snapshot?.version == 1 && source.activeVersion(of: "m") == 1)
        await controller.poll()
        #expect(holder.snapshot?.version == 1)
        #expect(try await controller.activate(model: "m", version: 1, wait: true))
        #expect(source.state.withLock(\.loads) == 2)
    }

    @Test("while one version loads, other loads are rejected")
    func loadsOneAtATime() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        let controller = ServingController(source, in: holder)
        await controller.poll()
        source.state.withLock { $0.isHeld = true }
        #expect(try await !controller.activate(model: "m", version: 2, wait: false))
        #expect(controller.state(of: 2, model: "m") == .loading)
        for version in [2, 3, 3] {
            await #expect(throws: ServingError.busyLoading(VersionID("m", 2))) {
                try await controller.activate(model: "m", version: version, wait: true)
            }
        }
        #expect(holder.snapshot?.version == 1)
        source.state.withLock { $0.isHeld = false }
        await controller.poll()
        #expect(holder.snapshot?.version == 2 && source.activeVersion(of: "m") == 2)
    }

    @Test("a replaced snapshot lives until its last request; then the controller frees it")
    func freesOld() async throws {
        let source = MemorySource([1, 2], active: 1)
        let controller = ServingController(source, keepVersions: 1, in: holder)
        await controller.poll()
        weak let old = holder.snapshot
        var request: ServingSnapshot? = holder.snapshot
        #expect(try await controller.activate(model: "m", version: 2, wait: true))
        await controller.poll()
        #expect(request === old && old != nil)
        request = nil
        #expect(old != nil, "the event loop's release must not be the last one")
        await controller.poll()
        #expect(old == nil)
    }

    @Test(
        "a rollback keeps a version in loading out of service: at once with room for three, else after the load"
    )
    func rollsBackDuringLoad() async throws {
        for keepVersions in [2, 3] {
            let source = MemorySource([1, 2, 3], active: 1)
            let holder = RoutingHolder()
            let controller = ServingController(source, keepVersions: keepVersions, in: holder)
            await controller.poll()
            #expect(try await controller.activate(model: "m", version: 2, wait: true))
            source.state.withLock { $0.isHeld = true }
            #expect(try await !controller.activate(model: "m", version: 3, wait: false))
            while source.state.withLock(\.loads) < 3 { try await Task.sleep(for: .milliseconds(1)) }
            #expect(controller.state(of: 3, model: "m") == .loading)
            async let rollback = controller.rollback(model: "m")
            if keepVersions == 3 {
                #expect(try await rollback == 1 && holder.snapshot?.version == 1)
            } else {
                try await Task.sleep(for: .milliseconds(20))
                #expect(holder.snapshot?.version == 2)
            }
            source.state.withLock { $0.isHeld = false }
            #expect(try await rollback == 1)
            await controller.poll()
            await controller.poll()
            #expect(holder.snapshot?.version == 1 && source.activeVersion(of: "m") == 1)
            #expect(source.state.withLock(\.loads) == (keepVersions == 3 ? 3 : 4))
            #expect(controller.report.rolledBack == 1)
            await #expect(throws: ServingError.nothingToRollBackTo(model: "m")) {
                try await controller.rollback(model: "m")
            }
        }
    }

    @Test("a rollback to a version that is not in memory loads it")
    func rollsBackFar() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        let controller = ServingController(source, in: holder)
        for version in 1...3 { #expect(try await controller.activate(model: "m", version: version, wait: true)) }
        await controller.poll()
        #expect(controller.state(of: 1, model: "m") == .unloaded)
        #expect(try await controller.rollback(model: "m") == 2)
        #expect(try await controller.rollback(model: "m") == 1)
        #expect(holder.snapshot?.version == 1 && source.state.withLock(\.loads) == 4)
    }

    @Test("memory never holds more versions than configured, the loading one included", arguments: [1, 2, 3])
    func keepsVersions(count: Int) async throws {
        let source = MemorySource([1, 2, 3, 4, 5], active: nil)
        let alive = LiveSnapshots()
        let controller = ServingController(source, keepVersions: count, in: holder, builder: alive.builder)
        for version in [1, 2, 3, 4, 5, 1, 2] {
            #expect(try await controller.activate(model: "m", version: version, wait: true))
            await controller.poll()
            let resident = (1...5).filter { controller.isResident($0, model: "m") }
            #expect(resident.count <= count && resident.contains(version))
        }
        #expect(alive.most <= max(2, count))
    }

    @Test("unloading frees an unused version, and rejects a version that answers requests")
    func unloads() async throws {
        let source = MemorySource([1, 2], active: 1)
        let controller = ServingController(source, in: holder)
        await controller.poll()
        #expect(try await controller.activate(model: "m", version: 2, wait: true))
        #expect(controller.isResident(1, model: "m"))
        weak let old = controller.residents.first { $0.id.version == 1 }?.snapshot
        _ = try await controller.unload(model: "m", version: 1)
        await controller.poll()
        #expect(controller.state(of: 1, model: "m") == .unloaded && old == nil)
        await #expect(throws: ServingError.inUse(VersionID("m", 2))) {
            try await controller.unload(model: "m", version: 2)
        }
        await #expect(throws: ServingError.versionNotFound(VersionID("m", 9))) {
            try await controller.unload(model: "m", version: 9)
        }
    }

    @Test("with a store that cannot be written, a change has no effect and fails with an error")
    func refusesWithoutStore() async throws {
        let source = MemorySource([1, 2], active: 1)
        let controller = ServingController(source, in: holder)
        await controller.poll()
        let refusal = CheckpointError.diskFull(path: "s")
        source.state.withLock { $0.refusal = refusal }
        await #expect(throws: ServingError.storeFailed("\(refusal)")) {
            try await controller.activate(model: "m", version: 2, wait: true)
        }
        #expect(holder.snapshot?.version == 1)
        source.state.withLock { $0.refusal = nil }
        #expect(try await controller.activate(model: "m", version: 2, wait: true))
        source.state.withLock { $0.refusal = refusal }
        await #expect(throws: ServingError.storeFailed("\(refusal)")) { try await controller.rollback(model: "m") }
        #expect(holder.snapshot?.version == 2)
    }
}

extension ServingController {
    /// A controller that serves the versions of a source through a holder.
    convenience init(
        _ source: MemorySource,
        keepVersions: Int = 2,
        in holder: RoutingHolder,
        builder: SnapshotBuilder = testBuilder
    ) {
        var configuration = ControllerConfiguration()
        configuration.keepVersions = keepVersions
        self.init(
            source: source,
            configuration: configuration,
            holder: holder,
            builder: builder,
            logger: quietLogger
        )
    }
}

/// Counts live snapshots, through a part of each that is freed with it.
private final class LiveSnapshots: Sendable {
    private final class Life: Sendable {
        private let owner: LiveSnapshots

        init(_ owner: LiveSnapshots) {
            self.owner = owner
            owner.count.withLock { count in
                count.now += 1
                count.most = max(count.most, count.now)
            }
        }

        deinit { owner.count.withLock { $0.now -= 1 } }
    }

    private let count = Mutex((now: 0, most: 0))

    /// The largest number of live snapshots at one time.
    var most: Int { count.withLock(\.most) }

    var builder: SnapshotBuilder {
        SnapshotBuilder(
            warmUpRequests: 3,
            makeModel: { checkpoint in
                guard let items = checkpoint.parameters["items"] else { throw StoreDoubleError.noItems }
                let life = Life(self)
                let encoder = MeanEncoder(items: items, onEncode: { _ in withExtendedLifetime(life) {} })
                return ServedModel(encoder: encoder, itemVectors: items)
            },
            makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
    }
}
