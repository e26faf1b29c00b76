import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("CheckpointWatcher") struct CheckpointWatcherTests {
    let holder = SnapshotHolder()

    private func watch(_ source: MemorySource) -> CheckpointWatcher {
        CheckpointWatcher(source: source, model: nil, holder: holder, builder: testBuilder, logger: quietLogger)
    }

    @Test("polling brings the store's active version into service")
    func follows() async throws {
        let source = MemorySource([1, 2], active: nil)
        let watcher = watch(source)
        await watcher.poll()
        #expect(holder.current == nil)
        source.activate(model: "m", version: 1)
        await watcher.poll()
        #expect(holder.current?.version == 1)
        source.activate(model: "m", version: 2)
        await watcher.poll()
        await watcher.poll()
        #expect(holder.current?.version == 2)
        #expect(source.state.withLock(\.loads) == 2)
        #expect(watcher.state(of: 2, model: "m") == .active && watcher.state(of: 1, model: "m") == .available)
    }

    @Test("a bad newest version is rejected once, with its reason, and the last good one stays")
    func keepsLastGood() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        source.state.withLock { state in
            state.damaged = [2]
            state.checkpoints[3]?.parameters["items"]?[5, 0] = .nan
        }
        let watcher = watch(source)
        await watcher.poll()
        for version in [2, 3] {
            source.activate(model: "m", version: version)
            await watcher.poll()
            await watcher.poll()
            #expect(holder.current?.version == 1)
        }
        #expect(source.state.withLock(\.loads) == 3)
        #expect(watcher.state(of: 2, model: "m") == .rejected(reason: "damaged"))
        guard case .rejected(let reason) = watcher.state(of: 3, model: "m") else {
            Issue.record("version 3 is \(watcher.state(of: 3, model: "m"))")
            return
        }
        #expect(reason.contains("'i5'"))
    }

    @Test("a server that starts with a bad active version serves the newest good one")
    func startsWithBad() async {
        let source = MemorySource([1, 2, 3], active: 3)
        source.state.withLock { $0.damaged = [3] }
        let watcher = watch(source)
        await watcher.poll()
        await watcher.poll()
        #expect(holder.current?.version == 2)
        #expect(source.activeVersion(of: "m") == 3)
    }

    @Test("activating loads, records the choice and may go back to an older version")
    func activates() async throws {
        let source = MemorySource([1, 2], active: 2)
        let watcher = watch(source)
        await watcher.poll()
        #expect(try await watcher.activate(model: "m", version: 1, wait: true))
        #expect(holder.current?.version == 1 && source.activeVersion(of: "m") == 1)
        await watcher.poll()
        #expect(holder.current?.version == 1)
        #expect(try await watcher.activate(model: "m", version: 1, wait: true))
        #expect(source.state.withLock(\.loads) == 2)
    }

    @Test("activating a bad version changes nothing")
    func refusesBad() async throws {
        let source = MemorySource([1, 2], active: 1)
        source.state.withLock { $0.damaged = [2] }
        let watcher = watch(source)
        await watcher.poll()
        await #expect(throws: ActivationError.rejected(model: "m", version: 2, reason: "damaged")) {
            try await watcher.activate(model: "m", version: 2, wait: true)
        }
        await #expect(throws: ActivationError.versionNotFound(model: "m", version: 9)) {
            try await watcher.activate(model: "m", version: 9, wait: true)
        }
        await #expect(throws: ActivationError.modelNotServed("x", served: "m")) {
            try await watcher.activate(model: "x", version: 1, wait: true)
        }
        #expect(holder.current?.version == 1 && source.activeVersion(of: "m") == 1)
        source.state.withLock { $0.damaged = [] }
        #expect(try await watcher.activate(model: "m", version: 2, wait: true))
        #expect(watcher.state(of: 2, model: "m") == .active)
    }

    @Test("while one version loads, others are refused")
    func loadsOneAtATime() async throws {
        let source = MemorySource([1, 2, 3], active: 1)
        let watcher = watch(source)
        await watcher.poll()
        source.state.withLock { $0.isHeld = true }
        #expect(try await !watcher.activate(model: "m", version: 2, wait: false))
        #expect(watcher.state(of: 2, model: "m") == .loading)
        for version in [2, 3, 3, 1] {
            await #expect(throws: ActivationError.busyLoading(version: 2)) {
                try await watcher.activate(model: "m", version: version, wait: true)
            }
        }
        #expect(holder.current?.version == 1)
        source.state.withLock { $0.isHeld = false }
        await watcher.poll()
        #expect(holder.current?.version == 2 && source.activeVersion(of: "m") == 2)
    }

    @Test("a replaced snapshot lives until its last request and is then freed by the watcher")
    func freesOld() async throws {
        let source = MemorySource([1, 2], active: 1)
        let watcher = watch(source)
        await watcher.poll()
        weak let old = holder.current
        var request: ServingSnapshot? = holder.current
        #expect(try await watcher.activate(model: "m", version: 2, wait: true))
        await watcher.poll()
        #expect(request === old && old != nil)
        request = nil
        #expect(old != nil, "the event loop's release must not be the last one")
        await watcher.poll()
        #expect(old == nil)
    }

    @Test("a snapshot of an older load cannot replace a newer one")
    func refusesOlderGeneration() throws {
        let newer = try testBuilder.build(makeCheckpoint(version: 1), generation: 5)
        #expect(holder.publish(newer).isPublished)
        for generation in [4, 5] as [UInt64] {
            let older = try testBuilder.build(makeCheckpoint(version: 2), generation: generation)
            #expect(!holder.publish(older).isPublished)
        }
        #expect(holder.current === newer)
    }
}
