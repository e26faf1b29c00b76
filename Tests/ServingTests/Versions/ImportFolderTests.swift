import CheckpointStore
import Foundation
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("Import folder") struct ImportFolderTests {
    let source = MemorySource([1], active: 1)
    let holder = RoutingHolder()
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("import-\(UUID().uuidString)")

    private func makeController() -> ServingController {
        var configuration = ControllerConfiguration()
        configuration.importFolder = folder.path
        configuration.retainVersions = 2
        return ServingController(
            source: source,
            configuration: configuration,
            holder: holder,
            builder: testBuilder,
            logger: quietLogger
        )
    }

    private func drop(_ name: String, _ text: String, age: TimeInterval = 60) throws {
        let file = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        let changed = Date.now.addingTimeInterval(-age)
        try FileManager.default.setAttributes([.modificationDate: changed], ofItemAtPath: file.path)
    }

    private func files(_ path: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(path).path).sorted()
    }

    @Test("a new file is published and removed, and old versions are pruned")
    func publishes() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let controller = makeController()
        await controller.poll()
        for version in 2...4 {
            try drop("v\(version).sqlite", "\(version)")
            await controller.poll()
            #expect(holder.snapshot?.version == version && source.activeVersion(of: "m") == version)
            #expect(try files() == [])
        }
        #expect(source.inventory(of: "m").map(\.number) == [3, 4] && controller.report.imported == 3)
    }

    @Test("only whole files with the right name count, and a jump of the clock delays none")
    func ignoresOthers() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let controller = makeController()
        try drop("v2.sqlite.part", "2")
        try drop(".v2.sqlite", "2")
        try drop("fresh.sqlite", "3", age: 0)
        await controller.poll()
        #expect(holder.snapshot?.version == 1)
        #expect(try files() == [".v2.sqlite", "fresh.sqlite", "v2.sqlite.part"])
        try drop("future.sqlite", "4", age: -86_400)
        await controller.poll()
        #expect(holder.snapshot?.version == 4)
    }

    @Test("a bad file, or one whose version cannot be served, is rejected with the reason; the old version stays")
    func rejects() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        source.state.withLock { $0.damaged = [5] }
        let controller = makeController()
        try drop("junk.sqlite", "no store")
        try drop("damaged.sqlite", "5")
        await controller.poll()
        #expect(holder.snapshot?.version == 1 && source.activeVersion(of: "m") == 1)
        #expect(try files() == ["rejected"])
        #expect(
            try files("rejected") == ["damaged.sqlite", "damaged.sqlite.reason", "junk.sqlite", "junk.sqlite.reason"]
        )
        let reason = try String(
            contentsOf: folder.appendingPathComponent("rejected/junk.sqlite.reason"),
            encoding: .utf8
        )
        #expect(reason.contains("not a checkpoint store"))
        #expect(controller.report.importsRejected == 2)
    }

    @Test("a file waits while the store is locked or full")
    func waits() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let controller = makeController()
        await controller.poll()
        try drop("v2.sqlite", "2")
        for refusal in [CheckpointError.locked(path: "s"), .diskFull(path: "s"), .readOnly(path: "s")] {
            source.state.withLock { $0.refusal = refusal }
            await controller.poll()
            #expect(try files() == ["v2.sqlite"] && holder.snapshot?.version == 1)
        }
        source.state.withLock { $0.refusal = nil }
        await controller.poll()
        #expect(try files() == [] && holder.snapshot?.version == 2)
    }

    @Test("a file with a known version, as after a crash, is published and removed")
    func repeats() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        source.state.withLock { $0.checkpoints[2] = makeCheckpoint(version: 2) }
        let controller = makeController()
        await controller.poll()
        try drop("v2.sqlite", "2")
        await controller.poll()
        #expect(holder.snapshot?.version == 2 && source.inventory(of: "m").count == 2)
        #expect(try files() == [])
    }
}
