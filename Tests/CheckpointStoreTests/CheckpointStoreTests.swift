import CheckpointStore
import Dispatch
import Foundation
import GRDB
import Kernels
import Synchronization
import Testing

@Suite("CheckpointStore") struct CheckpointStoreTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("a published version is read back", arguments: [4, 64, 16 << 20])
    func roundTrip(chunkBytes: Int) throws {
        let store = try directory.store(chunkBytes: chunkBytes)
        let published = Fixtures.checkpoint()
        #expect(try store.publish(published) == 1)
        expectSame(try store.load(model: "ml"), published)
        try store.verify(model: "ml")
        try store.close()
        let reader = try CheckpointStore(path: directory.path(), readOnly: true)
        let read = try reader.load(model: "ml", version: 1)
        expectSame(read, published)
        #expect(read.manifest.version == 1)
        #expect(try Date(read.manifest.createdAt, strategy: .iso8601).timeIntervalSinceNow > -600)
        try reader.verify(model: "ml", version: 1)
    }

    @Test("no titles, no categories, no items, unusual text")
    func unusualCatalogues() throws {
        let store = try directory.store()
        var bare = Fixtures.checkpoint()
        bare.catalogue = Catalogue(ids: bare.catalogue.ids)
        var empty = Fixtures.checkpoint(items: 0)
        empty.parameters = [:]
        empty.index = []
        var unicode = Fixtures.checkpoint(items: 6)
        // The third and the fourth are equal strings of different bytes, so different ids.
        unicode.catalogue.ids = ["", "\u{0}", "na\u{EF}ve", "nai\u{308}ve", "🎬🏳️‍🌈", "\u{FEFF}a\r\n"]
        unicode.manifest.recipe = "\u{1}\u{2028}/\\\""
        unicode.parameters["items"] = Matrix(
            rows: 1,
            columns: 4,
            elements: [.nan, -.infinity, -0, .leastNonzeroMagnitude]
        )
        for (number, checkpoint) in [bare, empty, unicode].enumerated() {
            #expect(try store.publish(checkpoint) == number + 1)
            expectSame(try store.load(model: "ml"), checkpoint)
        }
        #expect(throws: CheckpointError.self) { try store.verify(model: "ml", version: 3) }
    }

    @Test("version numbers rise for each model and are never reused")
    func versionNumbers() throws {
        let store = try directory.store()
        #expect(try store.models().isEmpty)
        #expect(try (1...3).map { try store.publish(Fixtures.checkpoint($0)) } == [1, 2, 3])
        #expect(try store.publish(Fixtures.checkpoint(9, model: "a b/ü")) == 1)
        #expect(try store.models() == ["a b/ü", "ml"])
        try directory.execute("PRAGMA foreign_keys = ON; DELETE FROM activation; DELETE FROM version WHERE number = 3")
        #expect(try store.publish(Fixtures.checkpoint(4)) == 4)
        for version in [1, 2, 4] {
            expectSame(try store.load(model: "ml", version: version), Fixtures.checkpoint(version))
        }
    }

    @Test("the last activated version is active, and the history is kept")
    func activation() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint(1), activate: false)
        #expect(try store.activeVersion(of: "ml") == nil)
        #expect(throws: CheckpointError.noActiveVersion(model: "ml", available: [1])) { try store.load(model: "ml") }
        _ = try store.publish(Fixtures.checkpoint(2))
        _ = try store.publish(Fixtures.checkpoint(3), activate: false)
        #expect(try store.activeVersion(of: "ml") == 2)
        try store.activate(model: "ml", version: 3)
        try store.activate(model: "ml", version: 3)
        try store.activate(model: "ml", version: 1)
        #expect(try store.activations(of: "ml") == [2, 3, 1])
        expectSame(try store.load(model: "ml"), Fixtures.checkpoint(1))
        let summaries = try store.versions(of: "ml")
        #expect(summaries.map(\.isActive) == [true, false, false])
        #expect(summaries.map(\.manifest.version) == [1, 2, 3])
        #expect(Set(summaries.map(\.digest)).count == 3)
        #expect(summaries.allSatisfy { $0.digest.count == 64 && $0.bytes > 4 * (12 * 4 + 99) })
        #expect(try store.manifest(model: "ml").trainRows == 1001)
        #expect(try store.manifest(model: "ml", version: 3).trainRows == 1003)
    }

    @Test("an error about a missing part lists the existing ones")
    func missing() throws {
        #expect(throws: CheckpointError.notFound(path: directory.path())) { try directory.store(readOnly: true) }
        #expect(!FileManager.default.fileExists(atPath: directory.path()))
        let store = try directory.store()
        #expect(throws: CheckpointError.modelNotFound(model: "ml", available: [])) { try store.load(model: "ml") }
        _ = try store.publish(Fixtures.checkpoint())
        _ = try store.publish(Fixtures.checkpoint())
        let noModel = CheckpointError.modelNotFound(model: "nope", available: ["ml"])
        let noVersion = CheckpointError.versionNotFound(model: "ml", version: 3, available: [1, 2])
        #expect(throws: noModel) { try store.load(model: "nope") }
        #expect(throws: noModel) { try store.versions(of: "nope") }
        #expect(throws: noModel) { try store.activate(model: "nope", version: 1) }
        #expect(throws: noVersion) { try store.load(model: "ml", version: 3) }
        #expect(throws: noVersion) { try store.verify(model: "ml", version: 3) }
        #expect(throws: noVersion) { try store.activate(model: "ml", version: 3) }
        #expect(noVersion.description.contains("1, 2"))
        let reader = try directory.store(readOnly: true)
        let readOnly = CheckpointError.readOnly(path: directory.path())
        #expect(throws: readOnly) { try reader.publish(Fixtures.checkpoint()) }
        #expect(throws: readOnly) { try reader.activate(model: "ml", version: 1) }
        #expect(throws: CheckpointError.self) { try CheckpointStore(path: directory.url.path) }
        #expect(throws: CheckpointError.self) { try CheckpointStore(path: directory.path("no/such/directory.sqlite")) }
    }

    @Test("a version that contradicts itself is not stored")
    func contradictions() throws {
        let store = try directory.store()
        let changes: [(inout Checkpoint) -> Void] = [
            { $0.manifest.items = 13 },
            { $0.popularity.append(12) },
            { $0.popularity[0] = -1 },
            { $0.catalogue.categories[3] = [3] },
            { $0.catalogue.ids[3] = "i4" },
            { $0.manifest.metrics["hr@20"] = .nan },
            { $0.manifest.model = "" },
            { $0.manifest.model = "a\u{0}b" },
            { $0.parameters["a\u{0}b"] = Matrix(rows: 1, columns: 1) },
        ]
        for change in changes {
            var checkpoint = Fixtures.checkpoint()
            change(&checkpoint)
            let error = #expect(throws: CheckpointError.self) { try store.publish(checkpoint) }
            guard case .invalid = error else {
                Issue.record("\(String(describing: error)) is not .invalid")
                continue
            }
        }
        #expect(try store.models().isEmpty)
    }

    @Test("published rows cannot be changed")
    func immutable() throws {
        let store = try directory.store()
        _ = try store.publish(Fixtures.checkpoint())
        for change in [
            "version SET number = 2", "bundle SET header = x'00'", "blob SET rows = 1", "chunk SET data = x'00'",
        ] {
            #expect(throws: DatabaseError.self) { try directory.execute("UPDATE \(change)") }
        }
        try store.verify(model: "ml")
    }

    @Test("readers see whole versions while others are published")
    func concurrentReaders() throws {
        let writer = try directory.store()
        _ = try writer.publish(Fixtures.checkpoint(1))
        let reader = try directory.store(readOnly: true)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            do {
                for round in 2...12 {
                    if worker == 0 { _ = try writer.publish(Fixtures.checkpoint(round)) }
                    let read = try (worker % 2 == 0 ? writer : reader).load(model: "ml")
                    guard isSame(read, Fixtures.checkpoint(read.manifest.version)) else {
                        failures.withLock { $0.append("version \(read.manifest.version) is a mixture") }
                        continue
                    }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try reader.activeVersion(of: "ml") == 12)
    }

    @Test("an uncommitted transaction shows nothing and blocks other writers")
    func uncommitted() throws {
        let store = try directory.store(busyTimeout: 0.05)
        _ = try store.publish(Fixtures.checkpoint(1))
        let reader = try directory.store(readOnly: true)
        try DatabaseQueue(path: directory.path()).inTransaction(.immediate) { db in
            try db.execute(sql: "DELETE FROM chunk; DELETE FROM activation; DELETE FROM version; DELETE FROM model")
            expectSame(try reader.load(model: "ml"), Fixtures.checkpoint(1))
            expectSame(try store.load(model: "ml"), Fixtures.checkpoint(1))
            #expect(throws: CheckpointError.locked(path: directory.path())) {
                try store.publish(Fixtures.checkpoint(2))
            }
            return .rollback
        }
        #expect(try store.publish(Fixtures.checkpoint(2)) == 2)
        expectSame(try reader.load(model: "ml"), Fixtures.checkpoint(2))
    }

    // One round at a time: ten at once block each other's disk access for longer than a writer waits.
    @Test("a store that another process has begun to create opens") func begunCreation() throws {
        let path = directory.path("begun.sqlite")
        try DatabaseQueue(path: path).write { db in
            try db.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
        }
        _ = try CheckpointStore(path: path).publish(Fixtures.checkpoint(1))
        #expect(try CheckpointStore(path: path, readOnly: true).versions(of: "ml").count == 1)
    }

    @Test("stores that are created at the same time agree", .serialized, arguments: 0..<10)
    func simultaneousCreation(round: Int) throws {
        let path = directory.path("store\(round).sqlite")
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 6) { worker in
            do {
                _ = try CheckpointStore(path: path).publish(Fixtures.checkpoint(worker))
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try CheckpointStore(path: path, readOnly: true).versions(of: "ml").count == 6)
    }
}
