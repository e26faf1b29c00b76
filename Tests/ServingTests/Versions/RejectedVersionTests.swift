import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("rejected versions") struct RejectedVersionTests {
    let holder = RoutingHolder()

    @Test("a bad newest version is rejected once, with its reason, and the last good one stays")
    func keepsLastGood() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        source.state.withLock { state in
            state.damaged = [2]
            state.checkpoints[3]?.parameters["items"]?[5, 0] = .nan
        }
        let controller = ServingController(source, in: holder)
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
        let controller = ServingController(source, in: holder)
        await controller.poll()
        await controller.poll()
        #expect(holder.snapshot?.version == 2)
        #expect(source.activeVersion(of: "m") == 3)
    }

    @Test("activating a bad version changes nothing")
    func refusesBad() async throws {
        let source = MemorySource([1, 2], active: 1)
        source.state.withLock { $0.damaged = [2] }
        let controller = ServingController(source, in: holder)
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

    @Test("after a temporary read error, the version is not rejected and the next poll tries again")
    func retriesReading() async throws {
        let source = MemorySource([1, 2], active: 1)
        let controller = ServingController(source, in: holder)
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
        let controller = ServingController(source, in: holder)
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
        let controller = ServingController(source, in: holder)
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
