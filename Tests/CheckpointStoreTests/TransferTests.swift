import CheckpointStore
import Dispatch
import Foundation
import GRDB
import Kernels
import Synchronization
import Testing

@Suite("export and import") struct TransferTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("an exported file is one closed store with only that version, and importing it gives the same version")
    func roundTrip() throws {
        let path = try directory.exported()
        #expect(try directory.files() == ["e.sqlite", "store.sqlite"])
        let bytes = try directory.bytes("e.sqlite")
        #expect(Array(bytes[18...19]) == [1, 1], "no write-ahead log")
        let (file, source) = (try CheckpointStore(path: path, readOnly: true), try directory.store(readOnly: true))
        #expect(try file.models() == ["ml"])
        #expect(try file.activations(of: "ml") == [2])
        #expect(try file.aliases() == [])
        #expect(try file.itemChanges(of: "ml") == [])
        let original = try #require(try source.versions(of: "ml").dropFirst().first)
        let read = try #require(try file.versions(of: "ml").first)
        #expect(read.digest == original.digest)
        #expect(read.manifest == original.manifest)
        try file.verify(model: "ml")
        try file.close()

        let target = try directory.target()
        #expect(try target.importVersion(from: path) == ("ml", 2, true))
        expectSame(try target.load(model: "ml"), Fixtures.checkpoint(2))
        #expect(try target.versions(of: "ml").map(\.digest) == [original.digest])
        #expect(try directory.bytes("e.sqlite") == bytes)
        #expect(try target.importVersion(from: path) == ("ml", 2, false))
        #expect(try target.publish(Fixtures.checkpoint(9)) == 3)
        try target.close()
        #expect(try directory.files() == ["e.sqlite", "store.sqlite", "target.sqlite"])
    }

    @Test("exports of one version have the same bytes, also when time and other versions come between")
    func repeatable() async throws {
        let path = try directory.exported()
        // Stored times have whole seconds.
        try await Task.sleep(for: .seconds(1.1))
        let source = try directory.store()
        #expect(try source.publish(Fixtures.checkpoint(7)) == 4)
        try source.export(model: "ml", version: 2, to: directory.path("again.sqlite"))
        try source.close()
        #expect(try directory.bytes("again.sqlite") == Array(Data(contentsOf: URL(filePath: path))))
    }

    @Test("without a number the active version is exported, and a rename replaces the file")
    func replacing() throws {
        let path = try directory.exported(1)
        let first = try #require(FileHandle(forReadingAtPath: path))
        let before = try first.readToEnd()
        let store = try directory.store()
        try store.export(model: "ml", to: path)
        try first.seek(toOffset: 0)
        #expect(try first.readToEnd() == before, "an open handle keeps the former file")
        let file = try CheckpointStore(path: path, readOnly: true)
        expectSame(try file.load(model: "ml"), Fixtures.checkpoint(3))
        #expect(try file.versions(of: "ml").map(\.manifest.version) == [3])
    }

    @Test("a version keeps its number if it is above all others, else it gets the next")
    func numbers() throws {
        let source = try directory.store()
        var paths: [Int: String] = [:]
        for tag in 1...6 {
            _ = try source.publish(Fixtures.checkpoint(tag))
            paths[tag] = directory.path("\(tag)")
            try source.export(model: "ml", to: directory.path("\(tag)"))
        }
        let target = try directory.target()
        func load(_ tag: Int, activate: Bool = true) throws -> (String, Int, Bool) {
            try target.importVersion(from: try #require(paths[tag]), activate: activate)
        }
        #expect(try load(3) == ("ml", 3, true))
        #expect(try load(5, activate: false) == ("ml", 5, true))
        #expect(try target.activeVersion(of: "ml") == 3)
        #expect(try load(4) == ("ml", 6, true), "lower than the highest")
        #expect(try load(6) == ("ml", 7, true), "taken")
        for (tag, number) in [(3, 3), (5, 5), (4, 6), (6, 7)] {
            #expect(try load(tag) == ("ml", number, false))
            let read = try target.load(model: "ml", version: number)
            expectSame(read, Fixtures.checkpoint(tag))
            #expect(read.manifest.version == number)
            #expect(try read.manifest.createdAt == source.manifest(model: "ml", version: tag).createdAt)
        }
        #expect(try target.activations(of: "ml") == [3, 6, 7], "known content activates nothing")
        #expect(try target.prune(model: "ml", keeping: 1) == [3, 5])
        #expect(try load(3) == ("ml", 8, true), "the number of a removed version is never reused")
        // The same content of another model is another version.
        var other = Fixtures.checkpoint(3)
        other.manifest.model = "copy"
        _ = try source.publish(other)
        try source.export(model: "copy", to: directory.path("copy"))
        #expect(try target.importVersion(from: directory.path("copy")) == ("copy", 1, true))
        try target.verify(model: "ml")
    }

    @Test("a version whose stored copy is damaged is stored again")
    func repairing() throws {
        let path = try directory.exported()
        let target = try directory.target()
        #expect(try target.importVersion(from: path) == ("ml", 2, true))
        try target.close()
        var bytes = try directory.bytes("target.sqlite")
        let index = Data(Fixtures.checkpoint(2).index.prefix(100))
        bytes[try #require(Data(bytes).range(of: index)).lowerBound + 5] ^= 1
        _ = try directory.write(bytes, to: "target.sqlite")
        let damaged = try directory.target()
        #expect(throws: CheckpointError.self) { try damaged.load(model: "ml") }
        #expect(try damaged.importVersion(from: path) == ("ml", 3, true))
        expectSame(try damaged.load(model: "ml"), Fixtures.checkpoint(2))
    }

    @Test("readers and imports see whole versions while files are replaced and versions arrive")
    func concurrent() throws {
        let path = try directory.exported(1, of: 6)
        let source = try directory.store()
        let target = try directory.target()
        _ = try target.importVersion(from: path)
        let reader = try CheckpointStore(path: directory.path("target.sqlite"), readOnly: true)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            do {
                for round in 0..<12 {
                    switch worker {
                    case 0, 1: try source.export(model: "ml", version: 1 + (round + 3 * worker) % 6, to: path)
                    case 2: _ = try target.importVersion(from: path)
                    default:
                        let read = try reader.load(model: "ml")
                        guard isSame(read, Fixtures.checkpoint(read.manifest.trainRows - 1000)) else {
                            failures.withLock { $0.append("version \(read.manifest.version) is a mixture") }
                            continue
                        }
                    }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try directory.files().filter { $0.hasPrefix(".") } == [])
        let rows = try target.versions(of: "ml").map(\.manifest.trainRows)
        #expect(Set(rows).count == rows.count, "nothing is stored twice")
        try target.verify(model: "ml")
    }
}
