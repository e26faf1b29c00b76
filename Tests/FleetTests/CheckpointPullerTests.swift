import CheckpointStore
import Fleet
import Foundation
import Kernels
import Logging
import NIOHTTP1
import Serving
import Synchronization
import TestSupport
import Testing

/// The store's double takes a file whose text is a version's number.
@Suite("checkpoint puller") struct CheckpointPullerTests {
    private let folder: TemporaryFolder
    private let server: FileServer
    private let source = MemorySource([1], active: 1)
    private let holder = RoutingHolder()

    init() async throws {
        folder = try TemporaryFolder()
        server = try await FileServer()
    }

    private func makeController() -> ServingController {
        ServingController(source: source, holder: holder, builder: testBuilder, logger: quietLogger)
    }

    private func makePuller(
        _ controller: ServingController,
        spread: Duration = .zero,
        settling: Duration = .zero,
        name: String = "a"
    ) -> CheckpointPuller {
        var configuration = CheckpointPuller.Configuration(
            index: server.address("shop/index.json"),
            store: folder.path + "/store.sqlite",
            models: [],
            replica: Replica(name: name),
            poll: .seconds(1),
            spread: spread
        )
        configuration.settling = settling
        return CheckpointPuller(
            configuration: configuration,
            controller: controller,
            client: StoreClient(signature: nil, patience: 300),
            logger: quietLogger
        )
    }

    private func release(_ version: Int, text: String? = nil, share: Double = 100) -> Release {
        let content = Array((text ?? "\(version)").utf8)
        var release = makeRelease(version: version, share: share)
        (release.sha256, release.bytes, release.file) = (
            SHA256.digest(of: content), content.count, "v\(version).sqlite"
        )
        return release
    }

    /// Publishes versions, and stores their files unless told otherwise.
    private func publish(_ releases: [Release], into index: inout ReleaseIndex, files: Bool = true) throws {
        for release in releases {
            _ = index.add(release, keeping: 10)
            if files { server.put("shop/" + release.file, Array("\(release.version)".utf8)) }
        }
        server.put("shop/index.json", Array(try index.json()))
    }

    @Test("the newest version is taken once; an unchanged index is not sent again")
    func takes() async throws {
        let controller = makeController()
        await controller.poll()
        let puller = makePuller(controller)
        var index = ReleaseIndex()
        try publish([release(2), release(3)], into: &index)
        for _ in 0..<3 { #expect(await puller.pull() == false) }
        #expect(holder.snapshot?.version == 3 && source.activeVersion(of: "m") == 3)
        #expect(controller.report.pulled == 1 && server.requests("shop/v2.sqlite").isEmpty)
        let tags = server.requests("shop/index.json").map { $0.headers.contains(name: "if-none-match") }
        #expect(tags == [false, false, true])

        // An operator's rollback stays, also after a restart, until something newer is published.
        _ = try await controller.rollback(model: "m")
        let later = makePuller(controller)
        #expect(await later.pull() == false)
        #expect(holder.snapshot?.version == 1)
        try publish([release(4)], into: &index)
        #expect(await later.pull() == false)
        #expect(holder.snapshot?.version == 4)
        // Publishing an old version again makes the fleet return to it.
        try publish([release(3)], into: &index)
        await later.pull()
        #expect(holder.snapshot?.version == 3)
    }

    @Test("a change that keeps the entity tag, as within one second on some servers, is seen")
    func settlingTag() async throws {
        let controller = makeController()
        await controller.poll()
        let puller = makePuller(controller, settling: .seconds(3600))
        var index = ReleaseIndex()
        for version in 2...4 {
            try publish([release(version)], into: &index)
            server.state.withLock { $0.files["/shop/index.json"]?.tag = "\"whole-second\"" }
            await puller.pull()
            #expect(holder.snapshot?.version == version)
        }
        #expect(!server.requests("shop/index.json").contains { $0.headers.contains(name: "if-none-match") })
    }

    @Test("a corrupt, missing or bad version is refused, an older new one is taken, and the service keeps answering")
    func refuses() async throws {
        let controller = makeController()
        await controller.poll()
        let puller = makePuller(controller)
        var index = ReleaseIndex()
        try publish([release(2)], into: &index)
        try publish([release(3)], into: &index)
        server.put("shop/v3.sqlite", Array("x".utf8))
        try publish([release(4)], into: &index, files: false)
        while await puller.pull() {}
        #expect(holder.snapshot?.version == 2)
        #expect(controller.report.pullsRefused == 2 && controller.report.pulled == 1)
        // A file with the right digest that is no version.
        let bad = release(5, text: "no version")
        try publish([bad], into: &index, files: false)
        server.put("shop/v5.sqlite", Array("no version".utf8))
        while await puller.pull() {}
        #expect(holder.snapshot?.version == 2 && source.activeVersion(of: "m") == 2)
        let refused = try PullRecord(path: folder.path + "/store.sqlite.pulls.json").refused
        #expect(refused.keys.sorted() == [bad.sha256])
        // The missing file arrives; the index changes; it is taken.
        server.put("shop/v4.sqlite", Array("4".utf8))
        try publish([release(5, text: "no version", share: 50)], into: &index, files: false)
        while await puller.pull() {}
        #expect(holder.snapshot?.version == 4)
    }

    @Test("a dead or broken store of checkpoints changes nothing and is tried again")
    func outlasts() async throws {
        let controller = makeController()
        await controller.poll()
        let puller = makePuller(controller)
        await puller.pull()
        var index = ReleaseIndex()
        try publish([release(2)], into: &index)
        server.state.withLock { $0.status = 500 }
        await puller.pull()
        server.state.withLock { $0.status = nil }
        server.put("shop/index.json", Array("{".utf8))
        await puller.pull()
        #expect(holder.snapshot?.version == 1 && controller.report.pullsFailed == 3)
        try publish([], into: &index)
        server.state.withLock { $0.cuts = [0] }
        await puller.pull()
        #expect(holder.snapshot?.version == 1 && controller.report.pullsFailed == 4)
        await puller.pull()
        #expect(holder.snapshot?.version == 2)
    }

    @Test("a replica waits for its time, unless it serves nothing; another process' lock makes it wait")
    func waits() async throws {
        var index = ReleaseIndex()
        try publish([release(2)], into: &index)
        let controller = makeController()
        await controller.poll()
        let puller = makePuller(controller, spread: .seconds(86_400))
        for _ in 0..<2 { #expect(await puller.pull()) }
        #expect(holder.snapshot?.version == 1 && server.requests("shop/v2.sqlite").isEmpty)

        source.state.withLock { ($0.activations, $0.checkpoints) = ([], [:]) }
        let empty = makeController()
        await empty.poll()
        let first = makePuller(empty, spread: .seconds(86_400))
        do {
            guard let lock = try FileLock(path: folder.path + "/downloads/lock") else {
                Issue.record("the lock is held")
                return
            }
            let isWaiting = await first.pull()
            #expect(isWaiting && !empty.serves("m"))
            extendLifetime(lock)
        }
        #expect(await first.pull() == false)
        #expect(empty.serves("m"))
    }

    @Test("a release for other replicas is not taken before its share grows")
    func stages() async throws {
        let controller = makeController()
        await controller.poll()
        let puller = makePuller(controller)
        var index = ReleaseIndex()
        try publish([release(2, share: 0)], into: &index)
        await puller.pull()
        #expect(holder.snapshot?.version == 1)
        try publish([release(2)], into: &index)
        await puller.pull()
        #expect(holder.snapshot?.version == 2)
    }

    @Test("a version that breaks its guard is rolled back and not taken again; a newer one is")
    func guards() async throws {
        let controller = makeController()
        await controller.poll()
        var index = ReleaseIndex()
        var guarded = release(2)
        // No answer takes less than a nanosecond.
        guarded.guard = Release.Bounds(maxP99Ms: 0.000_001, minRequests: 5)
        try publish([guarded], into: &index)
        let puller = makePuller(controller)
        await puller.pull()
        #expect(holder.snapshot?.version == 2)
        let service = RetrievalService(holder: holder)
        let workspace = RetrievalWorkspace()
        await controller.poll()
        for _ in 0..<10 { _ = try service.retrieve(RetrievalRequest(history: ["i1"], k: 1), workspace: workspace) }
        await controller.poll()
        #expect(holder.snapshot?.version == 1 && source.activeVersion(of: "m") == 1)
        #expect(controller.report.guardRollbacks == 1 && controller.versionsEndedByGuard == [VersionID("m", 2)])
        await puller.pull()
        // The same file under a new number, and after a restart of the replica.
        try publish([release(3)], into: &index)
        try publish([guarded], into: &index)
        server.state.withLock { $0.files["/shop/v3.sqlite"] = nil }
        let later = makePuller(makeController())
        for _ in 0..<3 { await later.pull() }
        #expect(source.activeVersion(of: "m") == 1)
        try publish([release(4)], into: &index)
        await puller.pull()
        #expect(source.activeVersion(of: "m") == 4)
    }
}
