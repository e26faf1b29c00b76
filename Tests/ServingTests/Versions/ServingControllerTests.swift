import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("ServingController") struct ServingControllerTests {
    let holder = RoutingHolder()

    private func watch(
        _ source: MemorySource,
        keepVersions: Int = 2,
        in holder: RoutingHolder? = nil,
        builder: SnapshotBuilder = testBuilder
    ) -> ServingController {
        var configuration = ControllerConfiguration()
        configuration.keepVersions = keepVersions
        return ServingController(
            source: source,
            configuration: configuration,
            holder: holder ?? self.holder,
            builder: builder,
            logger: quietLogger
        )
    }

    @Test("polling brings the store's active version into service")
    func follows() async throws {
        let source = MemorySource([1, 2], active: nil)
        let controller = watch(source)
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

    @Test("a bad newest version is rejected once, with its reason, and the last good one stays")
    func keepsLastGood() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        source.state.withLock { state in
            state.damaged = [2]
            state.checkpoints[3]?.parameters["items"]?[5, 0] = .nan
        }
        let controller = watch(source)
        await controller.poll()
        for version in [2, 3] {
            try source.activate(model: "m", version: version)
            await controller.poll()
            await controller.poll()
            #expect(holder.snapshot?.version == 1)
        }
        #expect(source.state.withLock(\.loads) == 3)
        #expect(controller.state(of: 2, model: "m") == .rejected(reason: "damaged"))
        guard case .rejected(let reason) = controller.state(of: 3, model: "m") else {
            Issue.record("version 3 is \(controller.state(of: 3, model: "m"))")
            return
        }
        #expect(reason.contains("'i5'"))
    }

    @Test("a server that starts with a bad active version serves the newest good one")
    func startsWithBad() async {
        let source = MemorySource([1, 2, 3], active: 3)
        source.state.withLock { $0.damaged = [3] }
        let controller = watch(source)
        await controller.poll()
        await controller.poll()
        #expect(holder.snapshot?.version == 2)
        #expect(source.activeVersion(of: "m") == 3)
    }

    @Test("activating loads a version and records the choice, also of an older version")
    func activates() async throws {
        let source = MemorySource([1, 2], active: 2)
        let controller = watch(source)
        await controller.poll()
        #expect(try await controller.activate(model: "m", version: 1, wait: true))
        #expect(holder.snapshot?.version == 1 && source.activeVersion(of: "m") == 1)
        await controller.poll()
        #expect(holder.snapshot?.version == 1)
        #expect(try await controller.activate(model: "m", version: 1, wait: true))
        #expect(source.state.withLock(\.loads) == 2)
    }

    @Test("activating a bad version changes nothing")
    func refusesBad() async throws {
        let source = MemorySource([1, 2], active: 1)
        source.state.withLock { $0.damaged = [2] }
        let controller = watch(source)
        await controller.poll()
        await #expect(throws: ServingError.rejected(VersionID("m", 2), reason: "damaged")) {
            try await controller.activate(model: "m", version: 2, wait: true)
        }
        await #expect(throws: ServingError.versionNotFound(VersionID("m", 9))) {
            try await controller.activate(model: "m", version: 9, wait: true)
        }
        await #expect(throws: ServingError.modelNotServed("x", served: ["m"])) {
            try await controller.activate(model: "x", version: 1, wait: true)
        }
        #expect(holder.snapshot?.version == 1 && source.activeVersion(of: "m") == 1)
        source.state.withLock { $0.damaged = [] }
        #expect(try await controller.activate(model: "m", version: 2, wait: true))
        #expect(controller.state(of: 2, model: "m") == .active)
    }

    @Test("while one version loads, other loads are rejected")
    func loadsOneAtATime() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        let controller = watch(source)
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
        let controller = watch(source, keepVersions: 1)
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
            let controller = watch(source, keepVersions: keepVersions, in: holder)
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
        let controller = watch(source)
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
        let controller = watch(source, keepVersions: count, builder: alive.builder)
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
        let controller = watch(source)
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
        let controller = watch(source)
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

    @Test("after a temporary read error, the version is not rejected and the next poll tries again")
    func retriesReading() async throws {
        let source = MemorySource([1, 2], active: 1)
        let controller = watch(source)
        await controller.poll()
        try source.activate(model: "m", version: 2)
        for error in [CheckpointError.locked(path: "s"), .inputOutput(path: "s", reason: "r")] {
            source.state.withLock { $0.loadError = error }
            await controller.poll()
            #expect(holder.snapshot?.version == 1 && controller.state(of: 2, model: "m") == .available)
            await #expect(throws: ServingError.storeFailed("\(error)")) {
                try await controller.activate(model: "m", version: 2, wait: true)
            }
        }
        source.state.withLock { $0.loadError = nil }
        await controller.poll()
        #expect(holder.snapshot?.version == 2 && controller.report.rejected == 0)
    }

    @Test("a version that looks damaged once is served, because a failed read of the disk may look like damage")
    func readsDamageTwice() async throws {
        let source = MemorySource([1, 2], active: 2)
        let damage = CheckpointError.corrupted(what: "malformed", location: "'s'")
        source.state.withLock { $0.passingLoadError = damage }
        let controller = watch(source)
        await controller.poll()
        #expect(holder.snapshot?.version == 2 && controller.report.rejected == 0)
        source.state.withLock { $0.loadError = damage }
        await #expect(throws: ServingError.rejected(VersionID("m", 1), reason: "\(damage)")) {
            try await controller.activate(model: "m", version: 1, wait: true)
        }
    }

    @Test("a reload tries a rejected version again")
    func reloads() async throws {
        let source = MemorySource([1, 2], active: 1)
        source.state.withLock { $0.damaged = [2] }
        let controller = watch(source)
        await controller.poll()
        try source.activate(model: "m", version: 2)
        await controller.poll()
        source.state.withLock { $0.damaged = [] }
        await controller.poll()
        #expect(holder.snapshot?.version == 1)
        controller.reload()
        await controller.poll()
        #expect(holder.snapshot?.version == 2)
    }

    @Test("a version whose index has a low recall is rejected, with that recall in the reason")
    func probesRecall() async throws {
        let source = MemorySource([1], active: 1)
        let builder = SnapshotBuilder(
            warmUpRequests: 20,
            minRecall: 0.9,
            makeModel: { checkpoint in
                let items = try #require(checkpoint.parameters["items"])
                return ServedModel(encoder: MeanEncoder(items: items), itemVectors: items)
            },
            // Searches the wrong vectors.
            makeIndex: { _, vectors in ScanIndex(vectors: Matrix((0..<vectors.rows).reversed().map { vectors.row($0) }))
            },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        source.state.withLock { $0.checkpoints[1] = makeCheckpoint(version: 1, items: 400) }
        let controller = ServingController(source: source, holder: holder, builder: builder, logger: quietLogger)
        await controller.poll()
        guard case .rejected(let reason) = controller.state(of: 1, model: "m") else {
            Issue.record("version 1 is \(controller.state(of: 1, model: "m"))")
            return
        }
        #expect(reason.contains("MIN_RECALL is 0.9") && holder.snapshot == nil)
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
